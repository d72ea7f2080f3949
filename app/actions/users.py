"""People of a tenant: making accounts, roles, disabling, passwords.

A tenant's admin decides about the account itself (password, name, disabling) only while it belongs to this tenant
alone; of a person who works in several, only the membership is theirs.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import live
from app.actions.audit import record
from app.auth.passwords import hash_password
from app.auth.permissions import require
from app.auth.sessions import end_sessions
from app.clock import utc_now
from app.domain.tenancy import ADMIN, WRITE, Role, Viewer, may
from app.errors import Conflict, Forbidden, InvalidInput, NotFound
from app.queries.roles import grants_of_role
from models.access import MembershipRow, UserRow
from models.session import platform_session

EMAIL = re.compile(r"[^@\s\x00-\x1f<>\"(),;:\\]{1,64}@[A-Za-z0-9.-]{1,190}")
MOST_NAME = 100


@dataclass(frozen=True)
class NewUser:
    """A person just added; `password` is the first password when we made it, shown this once."""

    id: int
    password: str | None


def create(viewer: Viewer, *, email: str, name: str, role: str, password: str | None = None) -> NewUser:
    """Add a person to the viewer's tenant; makes the account, with a random password when none is given.

    An account that exists already (in another tenant) becomes a member and keeps its password.
    """
    require(viewer, WRITE, "users")
    email = _checked_email(email)
    _check_name(name)
    given = password or secrets.token_urlsafe(12)
    hashed = hash_password(given)
    with platform_session() as session:
        _check_may_give(session, viewer, role)
        user = session.scalar(select(UserRow).where(UserRow.email == email))
        is_new = user is None
        if user is None:
            user = UserRow(email=email, name=name, password_hash=hashed)
            session.add(user)
            session.flush()
        elif session.get(MembershipRow, (viewer.tenant, user.id)) is not None:
            raise Conflict(f"{email} belongs to this tenant already.")
        session.add(MembershipRow(tenant_id=viewer.tenant, user_id=user.id, role=role))
        record(session, viewer, action="create", noun="users", object_id=user.id, after={"email": email, "role": role})
        return NewUser(user.id, given if is_new and password is None else None)


def set_role(viewer: Viewer, user_id: int, role: str) -> None:
    """Give a person another role; their sessions here end, so that the new role begins with a new sign-in."""
    require(viewer, WRITE, "users")
    _check_not_self(viewer, user_id)
    with platform_session() as session:
        membership = _membership(session, viewer, user_id)
        before = membership.role
        for each in (before, role):
            _check_may_give(session, viewer, each)
        if before == Role.ADMIN and role != Role.ADMIN:
            _check_other_admin(session, viewer, user_id)
        membership.role = role
        end_sessions(session, user_id, tenant=viewer.tenant)
        record(
            session,
            viewer,
            action="set role",
            noun="users",
            object_id=user_id,
            before={"role": before},
            after={"role": role},
        )
    live.publish(viewer.tenant, "authz", {"user": user_id})


def rename(viewer: Viewer, user_id: int, name: str) -> None:
    """Change a person's name."""
    require(viewer, WRITE, "users")
    _check_name(name)
    with platform_session() as session:
        user = _own_account(session, viewer, user_id)
        before, user.name = user.name, name
        record(
            session,
            viewer,
            action="rename",
            noun="users",
            object_id=user_id,
            before={"name": before},
            after={"name": name},
        )


def disable(viewer: Viewer, user_id: int) -> None:
    """Let a person in no more, at once."""
    require(viewer, WRITE, "users")
    _check_not_self(viewer, user_id)
    with platform_session() as session:
        user = _own_account(session, viewer, user_id)
        _check_other_admin(session, viewer, user_id)
        user.disabled_at = utc_now()
        end_sessions(session, user_id)
        record(session, viewer, action="disable", noun="users", object_id=user_id)
    live.publish(viewer.tenant, "authz", {"user": user_id})


def enable(viewer: Viewer, user_id: int) -> None:
    """Let a disabled person in again."""
    require(viewer, WRITE, "users")
    with platform_session() as session:
        _own_account(session, viewer, user_id).disabled_at = None
        record(session, viewer, action="enable", noun="users", object_id=user_id)


