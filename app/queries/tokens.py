"""The API tokens of a tenant, without their secrets."""

from __future__ import annotations

from sqlalchemy import select

from app.auth.permissions import require
from app.domain.access import ApiToken
from app.domain.tenancy import READ, Scope, Viewer
from app.errors import NotFound
from models.access import TokenRow
from models.session import tenant_session


def tokens(viewer: Viewer, *, before: int | None = None, limit: int = 1000) -> list[ApiToken]:
    """The newest tokens first, at most `limit` of those made before the token `before`."""
    require(viewer, READ, "tokens")
    newest = select(TokenRow).where(TokenRow.tenant_id == viewer.tenant).order_by(TokenRow.id.desc()).limit(limit)
    if before is not None:
        newest = newest.where(TokenRow.id < before)
    with tenant_session(viewer.tenant) as session:
        return [token_of(row) for row in session.scalars(newest)]


def token(viewer: Viewer, token_id: int) -> ApiToken:
    """One token; raises NotFound."""
    require(viewer, READ, "tokens")
    with tenant_session(viewer.tenant) as session:
        row = session.scalar(select(TokenRow).where(TokenRow.tenant_id == viewer.tenant, TokenRow.id == token_id))
        if row is None:
            raise NotFound(f"There is no token {token_id}.")
        return token_of(row)


def token_of(row: TokenRow) -> ApiToken:
    """The row as a value."""
    return ApiToken(
        id=row.id,
        name=row.name,
        prefix=row.prefix,
        scopes=tuple(Scope(scope) for scope in row.scopes),
        source_ranges=tuple(row.source_ranges),
        created_by=row.created_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )
