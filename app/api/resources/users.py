"""/api/v1/users: the people of the tenant."""

from __future__ import annotations

import msgspec
from flask import Blueprint, Response

from app.actions import users as actions
from app.api.openapi import Listed, answer, documented, json_body
from app.api.paging import page_of, requested_page
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.access import Person
from app.domain.tenancy import ADMIN, READ, WRITE
from app.errors import InvalidInput
from app.queries import users as queries

blueprint = Blueprint("users", __name__)


class UserIn(msgspec.Struct, forbid_unknown_fields=True):
    """A person to add; without `password` one is made and answered once."""

    email: str
    name: str
    role: str
    password: str | None = None


class UserMade(msgspec.Struct):
    """A person just added."""

    id: int
    email: str
    name: str
    role: str
    password: str | None


class UserChange(msgspec.Struct, forbid_unknown_fields=True):
    """What to change; fields that are left out stay."""

    name: str | None = None
    role: str | None = None
    is_disabled: bool | None = None


class Password(msgspec.Struct, forbid_unknown_fields=True):
    """A new password; null lets us make one."""

    password: str | None = None


@blueprint.get("/api/v1/users")
@documented("List users", answer=Listed[Person])
@guarded(READ, "users")
def list_users() -> Response:
    """A page of people by e-mail."""
    page = requested_page("users")
    people = queries.users(current_viewer(), after=page.after or "", limit=page.limit + 1)
    return answer(page_of("users", people, page, lambda person: person.email))


@blueprint.post("/api/v1/users")
@documented("Add a user", body=UserIn, answer=UserMade, status=201)
@guarded(WRITE, "users")
def create() -> Response:
    """Add a person."""
    body = json_body(UserIn)
    made = actions.create(current_viewer(), email=body.email, name=body.name, role=body.role, password=body.password)
    return answer(UserMade(made.id, body.email.strip().lower(), body.name, body.role, made.password), 201)


@blueprint.get("/api/v1/users/<int:user_id>")
@documented("Get a user", answer=Person)
@guarded(READ, "users")
def get(user_id: int) -> Response:
    """One person."""
    return answer(queries.user(current_viewer(), user_id))


@blueprint.patch("/api/v1/users/<int:user_id>")
@documented("Change a user", body=UserChange, answer=Person)
@guarded(WRITE, "users")
def change(user_id: int) -> Response:
    """Change one thing of a person: each is an action of its own."""
    body = json_body(UserChange)
    viewer = current_viewer()
    if sum(each is not None for each in (body.name, body.role, body.is_disabled)) != 1:
        raise InvalidInput("", "give exactly one of name, role and is_disabled")
    if body.name is not None:
        actions.rename(viewer, user_id, body.name)
    if body.role is not None:
        actions.set_role(viewer, user_id, body.role)
    if body.is_disabled is not None:
        (actions.disable if body.is_disabled else actions.enable)(viewer, user_id)
    return answer(queries.user(viewer, user_id))


@blueprint.post("/api/v1/users/<int:user_id>/password")
@documented("Reset a password", body=Password, answer=Password)
@guarded(ADMIN, "users")
def reset_password(user_id: int) -> Response:
    """Set or make a password; it is answered this once."""
    return answer(Password(actions.reset_password(current_viewer(), user_id, json_body(Password).password)))


@blueprint.delete("/api/v1/users/<int:user_id>")
@documented("Remove a user from the tenant", status=204)
@guarded(WRITE, "users")
def remove(user_id: int) -> Response:
    """Take a person out of the tenant."""
    actions.remove(current_viewer(), user_id)
    return answer(None, 204)