def remove(viewer: Viewer, user_id: int) -> None:
    """Take a person out of the viewer's tenant; the account and other tenants' memberships stay."""
    require(viewer, WRITE, "users")
    _check_not_self(viewer, user_id)
    with platform_session() as session:
        membership = _membership(session, viewer, user_id)
        _check_may_give(session, viewer, membership.role)
        _check_other_admin(session, viewer, user_id)
        session.delete(membership)
        end_sessions(session, user_id, tenant=viewer.tenant)
        record(session, viewer, action="remove", noun="users", object_id=user_id, before={"role": membership.role})
    live.publish(viewer.tenant, "authz", {"user": user_id})


def reset_password(viewer: Viewer, user_id: int, password: str | None = None) -> str:
    """Set a new password (random when none is given), end the person's sessions, and answer the password once."""
    require(viewer, ADMIN, "users")
    new = password or secrets.token_urlsafe(12)
    hashed = hash_password(new)
    with platform_session() as session:
        _own_account(session, viewer, user_id).password_hash = hashed
        end_sessions(session, user_id)
        record(session, viewer, action="reset password", noun="users", object_id=user_id)
    live.publish(viewer.tenant, "authz", {"user": user_id})
    return new


def make_platform_admin(viewer: Viewer, user_id: int) -> None:
    """Let a person administer the whole installation."""
    require(viewer, ADMIN, "tenants")
    with platform_session() as session:
        _membership(session, viewer, user_id)
        session.get_one(UserRow, user_id).is_platform_admin = True
        record(session, viewer, action="make platform admin", noun="users", object_id=user_id)


def _checked_email(email: str) -> str:
    email = email.strip().lower()
    if not EMAIL.fullmatch(email):
        raise InvalidInput("email", "must be an e-mail address")
    return email


def _check_name(name: str) -> None:
    if not 1 <= len(name) <= MOST_NAME or not name.isprintable():
        raise InvalidInput("name", f"must be 1 to {MOST_NAME} printable characters")


def _check_may_give(session: Session, viewer: Viewer, role: str) -> None:
    """Nobody gives (or takes) rights that they do not have; raises InvalidInput for a role that does not exist."""
    for noun, verb in grants_of_role(session, viewer, role):
        if not may(viewer, verb, noun):
            raise Forbidden(f"The role {role} may {verb} {noun}, which you may not yourself.")


def _check_not_self(viewer: Viewer, user_id: int) -> None:
    if viewer.user_id == user_id:
        raise Forbidden("Nobody changes their own role or membership. Ask another admin.")


def _membership(session: Session, viewer: Viewer, user_id: int) -> MembershipRow:
    row = session.get(MembershipRow, (viewer.tenant, user_id), with_for_update=True)
    if row is None:
        raise NotFound(f"There is no user {user_id}.")
    return row


def _own_account(session: Session, viewer: Viewer, user_id: int) -> UserRow:
    """The account, when this tenant may decide about it."""
    _check_may_give(session, viewer, _membership(session, viewer, user_id).role)
    user = session.get_one(UserRow, user_id)
    if viewer.is_platform_admin:
        return user
    memberships = session.scalar(select(func.count()).where(MembershipRow.user_id == user_id))
    if user.is_platform_admin or memberships != 1:
        raise Forbidden("This account belongs to other tenants as well; only a platform admin may change it.")
    return user


def _check_other_admin(session: Session, viewer: Viewer, user_id: int) -> None:
    """Raise Conflict when this is the last admin. The lock keeps two admins from removing each other at once."""
    admins = session.execute(
        select(MembershipRow.user_id, UserRow.disabled_at)
        .join(UserRow, UserRow.id == MembershipRow.user_id)
        .where(MembershipRow.tenant_id == viewer.tenant, MembershipRow.role == Role.ADMIN)
        .order_by(MembershipRow.user_id)
        .with_for_update(of=MembershipRow)
    ).all()
    living = {admin for admin, disabled_at in admins if disabled_at is None}
    if living == {user_id}:
        raise Conflict("This is the last admin of the tenant. Make somebody else admin first.")
