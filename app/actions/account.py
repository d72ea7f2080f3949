"""What people do with their own account: sign in and out, change tenant, password and preferences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import available_timezones

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app import live
from app.actions.audit import record
from app.auth import passwords, throttle
from app.auth.sessions import end_sessions, start_session
from app.clock import utc_now
from app.domain.tenancy import Role, TenantId, Viewer
from app.errors import Forbidden, InvalidInput, NotFound, Unauthenticated
from models.access import MembershipRow, SessionRow, UserRow
from models.session import platform_session
from models.tenants import TenantRow

# What a person may choose, with the allowed values; `zone` is any IANA name or "browser".
THEMES = ("system", "dark", "light")
DENSITIES = ("comfortable", "compact")
WRONG = "E-mail or password is not right."


@dataclass(frozen=True)
class NewSession:
    """The secret for the cookie and the token that scripts send back."""

    secret: str
    csrf_token: str


def sign_in(email: str, password: str, *, address: str, user_agent: str, is_known_device: bool) -> NewSession:
    """Start a session; raises Unauthenticated in the same words whatever was wrong, Overloaded when tried too often."""
    email = email.strip().lower()
    if not email or not password or "\0" in email:
        raise InvalidInput("", "Give both e-mail and password.")
    throttle.take_try(email, address, is_known_device=is_known_device)
    with platform_session() as session:
        user = session.scalar(select(UserRow).where(UserRow.email == email))
    is_right = passwords.is_password(password, user.password_hash if user else None)
    if user is None or user.disabled_at is not None or not is_right:
        raise Unauthenticated(WRONG)
    throttle.give_back(email, address, is_known_device=is_known_device)
    with platform_session() as session:
        tenant, role = _first_tenant(session, user)
        session.execute(update(UserRow).where(UserRow.id == user.id).values(signed_in_at=utc_now()))
        viewer = _viewer(user, tenant, role)
        new = _start(session, viewer, address=address, user_agent=user_agent)
        record(session, viewer, action="sign in", noun="account", object_id=user.id, after={"address": address})
    return new


def sign_out(viewer: Viewer) -> None:
    """End the session that the viewer came with."""
    user_id = _person(viewer)
    with platform_session() as session:
        end_sessions(session, user_id, session_id=viewer.session_id)
        record(session, viewer, action="sign out", noun="account", object_id=user_id)
    live.publish(viewer.tenant, "authz", {"user": user_id})


def switch_tenant(viewer: Viewer, tenant_name: str, *, address: str, user_agent: str) -> NewSession:
    """Go on in another tenant the person belongs to (a platform admin: any); ends the session before."""
    user_id = _person(viewer)
    with platform_session() as session:
        tenant = session.scalar(select(TenantRow).where(TenantRow.name == tenant_name, TenantRow.closed_at.is_(None)))
        role = _role_in(session, user_id, tenant.id) if tenant is not None else None
        if tenant is None or (role is None and not viewer.is_platform_admin):
            raise NotFound(f"There is no tenant {tenant_name} for you.")
        user = session.get_one(UserRow, user_id)
        there = _viewer(user, tenant, role or Role.ADMIN)
        end_sessions(session, user_id, session_id=viewer.session_id)
        new = _start(session, there, address=address, user_agent=user_agent)
        record(session, there, action="enter tenant", noun="account", object_id=user_id)
    live.publish(viewer.tenant, "authz", {"user": user_id})
    return new


def change_password(viewer: Viewer, *, current: str, new: str, address: str, user_agent: str) -> NewSession:
    """Set a new password, knowing the current one; ends all sessions of the person and starts a new one."""
    user_id = _person(viewer)
    with platform_session() as session:
        user = session.get_one(UserRow, user_id)
    if not passwords.is_password(current, user.password_hash):
        raise InvalidInput("current", "is not your password")
    hashed = passwords.hash_password(new)
    with platform_session() as session:
        session.execute(update(UserRow).where(UserRow.id == user_id).values(password_hash=hashed))
        end_sessions(session, user_id)
        started = _start(session, viewer, address=address, user_agent=user_agent)
        record(session, viewer, action="change password", noun="account", object_id=user_id)
    live.publish(viewer.tenant, "authz", {"user": user_id})
    return started


def set_preferences(viewer: Viewer, changes: Mapping[str, str]) -> None:
    """Change what the person likes: `theme`, `density`, `zone`; raises InvalidInput for anything else."""
    user_id = _person(viewer)
    for name, value in changes.items():
        _check_preference(name, value)
    with platform_session() as session:
        user = session.get_one(UserRow, user_id, with_for_update=True)
        before = {name: user.preferences.get(name) for name in changes}
        user.preferences = {**user.preferences, **changes}
        record(session, viewer, action="change", noun="preferences", object_id=user_id, before=before, after=changes)


def end_session(viewer: Viewer, session_id: int) -> None:
    """End one of the person's own sessions; raises NotFound when it is not theirs or has ended."""
    user_id = _person(viewer)
    with platform_session() as session:
        if not end_sessions(session, user_id, session_id=session_id):
            raise NotFound("There is no such session of yours.")
        record(session, viewer, action="end session", noun="account", object_id=session_id)
    live.publish(viewer.tenant, "authz", {"user": user_id})


def _person(viewer: Viewer) -> int:
    if viewer.user_id is None:
        raise Forbidden("Only a person who has signed in has an account.")
    return viewer.user_id


def _first_tenant(session: Session, user: UserRow) -> tuple[TenantRow, str]:
    """Where a person starts: the tenant of their last session, else the oldest membership."""
    last = (
        select(SessionRow.id)
        .where(SessionRow.user_id == user.id, SessionRow.tenant_id == TenantRow.id)
        .order_by(SessionRow.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    found: Any = session.execute(
        select(TenantRow, MembershipRow.role)
        .outerjoin(MembershipRow, (MembershipRow.tenant_id == TenantRow.id) & (MembershipRow.user_id == user.id))
        .where(TenantRow.closed_at.is_(None))
        .where(MembershipRow.role.is_not(None) | (user.is_platform_admin))
        .order_by(last.desc().nulls_last(), MembershipRow.created_at.nulls_last(), TenantRow.id)
        .limit(1)
    ).one_or_none()
    if found is None:
        raise Unauthenticated("This account belongs to no tenant. Ask your administrator.")
    return found[0], found[1] or Role.ADMIN


def _role_in(session: Session, user_id: int, tenant_id: int) -> str | None:
    return session.scalar(
        select(MembershipRow.role).where(MembershipRow.user_id == user_id, MembershipRow.tenant_id == tenant_id)
    )


def _viewer(user: UserRow, tenant: TenantRow, role: str) -> Viewer:
    return Viewer(
        tenant=TenantId(tenant.id),
        tenant_name=tenant.name,
        name=user.name,
        role=role,
        user_id=user.id,
        email=user.email,
        is_platform_admin=user.is_platform_admin,
    )


def _start(session: Session, viewer: Viewer, *, address: str, user_agent: str) -> NewSession:
    secret, csrf_token = start_session(session, _person(viewer), viewer.tenant, address=address, user_agent=user_agent)
    return NewSession(secret, csrf_token)


def _check_preference(name: str, value: str) -> None:
    allowed = {"theme": THEMES, "density": DENSITIES, "zone": ("browser", *available_timezones())}
    if name not in allowed:
        raise InvalidInput(name, "is not a preference")
    if value not in allowed[name]:
        raise InvalidInput(name, f"cannot be {value[:40]}")
