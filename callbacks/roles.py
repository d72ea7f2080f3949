"""Admin: roles, and what each may do."""

from __future__ import annotations

from dash import Dash, html
from dash.development.base_component import Component

from app.actions import roles as actions
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.access import RoleTable
from app.domain.tenancy import READ, TABLE_NOUNS, VERBS, WRITE, may
from app.errors import InvalidInput
from app.queries import roles
from app.ui.components.admin import action, confirm, field, form, row_actions, tick
from app.ui.components.marks import tag
from app.ui.components.table import Column, table
from callbacks.admin import Command, Reply, bind, done, opened

COLUMNS = [Column("Role"), Column("Title"), Column("Members", "num"), Column("May"), Column("")]
WORDS = {"*": "everything else"}


@guarded(READ, "roles")
def show(_search: str, _version: int, _refresh: int) -> Component:
    """The roles."""
    viewer = current_viewer()
    can_change = may(viewer, WRITE, "roles")
    rows = [
        (
            [html.Span(role.name, className="mono"), " ", tag("built-in") if role.is_builtin else ""],
            role.title,
            str(role.members),
            html.Div(_summary(role), className="t2 role-summary", title=_summary(role)),
            row_actions(
                *(
                    [action("roles", "edit", "Edit", id=role.name, label=f"Edit role {role.name}")]
                    + (
                        []
                        if role.is_builtin
                        else [action("roles", "ask-remove", "Remove", id=role.name, kind="danger")]
                    )
                    if can_change
                    else []
                )
            ),
        )
        for role in roles.roles(viewer)
    ]
    return table(COLUMNS, rows, label="Roles")


@guarded(WRITE, "roles")
def run(command: Command) -> Reply:
    """Do what a button or form asks."""
    viewer = current_viewer()
    match command.verb:
        case "new":
            return opened("New role", _form(None))
        case "edit":
            return opened(f"Role {command.id}", _form(roles.role(viewer, command.id)))
        case "save":
            name = command.id or command.text("name")
            grants = [tuple(each.split("|", 1)) for each in command.many("grant") if "|" in each]
            pairs = [(noun, verb) for noun, verb in grants]
            actions.save(viewer, name, title=command.text("title"), grants=pairs)
            return done(f"Role {name} is saved; its members sign in again.")
        case "ask-remove":
            text = f"The role {command.id} goes; a built-in role gets its first permissions back."
            return opened("Remove role", confirm("roles", "remove", text, submit="Remove", id=command.id))
        case "remove":
            actions.remove(viewer, command.id)
            return done("Removed.")
    raise InvalidInput("verb", f"{command.verb!r} is not something that can be done to a role")


def register(dash_app: Dash) -> None:
    """Bind the section."""
    bind(dash_app, "roles", show=show, run=run)


def _summary(role: RoleTable) -> str:
    """`write devices, alerts; read all`: the strongest verb of each noun, in few words."""
    strongest: dict[str, list[str]] = {}
    for noun in TABLE_NOUNS:
        held = [verb for verb in VERBS if (noun, verb) in role.grants]
        if held:
            strongest.setdefault(held[-1], []).append(WORDS.get(noun, noun))
    parts = [f"{verb} {', '.join(nouns)}" for verb, nouns in strongest.items()]
    return "; ".join(parts)


def _form(role: RoleTable | None) -> Component:
    held = set(role.grants) if role else {("*", READ)}
    head = html.Tr([html.Th("Noun", scope="col"), *[html.Th(verb, scope="col") for verb in VERBS]])
    body = [
        html.Tr(
            [
                html.Td(WORDS.get(noun, noun)),
                *[
                    html.Td(
                        tick("grant", verb, value=f"{noun}|{verb}", on=(noun, verb) in held, label=f"{verb} {noun}")
                    )
                    for verb in VERBS
                ],
            ]
        )
        for noun in TABLE_NOUNS
    ]
    names = [] if role else [field("name", "Name", about="Small letters; people see the title", required=True)]
    fields = [
        *names,
        field("title", "Title", role.title if role else "", required=True),
        html.Table([html.Thead(head), html.Tbody(body)], className="admin-matrix"),
    ]
    return form("roles", "save", fields, submit="Save role", id=role.name if role else "")
