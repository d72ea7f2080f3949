"""The people of a tenant."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Select, select

from app.auth.permissions import require
from app.domain.access import Person
from app.domain.tenancy import READ, Viewer
from app.errors import NotFound
from models.access import MembershipRow, UserRow
from models.session import tenant_session


def users(viewer: Viewer, *, after: str = "", limit: int = 1000) -> list[Person]:
    """The people of the viewer's tenant by e-mail, at most `limit` of those after `after`."""
    require(viewer, READ, "users")
    with tenant_session(viewer.tenant) as session:
        found = session.execute(_people(viewer).where(UserRow.email > after).order_by(UserRow.email).limit(limit))
        return [Person(*row) for row in found]


def user(viewer: Viewer, user_id: int) -> Person:
    """One person of the viewer's tenant; raises NotFound."""
    require(viewer, READ, "users")
    with tenant_session(viewer.tenant) as session:
        row = session.execute(_people(viewer).where(UserRow.id == user_id)).one_or_none()
        if row is None:
            raise NotFound(f"There is no user {user_id}.")
        return Person(*row)


def names(viewer: Viewer) -> list[tuple[int, str]]:
    """(id, name) of everybody who can be given an alert: for whoever sees alerts, without e-mail or role."""
    require(viewer, READ, "alerts")
    with tenant_session(viewer.tenant) as session:
        people = _people(viewer).where(UserRow.disabled_at.is_(None)).order_by(UserRow.name)
        return [(row.id, row.name) for row in session.execute(people)]


def _people(viewer: Viewer) -> Select[int, str, str, str, bool, datetime, datetime | None, datetime | None]:
    """The columns of Person in its order; the web role may read these columns of `users` and no others."""
    return (
        select(
            UserRow.id,
            UserRow.email,
            UserRow.name,
            MembershipRow.role,
            UserRow.is_platform_admin,
            UserRow.created_at,
            UserRow.disabled_at,
            UserRow.signed_in_at,
        )
        .join(MembershipRow, MembershipRow.user_id == UserRow.id)
        .where(MembershipRow.tenant_id == viewer.tenant)
    )
