"""Changing the permission table of a tenant: its own roles, or a built-in one made its own."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app import live
from app.actions.audit import record
from app.auth.permissions import require
from app.auth.sessions import end_sessions
from app.domain.tenancy import TABLE_NOUNS, VERBS, WRITE, Role, Viewer, may
from app.errors import Conflict, Forbidden, InvalidInput, NotFound
from models.access import MembershipRow, RoleRow
from models.session import platform_session

NAME = re.compile(r"[a-z][a-z0-9-]{1,40}")


def save(viewer: Viewer, name: str, *, title: str, grants: Iterable[tuple[str, str]]) -> None:
    """Make or change a role: `grants` are (noun, verb) pairs out of TABLE_NOUNS and VERBS.

    The role admin cannot be changed (somebody must always be able to repair the table), nobody changes the role they
    hold, and nobody grants what they may not do themselves. Sessions of the role's members end.
    """
    require(viewer, WRITE, "roles")
    wanted = sorted(set(grants))
    _check(viewer, name, title, wanted)
    with platform_session() as session:
        row = session.get(RoleRow, (viewer.tenant, name), with_for_update=True)
        before = None if row is None else {"title": row.title, "grants": row.grants}
        pairs = [[noun, verb] for noun, verb in wanted]
        if row is None:
            session.add(RoleRow(tenant_id=viewer.tenant, name=name, title=title, grants=pairs))
        else:
            row.title, row.grants = title, pairs
        _end_sessions_of_members(session, viewer, name)
        record(
            session,
            viewer,
            action="save",
            noun="roles",
            object_id=name,
            before=before,
            after={"title": title, "grants": pairs},
        )
    live.publish(viewer.tenant, "authz", {"role": name})


def remove(viewer: Viewer, name: str) -> None:
    """Delete a role of the tenant's own, or bring a built-in one back to what it was; raises Conflict while held."""
    require(viewer, WRITE, "roles")
    _check_not_own(viewer, name)
    with platform_session() as session:
        row = session.get(RoleRow, (viewer.tenant, name), with_for_update=True)
        if row is None:
            raise NotFound(f"There is no role {name} of this tenant's own.")
        if name not in set(Role) and _members(session, viewer, name):
            raise Conflict(f"Somebody still has the role {name}.")
        before = {"title": row.title, "grants": row.grants}
        session.execute(delete(RoleRow).where(RoleRow.tenant_id == viewer.tenant, RoleRow.name == name))
        _end_sessions_of_members(session, viewer, name)
        record(session, viewer, action="remove", noun="roles", object_id=name, before=before)
    live.publish(viewer.tenant, "authz", {"role": name})


def _check(viewer: Viewer, name: str, title: str, grants: list[tuple[str, str]]) -> None:
    if not NAME.fullmatch(name):
        raise InvalidInput("name", "must be 2 to 41 small letters, digits and hyphens, and begin with a letter")
    if not 1 <= len(title) <= 100 or not title.isprintable():
        raise InvalidInput("title", "must be 1 to 100 printable characters")
    if name == Role.ADMIN:
        raise Forbidden("The role admin cannot be changed.")
    _check_not_own(viewer, name)
    for noun, verb in grants:
        if noun not in TABLE_NOUNS or verb not in VERBS:
            raise InvalidInput("grants", f"{noun[:40]} {verb[:40]} is not in the table")
        if not may(viewer, verb, noun):
            raise Forbidden(f"You may not {verb} {noun} yourself.")


def _check_not_own(viewer: Viewer, name: str) -> None:
    if viewer.role == name and not viewer.is_platform_admin:
        raise Forbidden("Nobody changes the role they have. Ask another admin.")


def _members(session: Session, viewer: Viewer, name: str) -> int:
    held = select(func.count()).where(MembershipRow.tenant_id == viewer.tenant, MembershipRow.role == name)
    return session.scalar(held) or 0


def _end_sessions_of_members(session: Session, viewer: Viewer, name: str) -> None:
    members = select(MembershipRow.user_id).where(MembershipRow.tenant_id == viewer.tenant, MembershipRow.role == name)
    for user_id in session.scalars(members).all():
        end_sessions(session, user_id, tenant=viewer.tenant)
