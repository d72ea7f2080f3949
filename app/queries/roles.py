"""The roles of a tenant: the built-in ones, as the tenant changed them, and its own."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.auth.permissions import require
from app.domain.access import RoleTable
from app.domain.tenancy import READ, Role, Viewer, builtin_grants
from app.errors import InvalidInput, NotFound
from models.access import MembershipRow, RoleRow
from models.session import tenant_session

TITLES = {Role.VIEWER: "Viewer", Role.ANALYST: "Analyst", Role.ADMIN: "Admin"}


def roles(viewer: Viewer) -> list[RoleTable]:
    """All roles, the built-in ones first."""
    require(viewer, READ, "roles")
    with tenant_session(viewer.tenant) as session:
        return _tables(session, viewer)


def role(viewer: Viewer, name: str) -> RoleTable:
    """One role; raises NotFound."""
    for table in roles(viewer):
        if table.name == name:
            return table
    raise NotFound(f"There is no role {name}.")


def grants_of_role(session: Session, viewer: Viewer, name: str) -> frozenset[tuple[str, str]]:
    """What the role grants in the viewer's tenant, read in the caller's transaction; raises InvalidInput if unknown."""
    own = session.scalar(select(RoleRow.grants).where(RoleRow.tenant_id == viewer.tenant, RoleRow.name == name))
    if own is not None:
        return frozenset((noun, verb) for noun, verb in own)
    if name not in set(Role):
        raise InvalidInput("role", f"there is no role {name[:40]}")
    return builtin_grants(name)


def _tables(session: Session, viewer: Viewer) -> list[RoleTable]:
    own = {row.name: row for row in session.scalars(select(RoleRow).where(RoleRow.tenant_id == viewer.tenant))}
    counted = (
        select(MembershipRow.role, func.count())
        .where(MembershipRow.tenant_id == viewer.tenant)
        .group_by(MembershipRow.role)
    )
    members = {role: count for role, count in session.execute(counted)}  # noqa: C416  a row is no pair to the types
    names = [*Role, *sorted(own.keys() - set(Role))]
    return [_table(name, own.get(name), members.get(name, 0)) for name in names]


def _table(name: str, row: RoleRow | None, members: int) -> RoleTable:
    if row is None:
        return RoleTable(str(name), TITLES[Role(name)], tuple(sorted(builtin_grants(name))), True, members)
    grants = tuple(sorted((noun, verb) for noun, verb in row.grants))
    return RoleTable(name, row.title, grants, False, members)
