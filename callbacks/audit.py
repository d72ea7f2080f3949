"""Admin: the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dash import Dash, dcc, html
from dash.development.base_component import Component

from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.access import AuditEntry
from app.domain.tenancy import READ
from app.errors import InvalidInput
from app.queries import audit
from app.queries.audit import AuditFilter
from app.ui.components.attributes import attrs
from app.ui.components.states import no_match, nothing
from app.ui.components.table import Column, table
from app.ui.zone import current_view
from callbacks.admin import Command, Reply, bind, opened

COLUMNS = [
    Column("When", "mono"),
    Column("Who"),
    Column("Did"),
    Column("To"),
    Column("Change"),
    Column("Request", "mono"),
]
PAGE = 100
FIELDS = ("actor", "action", "noun")


@guarded(READ, "audit")
def show(search: str, _version: int, _refresh: int) -> Component:
    """The newest entries that match `actor`, `action`, `noun` of the address; `before` pages on."""
    view = current_view(search)
    wanted = AuditFilter(actor=view.query.get("actor"), action=view.query.get("action"), noun=view.query.get("noun"))
    before = view.query.get("before")
    found = audit.entries(current_viewer(), wanted, before=int(before) if before.isdigit() else None, limit=PAGE + 1)
    rows = [_row(entry, view.zone) for entry in found[:PAGE]]
    applied = [f"{name} {view.query.get(name)}" for name in FIELDS if view.query.get(name)]
    if not rows:
        body: Component = (
            no_match("entries", applied) if applied else nothing("Nothing was changed yet", icon_name="scroll-text")
        )
    else:
        body = table(COLUMNS, rows, label="Audit log")
    older = []
    if len(found) > PAGE:
        query = view.query.with_({"before": str(found[PAGE - 1].id)})
        older = [
            html.Div(
                dcc.Link("Older entries", href=f"/admin/audit{query}", className="btn"), className="row admin-older"
            )
        ]
    return html.Div([_filters(view.query.get), body, *older], className="scroll")


@guarded(READ, "audit")
def run(command: Command) -> Reply:
    """Check the chain."""
    if command.verb != "verify":
        raise InvalidInput("verb", f"{command.verb!r} is not something that can be done to the audit log")
    check = audit.verify(current_viewer())
    if check.is_intact:
        text = f"All {check.entries:,} entries are as they were written."
        return opened(
            "The chain is intact", html.Div([html.P(text), html.Code(check.last_hash, className="admin-code")])
        )
    text = f"Entry {check.first_bad} is not what was written, or one before it is missing. Compare with a backup."
    return opened("The chain is broken", html.Div(text, className="admin-note"))


def register(dash_app: Dash) -> None:
    """Bind the section."""
    bind(dash_app, "audit", show=show, run=run)


def _filters(value_of: Any) -> Component:
    """A plain GET form: the filter is the address."""
    fields = [
        dcc.Input(name=name, type="text", value=value_of(name), placeholder=name.capitalize(), autoComplete="off")
        for name in FIELDS
    ]
    return html.Form(
        [*fields, html.Button("Filter", className="btn", type="submit")],
        method="GET",
        action="/admin/audit",
        className="admin-filters",
        **attrs({"data-filter": "true", "aria-label": "Filter the audit log"}),
    )


def _row(entry: AuditEntry, zone: Any) -> tuple[object, ...]:
    moment = f"{entry.at.astimezone(zone):%d %b %H:%M:%S}"
    change = _change(entry.before, entry.after)
    return (
        moment,
        entry.actor,
        entry.action,
        f"{entry.noun} {entry.object_id}",
        html.Div(change, className="admin-change", title=change),
        entry.request_id[:12],
    )


def _change(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> str:
    """`role: viewer → analyst; …` of the fields that differ."""
    old, new = before or {}, after or {}
    parts = []
    for name in dict.fromkeys([*old, *new]):
        if old.get(name) == new.get(name):
            continue
        if name in old and name in new:
            parts.append(f"{name}: {old[name]} → {new[name]}")
        else:
            parts.append(f"{name}: {new.get(name, old.get(name))}")
    return "; ".join(parts)
