"""/api/v1/roles: the permission table of the tenant."""

from __future__ import annotations

import msgspec
from flask import Blueprint, Response

from app.actions import roles as actions
from app.api.openapi import Listed, answer, documented, json_body
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.access import RoleTable
from app.domain.tenancy import READ, WRITE
from app.queries import roles as queries

blueprint = Blueprint("roles", __name__)


class RoleIn(msgspec.Struct, forbid_unknown_fields=True):
    """A role: its title and the (noun, verb) pairs it grants."""

    title: str
    grants: list[tuple[str, str]]


@blueprint.get("/api/v1/roles")
@documented("List roles", answer=Listed[RoleTable])
@guarded(READ, "roles")
def list_roles() -> Response:
    """All roles; a tenant has few, so they are one page."""
    return answer(Listed(queries.roles(current_viewer())))


@blueprint.get("/api/v1/roles/<name>")
@documented("Get a role", answer=RoleTable)
@guarded(READ, "roles")
def get(name: str) -> Response:
    """One role."""
    return answer(queries.role(current_viewer(), name))


@blueprint.put("/api/v1/roles/<name>")
@documented("Make or change a role", body=RoleIn, answer=RoleTable)
@guarded(WRITE, "roles")
def save(name: str) -> Response:
    """Make or replace a role."""
    body = json_body(RoleIn)
    actions.save(current_viewer(), name, title=body.title, grants=body.grants)
    return answer(queries.role(current_viewer(), name))


@blueprint.delete("/api/v1/roles/<name>")
@documented("Delete a role, or reset a built-in one", status=204)
@guarded(WRITE, "roles")
def remove(name: str) -> Response:
    """Delete the tenant's own version."""
    actions.remove(current_viewer(), name)
    return answer(None, 204)
