"""/api/v1/credentials: what devices ask for. Secrets go in and never come out."""

from __future__ import annotations

import msgspec
from flask import Blueprint, Response

from app.actions import credentials as actions
from app.api.openapi import Listed, answer, documented, json_body
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.inventory import Credential
from app.domain.tenancy import READ, WRITE
from app.queries import credentials as queries

blueprint = Blueprint("credentials", __name__)


class CredentialIn(msgspec.Struct, forbid_unknown_fields=True):
    """A credential to add; `kind` is snmp_v2c or snmp_v1."""

    name: str
    community: str
    kind: str = "snmp_v2c"


class SecretIn(msgspec.Struct, forbid_unknown_fields=True):
    """The new secret of a credential."""

    community: str


@blueprint.get("/api/v1/credentials")
@documented("List credentials", answer=Listed[Credential])
@guarded(READ, "credentials")
def list_credentials() -> Response:
    """The credentials by name, without their secrets."""
    return answer({"items": queries.credentials(current_viewer()), "next": None})


@blueprint.post("/api/v1/credentials")
@documented("Create a credential", body=CredentialIn, answer=Credential, status=201)
@guarded(WRITE, "credentials")
def create() -> Response:
    """Add a credential."""
    body = json_body(CredentialIn)
    made = actions.create_credential(current_viewer(), body.name, kind=body.kind, community=body.community)
    return answer(made, 201)


@blueprint.patch("/api/v1/credentials/<credential>")
@documented("Replace the secret of a credential", body=SecretIn, answer=Credential)
@guarded(WRITE, "credentials")
def change(credential: str) -> Response:
    """Replace the secret."""
    body = json_body(SecretIn)
    return answer(actions.change_credential(current_viewer(), credential, community=body.community))


@blueprint.delete("/api/v1/credentials/<credential>")
@documented("Delete a credential", status=204)
@guarded(WRITE, "credentials")
def delete(credential: str) -> Response:
    """Remove a credential; its devices are no longer polled."""
    actions.delete_credential(current_viewer(), credential)
    return answer(None, 204)
