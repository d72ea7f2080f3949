"""API tokens: making them (the secret is shown once) and revoking them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_network

from sqlalchemy import select

from app.actions.audit import record
from app.auth.permissions import require
from app.auth.tokens import new_secret
from app.clock import utc_now
from app.domain.access import ApiToken
from app.domain.tenancy import ACCESS_NOUNS, TABLE_NOUNS, WRITE, Scope, Viewer
from app.errors import InvalidInput, NotFound
from app.queries.tokens import token_of
from models.access import TokenRow
from models.session import tenant_session

MOST_RANGES = 50


@dataclass(frozen=True)
class NewToken:
    """A token just made, with the secret that is never shown again."""

    token: ApiToken
    secret: str


def create(
    viewer: Viewer,
    *,
    name: str,
    scopes: Iterable[Scope | str],
    expires_at: datetime | None = None,
    source_ranges: Iterable[str] = (),
) -> NewToken:
    """Make a token of the viewer's tenant; nobody makes one that may more than they do themselves."""
    require(viewer, WRITE, "tokens")
    if not 1 <= len(name) <= 100 or not name.isprintable():
        raise InvalidInput("name", "must be 1 to 100 printable characters")
    wanted = _checked_scopes(scopes)
    for scope in wanted:
        _check_may_give(viewer, scope)
    if expires_at is not None and (expires_at.tzinfo is None or expires_at <= utc_now()):
        raise InvalidInput("expires_at", "must be a time to come, with its zone")
    new = new_secret()
    with tenant_session(viewer.tenant) as session:
        row = TokenRow(
            tenant_id=viewer.tenant,
            name=name,
            prefix=new.prefix,
            secret_hash=new.hash,
            scopes=[str(scope) for scope in wanted],
            source_ranges=_checked_ranges(source_ranges),
            created_by=viewer.email or viewer.name,
            created_at=utc_now(),
            expires_at=expires_at,
        )
        session.add(row)
        session.flush()
        after = {"name": name, "scopes": row.scopes, "expires_at": expires_at, "source_ranges": row.source_ranges}
        record(session, viewer, action="create", noun="tokens", object_id=row.id, after=after)
        return NewToken(token_of(row), new.secret)


def revoke(viewer: Viewer, token_id: int) -> None:
    """Make a token useless within a second; raises NotFound. To revoke it again changes nothing."""
    require(viewer, WRITE, "tokens")
    with tenant_session(viewer.tenant) as session:
        row = session.scalar(
            select(TokenRow).where(TokenRow.tenant_id == viewer.tenant, TokenRow.id == token_id).with_for_update()
        )
        if row is None:
            raise NotFound(f"There is no token {token_id}.")
        if row.revoked_at is None:
            row.revoked_at = utc_now()
            record(session, viewer, action="revoke", noun="tokens", object_id=row.id, before={"name": row.name})


def _check_may_give(viewer: Viewer, scope: Scope) -> None:
    if scope == Scope.INGEST:
        return
    for noun in TABLE_NOUNS:
        if scope == Scope.ADMIN or noun not in ACCESS_NOUNS:
            require(viewer, scope, noun)


def _checked_scopes(scopes: Iterable[Scope | str]) -> list[Scope]:
    try:
        wanted = sorted({Scope(scope) for scope in scopes}, key=list(Scope).index)
    except ValueError:
        raise InvalidInput("scopes", f"may be {', '.join(Scope)}") from None
    if not wanted:
        raise InvalidInput("scopes", f"needs at least one of {', '.join(Scope)}")
    return wanted


def _checked_ranges(ranges: Iterable[str]) -> list[str]:
    checked = []
    for each in ranges:
        try:
            checked.append(str(ip_network(each, strict=False)))
        except ValueError:
            raise InvalidInput("source_ranges", f"{each[:60]} is not an address or a CIDR range") from None
    if len(checked) > MOST_RANGES:
        raise InvalidInput("source_ranges", f"may be {MOST_RANGES} at most")
    return checked
