"""What people see of their own account."""

from __future__ import annotations

from sqlalchemy import select

from app.clock import utc_now
from app.domain.access import BrowserSession
from app.domain.tenancy import Viewer
from app.errors import Forbidden
from models.access import MembershipRow, SessionRow, UserRow
from models.session import platform_session
from models.tenants import TenantRow

DEFAULTS = {"theme": "system", "density": "comfortable", "zone": "browser"}


def preferences(viewer: Viewer) -> dict[str, str]:
    """Theme, density and zone of the person, defaults filled in."""
    with platform_session() as session:
        own = session.scalar(select(UserRow.preferences).where(UserRow.id == _person(viewer)))
    return {**DEFAULTS, **(own or {})}


def sessions(viewer: Viewer) -> list[BrowserSession]:
    """Where the person is signed in, the last used first."""
    living = (
        select(SessionRow, TenantRow.name)
        .join(TenantRow, TenantRow.id == SessionRow.tenant_id)
        .where(
            SessionRow.user_id == _person(viewer),
            SessionRow.revoked_at.is_(None),
            SessionRow.expires_at > utc_now(),
        )
        .order_by(SessionRow.seen_at.desc())
    )
    with platform_session() as session:
        return [
            BrowserSession(
                id=row.id,
                tenant_name=tenant_name,
                address=row.address,
                user_agent=row.user_agent,
                created_at=row.created_at,
                seen_at=row.seen_at,
                expires_at=row.expires_at,
                is_current=row.id == viewer.session_id,
            )
            for row, tenant_name in session.execute(living)
        ]


def tenants(viewer: Viewer) -> list[tuple[str, str]]:
    """(name, title) of the tenants that the person may switch to, the present one included."""
    if viewer.user_id is None:
        return [(viewer.tenant_name, viewer.tenant_name)]
    open_ones = select(TenantRow.name, TenantRow.title).where(TenantRow.closed_at.is_(None)).order_by(TenantRow.name)
    if not viewer.is_platform_admin:
        open_ones = open_ones.join(MembershipRow, MembershipRow.tenant_id == TenantRow.id).where(
            MembershipRow.user_id == viewer.user_id
        )
    with platform_session() as session:
        return [(name, title) for name, title in session.execute(open_ones)]


def _person(viewer: Viewer) -> int:
    if viewer.user_id is None:
        raise Forbidden("Only a person who has signed in has an account.")
    return viewer.user_id
