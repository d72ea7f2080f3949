"""Admin: the tenants of the installation; for platform admins."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from dash import Dash, html
from dash.development.base_component import Component

from app.actions import erasures as erasure_actions
from app.actions import tenants as actions
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.access import Tenant
from app.domain.tenancy import ADMIN, Viewer
from app.errors import InvalidInput
from app.queries import erasures, tenants
from app.ui.components.admin import action, field, form, pair, row_actions
from app.ui.components.erasures import erase_form, erasures_table
from app.ui.components.table import Column, table
from app.ui.zone import current_view
from callbacks.admin import Command, Reply, bind, done, opened

COLUMNS = [
    Column("Name", "mono"),
    Column("Title"),
    Column("Samples/s", "num"),
    Column("Series", "num"),
    Column("Raw kept", "num"),
    Column("Accepts", "text"),
    Column("State"),
    Column(""),
]
LIMITS = (
    ("samples_per_s", "Samples per second", "Above it: 429"),
    ("burst_s", "Burst (seconds)", "So much of the rate may come at once"),
    ("active_series", "Active series", "New ones above it are refused"),
    ("new_series_per_min", "New series a minute", "Above it: 429"),
    ("most_labels", "Labels of a series", "At most 64"),
    ("most_name_chars", "Label name (characters)", "At most 256"),
    ("most_value_chars", "Label value (characters)", "At most 4,096"),
    ("most_body_bytes", "Body of a request (bytes)", "As sent; above it: 413"),
    ("accept_late_s", "Accept late (seconds)", "Older samples are refused"),
    ("accept_ahead_s", "Accept ahead (seconds)", "For clocks that run fast"),
)


@guarded(ADMIN, "tenants")
def show(search: str, _version: int, _refresh: int) -> Component:
    """All tenants."""
    rows = [_row(tenant) for tenant in tenants.tenants(current_viewer())]
    told = erasures_table(erasures.erasures(current_viewer()), current_view(search).zone)
    return html.Div([table(COLUMNS, rows, label="Tenants"), *told], className="scroll")


@guarded(ADMIN, "tenants")
def run(command: Command) -> Reply:
    """Do what a button or form asks."""
    viewer = current_viewer()
    match command.verb:
        case "new":
            fields = [
                pair(
                    field("name", "Name", required=True, about="Small letters, digits, hyphens"),
                    field("title", "Title"),
                ),
                field(
                    "from",
                    "Accept samples from",
                    placeholder="1970-01-01",
                    about="Opens the window for old data; empty: 7 days back",
                ),
            ]
            return opened("New tenant", form("tenants", "create", fields, submit="Create tenant"))
        case "create":
            made = actions.create(
                viewer, command.text("name"), title=command.text("title"), accept_from=_moment(command.text("from"))
            )
            return done(f"{made.name} is made, with the starter rules. Switch to it to add people.")
        case "edit":
            return opened(command.id, _edit_form(tenants.tenant(viewer, command.id)))
        case "change":
            return _change(viewer, command)
        case _:
            return _end(viewer, command)


def _end(viewer: Viewer, command: Command) -> Reply:
    """Close a tenant, and erase it."""
    match command.verb:
        case "ask-close":
            text = f"People and tokens of {command.id} get in no more. Its data stays until it is erased."
            fields = [html.P(text), field("typed", f"Type {command.id} to close it", required=True)]
            return opened(
                "Close tenant", form("tenants", "close-it", fields, submit="Close tenant", id=command.id, danger=True)
            )
        case "close-it":
            if command.text("typed") != command.id:
                raise InvalidInput("name", "is not what you typed")
            actions.close(viewer, command.id)
            return done(f"{command.id} is closed.")
        case "ask-erase":
            return opened(f"Erase {command.id}", erase_form(command.id, erasures.left_of(viewer, command.id)))
        case "erase":
            erasure_actions.begin(viewer, command.id, typed=command.text("typed"))
            return done(f"{command.id} is being erased. R shows how far it is.")
    raise InvalidInput("verb", f"{command.verb!r} is not something that can be done to a tenant")


def register(dash_app: Dash) -> None:
    """Bind the section."""
    bind(dash_app, "tenants", show=show, run=run)


def _row(tenant: Tenant) -> tuple[object, ...]:
    window = f"from {tenant.accept_from:%d %b %Y}" if tenant.accept_from else f"{tenant.accept_late_s // 86_400} d back"
    buttons = (
        [action("tenants", "ask-erase", "Erase", id=tenant.name, kind="danger", label=f"Erase {tenant.name}")]
        if tenant.closed_at
        else [
            action("tenants", "edit", "Settings", id=tenant.name, label=f"Settings of {tenant.name}"),
            action("tenants", "ask-close", "Close", id=tenant.name, kind="danger", label=f"Close {tenant.name}"),
        ]
    )
    return (
        tenant.name,
        tenant.title,
        f"{tenant.samples_per_s:,}",
        f"{tenant.active_series:,}",
        f"{tenant.raw_retention_days} d",
        window,
        "closed" if tenant.closed_at else "open",
        row_actions(*buttons),
    )


def _edit_form(tenant: Tenant) -> Component:
    limits = [field(name, words, getattr(tenant, name), about=about) for name, words, about in LIMITS]
    opened_from = f"{tenant.accept_from:%Y-%m-%d}" if tenant.accept_from else ""
    fields = [
        pair(
            field("title", "Title", tenant.title),
            field("from", "Accept samples from", opened_from, about="Empty: the late window decides"),
        ),
        pair(*limits),
    ]
    return form("tenants", "change", fields, submit="Save", id=tenant.name)


def _change(viewer: Viewer, command: Command) -> Reply:
    changes: dict[str, Any] = {"title": command.text("title"), "accept_from": _moment(command.text("from"))}
    for name, words, _about in LIMITS:
        try:
            changes[name] = int(command.text(name))
        except ValueError:
            raise InvalidInput(words, "is not a whole number") from None
    actions.change(viewer, command.id, changes)
    return done(f"{command.id} is saved.")


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.fromisoformat(f"{text}T00:00:00+00:00" if len(text) == 10 else text)
    except ValueError:
        raise InvalidInput("accept from", f"{text!r} is not a day such as 2026-01-01") from None
