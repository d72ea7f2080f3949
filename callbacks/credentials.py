"""Admin: what devices ask for. Nothing here ever shows a secret."""

from __future__ import annotations

from dash import Dash
from dash.development.base_component import Component

from app.actions import credentials as actions
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.clock import utc_now
from app.domain.inventory import CREDENTIAL_KINDS
from app.domain.tenancy import READ, WRITE, may
from app.domain.units import format_age
from app.errors import InvalidInput
from app.queries import credentials
from app.ui.components.admin import action, choice, confirm, field, form, row_actions
from app.ui.components.states import nothing
from app.ui.components.table import Column, table
from callbacks.admin import Command, Reply, bind, done, opened

COLUMNS = [Column("Name"), Column("Kind"), Column("Secret"), Column("Changed"), Column("")]
KINDS = {"snmp_v2c": "SNMP v2c", "snmp_v1": "SNMP v1"}


@guarded(READ, "credentials")
def show(_search: str, _version: int, _refresh: int) -> Component:
    """The credentials, without their secrets."""
    viewer, now = current_viewer(), utc_now()
    found = credentials.credentials(viewer)
    if not found:
        return nothing("No credentials yet", "A device needs one before it can be polled.", icon_name="lock")
    can_change = may(viewer, WRITE, "credentials")
    rows = [
        (
            each.name,
            KINDS.get(each.kind, each.kind),
            "sealed",
            f"{format_age(each.changed_at, now)} ago",
            row_actions(
                *(
                    [
                        action(
                            "credentials", "edit", "Replace", id=each.name, label=f"Replace the secret of {each.name}"
                        ),
                        action(
                            "credentials",
                            "ask-delete",
                            "Delete",
                            id=each.name,
                            kind="danger",
                            label=f"Delete {each.name}",
                        ),
                    ]
                    if can_change
                    else []
                )
            ),
        )
        for each in found
    ]
    return table(COLUMNS, rows, label="Credentials")


@guarded(WRITE, "credentials")
def run(command: Command) -> Reply:
    """Do what a button or form asks."""
    viewer = current_viewer()
    secret = field("community", "Community", type="password", required=True, about="Write-only")
    match command.verb:
        case "new":
            options = [(kind, KINDS.get(kind, kind)) for kind in CREDENTIAL_KINDS]
            fields = [field("name", "Name", required=True), choice("kind", "Kind", options), secret]
            return opened("New credential", form("credentials", "create", fields, submit="Create credential"))
        case "create":
            name = command.text("name")
            actions.create_credential(viewer, name, kind=command.text("kind"), community=command.text("community"))
            return done(f"{name} is stored.")
        case "edit":
            return opened(
                f"New secret for {command.id}", form("credentials", "change", [secret], submit="Replace", id=command.id)
            )
        case "change":
            actions.change_credential(viewer, command.id, community=command.text("community"))
            return done("Replaced; the next poll uses it.")
        case "ask-delete":
            text = f"Devices that use {command.id} are no longer polled."
            return opened("Delete credential", confirm("credentials", "delete", text, submit="Delete", id=command.id))
        case "delete":
            actions.delete_credential(viewer, command.id)
            return done("Deleted.")
    raise InvalidInput("verb", f"{command.verb!r} is not something that can be done to a credential")


def register(dash_app: Dash) -> None:
    """Bind the section."""
    bind(dash_app, "credentials", show=show, run=run)
