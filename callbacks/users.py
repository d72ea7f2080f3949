"""Admin: people of the tenant."""

from __future__ import annotations

from datetime import datetime

from dash import Dash
from dash.development.base_component import Component

from app.actions import users as actions
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.clock import utc_now
from app.domain.access import Person
from app.domain.tenancy import READ, WRITE, Viewer, may
from app.domain.units import format_age
from app.errors import InvalidInput
from app.queries import roles, users
from app.ui.components.admin import action, choice, confirm, field, form, pair, row_actions, secret_box
from app.ui.components.marks import icon, tag
from app.ui.components.table import Column, table
from callbacks.admin import Command, Reply, bind, done, opened, told

COLUMNS = [
    Column("Name"),
    Column("E-mail", "mono"),
    Column("Role"),
    Column("Last sign-in"),
    Column("State"),
    Column(""),
]


@guarded(READ, "users")
def show(_search: str, _version: int, _refresh: int) -> Component:
    """The people, with what can be done to each."""
    viewer, now = current_viewer(), utc_now()
    can_change = may(viewer, WRITE, "users")
    rows = [_row(viewer, person, now, can_change=can_change) for person in users.users(viewer)]
    return table(COLUMNS, rows, label="Users")


@guarded(WRITE, "users")
def run(command: Command) -> Reply:  # noqa: PLR0911  one branch per command, nothing else
    """Do what a button or form asks."""
    viewer = current_viewer()
    match command.verb:
        case "new":
            return opened("New user", _new_form(viewer))
        case "create":
            made = actions.create(
                viewer, email=command.text("email"), name=command.text("name"), role=command.text("role")
            )
            return _created(command, made)
        case "edit":
            person = users.user(viewer, command.number)
            return opened(person.name, _edit_form(viewer, person))
        case "change":
            return _change(viewer, command)
        case "ask-reset" | "ask-disable" | "ask-remove":
            return _ask(users.user(viewer, command.number), command.verb)
        case "reset":
            person = users.user(viewer, command.number)
            secret = actions.reset_password(viewer, person.id)
            return told("New password", secret_box(f"{person.name}'s new password, shown this once:", secret))
        case "disable":
            actions.disable(viewer, command.number)
            return done("Signed out everywhere and disabled.")
        case "enable":
            actions.enable(viewer, command.number)
            return done("Enabled again.")
        case "remove":
            actions.remove(viewer, command.number)
            return done("Removed from this tenant.")
    raise InvalidInput("verb", f"{command.verb!r} is not something that can be done to a user")


def register(dash_app: Dash) -> None:
    """Bind the section."""
    bind(dash_app, "users", show=show, run=run)


def _row(viewer: Viewer, person: Person, now: datetime, *, can_change: bool) -> tuple[object, ...]:
    seen = f"{format_age(person.signed_in_at, now)} ago" if person.signed_in_at else "never"
    state = "disabled" if person.disabled_at else "active"
    name = [person.name, " ", tag("you")] if person.id == viewer.user_id else person.name
    extra = [" ", tag("platform admin")] if person.is_platform_admin else []
    buttons = []
    if can_change:
        buttons = [
            action("users", "edit", "Edit", id=person.id, label=f"Edit {person.name}"),
            action("users", "ask-reset", icon("key-round"), id=person.id, label=f"Reset the password of {person.name}"),
            action("users", "enable", "Enable", id=person.id)
            if person.disabled_at
            else action("users", "ask-disable", "Disable", id=person.id, kind="danger", label=f"Disable {person.name}"),
        ]
    return name, person.email, [person.role, *extra], seen, state, row_actions(*buttons)


def _role_options(viewer: Viewer) -> list[tuple[str, str]]:
    return [(each.name, each.title or each.name) for each in roles.roles(viewer)]


def _new_form(viewer: Viewer) -> Component:
    fields = [
        field("email", "E-mail", type="email", required=True),
        pair(field("name", "Name", required=True), choice("role", "Role", _role_options(viewer), "analyst")),
    ]
    return form("users", "create", fields, submit="Create user")


def _edit_form(viewer: Viewer, person: Person) -> Component:
    fields = [
        field("name", "Name", person.name, required=True),
        choice("role", "Role", _role_options(viewer), person.role),
        action("users", "ask-remove", "Remove from this tenant", id=person.id, kind="danger"),
    ]
    return form("users", "change", fields, submit="Save", id=person.id)


def _change(viewer: Viewer, command: Command) -> Reply:
    person = users.user(viewer, command.number)
    if command.text("name") != person.name:
        actions.rename(viewer, person.id, command.text("name"))
    if command.text("role") != person.role:
        actions.set_role(viewer, person.id, command.text("role"))
    return done(f"{command.text('name')} is saved.")


def _created(command: Command, made: actions.NewUser) -> Reply:
    if not made.password:
        return done(f"{command.text('email')} had an account already and is in this tenant now.")
    title = f"{command.text('name')} signs in with {command.text('email')} and this password, shown this once:"
    return told("User created", secret_box(title, made.password))


def _ask(person: Person, verb: str) -> Reply:
    what = {
        "ask-reset": ("Reset password", f"{person.name} is signed out everywhere and gets a new password.", "Reset"),
        "ask-disable": ("Disable user", f"{person.name} is signed out everywhere and cannot sign in again.", "Disable"),
        "ask-remove": ("Remove user", f"{person.name} no longer belongs to this tenant.", "Remove"),
    }
    title, text, submit = what[verb]
    return opened(title, confirm("users", verb.removeprefix("ask-"), text, submit=submit, id=person.id))
