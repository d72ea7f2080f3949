"""API tokens: who a secret stands for, and making new secrets. Rows hold only its SHA-256."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address, ip_network

from sqlalchemy import bindparam, select, update
from werkzeug.datastructures import Authorization

from app.clock import monotonic_s, utc_now
from app.domain.tenancy import Scope, TenantId, Viewer
from app.errors import Forbidden, Unauthenticated
from models.access import TokenRow
from models.session import platform_session
from models.tenants import TenantRow

PREFIX = "wf_"
# How long a process may answer from its own copy: a revoked token dies within a second everywhere.
CACHE_S = 1.0
MOST_CACHED = 10_000
WRITE_LAST_USED_EVERY_S = 30.0


@dataclass(frozen=True)
class NewSecret:
    """A secret that nobody else has seen: shown once, stored as its hash and its first letters."""

    secret: str
    prefix: str
    hash: bytes


@dataclass(frozen=True)
class _Known:
    viewer: Viewer
    source_ranges: tuple[str, ...]
    expires_at: datetime | None


_cache: dict[bytes, tuple[float, _Known | None]] = {}
_used: dict[int, datetime] = {}
_written_at_s = 0.0


def new_secret() -> NewSecret:
    """A fresh secret of 256 random bits behind a prefix that scanners for leaked secrets can know."""
    label = PREFIX + secrets.token_hex(4)
    secret = f"{label}_{secrets.token_urlsafe(32)}"
    return NewSecret(secret, label, hash_secret(secret))


def hash_secret(secret: str) -> bytes:
    """What is stored of a secret. It is random, so a fast hash is enough."""
    return hashlib.sha256(secret.encode(errors="surrogateescape")).digest()


def secret_in(authorization: Authorization | None) -> str | None:
    """The token of an Authorization header: Bearer, Influx's `Token`, or the password of Basic."""
    if authorization is None:
        return None
    if authorization.type in ("bearer", "token"):
        return authorization.token
    if authorization.type == "basic":
        return authorization.password
    return None


def viewer_for_token(secret: str, address: str) -> Viewer:
    """Who the secret stands for; raises Unauthenticated, or Forbidden when `address` may not use it."""
    key = hash_secret(secret)
    cached = _cache.get(key)
    if cached is None or cached[0] <= monotonic_s():
        if len(_cache) >= MOST_CACHED:
            _cache.clear()
        cached = _cache[key] = (monotonic_s() + CACHE_S, _load(key))
        _write_last_used()
    known = cached[1]
    now = utc_now()
    if known is None or (known.expires_at is not None and known.expires_at <= now):
        raise Unauthenticated("This token is unknown, expired or revoked.")
    if known.source_ranges and not _is_within(address, known.source_ranges):
        raise Forbidden("This token may not be used from this address.")
    if known.viewer.token_id is not None:
        _used[known.viewer.token_id] = now
    return known.viewer


def _load(key: bytes) -> _Known | None:
    living = (
        select(TokenRow, TenantRow.name)
        .join(TenantRow, TenantRow.id == TokenRow.tenant_id)
        .where(TokenRow.secret_hash == key, TokenRow.revoked_at.is_(None), TenantRow.closed_at.is_(None))
    )
    with platform_session() as session:
        found = session.execute(living).one_or_none()
    if found is None:
        return None
    row, tenant_name = found
    viewer = Viewer(
        tenant=TenantId(row.tenant_id),
        tenant_name=tenant_name,
        name=f"token {row.name}",
        role="",
        token_id=row.id,
        scopes=frozenset(Scope(scope) for scope in row.scopes),
    )
    return _Known(viewer, tuple(row.source_ranges), row.expires_at)


def _is_within(address: str, ranges: tuple[str, ...]) -> bool:
    try:
        source = ip_address(address)
    except ValueError:
        return False
    return any(source in ip_network(each, strict=False) for each in ranges)


def _write_last_used() -> None:
    """Write the times of use that this process has seen, all in one statement and at most twice a minute."""
    global _written_at_s  # noqa: PLW0603  the process's own clock of this write
    if not _used or monotonic_s() - _written_at_s < WRITE_LAST_USED_EVERY_S:
        return
    _written_at_s = monotonic_s()
    used = dict(_used)
    _used.clear()
    write = update(TokenRow).where(TokenRow.id == bindparam("token"))
    with platform_session() as session:
        session.connection().execute(
            write.values(last_used_at=bindparam("at")), [{"token": token, "at": at} for token, at in used.items()]
        )
