"""Sessions of browsers: an opaque id in a cookie, a row on the server.

The row decides at every request (a copy is kept for less than a second), so that a sign-out, a changed role or a
disabled account takes effect at once in every process.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Row, Select, and_, or_, select, update
from sqlalchemy.orm import Session

from app.clock import monotonic_s, utc_now
from app.domain.tenancy import Role, TenantId, Viewer
from models.access import MembershipRow, RoleRow, SessionRow, UserRow
from models.session import platform_session
from models.tenants import TenantRow

IDLE = timedelta(hours=8)
ABSOLUTE = timedelta(hours=24)
# How long a process may answer from its own copy; with it, "within a second" holds.
CACHE_S = 0.5
MOST_CACHED = 10_000
# How old `seen_at` may get before it is written again.
SEEN_EVERY = timedelta(seconds=60)


@dataclass(frozen=True)
class SignedIn:
    """What a valid session cookie stands for."""

    viewer: Viewer
    csrf_token: str


_cache: dict[bytes, tuple[float, SignedIn | None]] = {}


def start_session(
    session: Session, user_id: int, tenant: TenantId, *, address: str, user_agent: str
) -> tuple[str, str]:
    """Make a session; answers its secret (the value of the cookie) and its CSRF token."""
    secret, csrf_token = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    now = utc_now()
    session.add(
        SessionRow(
            secret_hash=_hash(secret),
            user_id=user_id,
            tenant_id=tenant,
            csrf_token=csrf_token,
            address=address,
            user_agent=user_agent[:300],
            created_at=now,
            seen_at=now,
            expires_at=now + ABSOLUTE,
        )
    )
    session.flush()
    return secret, csrf_token


def session_for(secret: str) -> SignedIn | None:
    """Who the cookie's value stands for; None when it is unknown, expired or ended."""
    key = _hash(secret)
    cached = _cache.get(key)
    if cached is not None and cached[0] > monotonic_s():
        return cached[1]
    signed_in = _load(key)
    if len(_cache) >= MOST_CACHED:
        _cache.clear()
    _cache[key] = (monotonic_s() + CACHE_S, signed_in)
    return signed_in


def end_sessions(
    session: Session,
    user_id: int,
    *,
    tenant: TenantId | None = None,
    session_id: int | None = None,
    keep: int | None = None,
) -> int:
    """End the sessions of a person: all, those in one tenant, one, or all but `keep`; answers how many."""
    ended = (
        update(SessionRow)
        .where(SessionRow.user_id == user_id, SessionRow.revoked_at.is_(None))
        .values(revoked_at=utc_now())
        .returning(SessionRow.id)
    )
    if tenant is not None:
        ended = ended.where(SessionRow.tenant_id == tenant)
    if session_id is not None:
        ended = ended.where(SessionRow.id == session_id)
    if keep is not None:
        ended = ended.where(SessionRow.id != keep)
    return len(session.scalars(ended).all())


def forget(secret: str) -> None:
    """Drop this process's copy of a session that just changed."""
    _cache.pop(_hash(secret), None)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _load(key: bytes) -> SignedIn | None:
    now = utc_now()
    with platform_session() as session:
        found = session.execute(_living(key, now)).one_or_none()
        if found is None:
            return None
        if found.SessionRow.seen_at < now - SEEN_EVERY:
            session.execute(update(SessionRow).where(SessionRow.id == found.SessionRow.id).values(seen_at=now))
        return _signed_in(found)


def _living(key: bytes, now: datetime) -> Select[SessionRow, UserRow, TenantRow, str, list[list[str]]]:
    """The session with its person, tenant, role and grants, if all of them still stand."""
    return (
        select(SessionRow, UserRow, TenantRow, MembershipRow.role, RoleRow.grants)
        .join(UserRow, UserRow.id == SessionRow.user_id)
        .join(TenantRow, TenantRow.id == SessionRow.tenant_id)
        .outerjoin(
            MembershipRow,
            and_(MembershipRow.user_id == UserRow.id, MembershipRow.tenant_id == TenantRow.id),
        )
        .outerjoin(RoleRow, and_(RoleRow.tenant_id == TenantRow.id, RoleRow.name == MembershipRow.role))
        .where(
            SessionRow.secret_hash == key,
            SessionRow.revoked_at.is_(None),
            SessionRow.expires_at > now,
            SessionRow.seen_at > now - IDLE,
            UserRow.disabled_at.is_(None),
            TenantRow.closed_at.is_(None),
            or_(MembershipRow.role.is_not(None), UserRow.is_platform_admin),
        )
    )


def _signed_in(found: Row[SessionRow, UserRow, TenantRow, str, list[list[str]]]) -> SignedIn:
    row, user, tenant, role, grants = found
    viewer = Viewer(
        tenant=TenantId(tenant.id),
        tenant_name=tenant.name,
        name=user.name,
        role=role or Role.ADMIN,
        user_id=user.id,
        email=user.email,
        session_id=row.id,
        is_platform_admin=user.is_platform_admin,
        grants=None if grants is None else frozenset((noun, verb) for noun, verb in grants),
    )
    return SignedIn(viewer, row.csrf_token)
