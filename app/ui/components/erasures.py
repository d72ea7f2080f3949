"""Erasing a tenant, on the screen: what there is of it before one types its name, and what was left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Final

from dash import html
from dash.development.base_component import Component

from app.queries.erasures import Erasure
from app.ui.components.admin import field, form
from app.ui.components.marks import tag
from app.ui.components.table import Column, table

COLUMNS: Final = [
    Column("Tenant", "mono"),
    Column("Asked for", "mono"),
    Column("By"),
    Column("Before", "num"),
    Column("After", "num"),
    Column("State"),
]


def erase_form(name: str, counts: Mapping[str, int]) -> Component:
    """The dialog: what goes, by table and kind, and the name to type."""
    columns = [Column("What"), Column("There is", "num")]
    rows = [(what.replace("_", " "), f"{count:,}") for what, count in sorted(counts.items())]
    fields = [
        html.P("All of this goes, from the database, the object store and the stream. Nothing comes back."),
        html.Div(table(columns, rows, label=f"What there is of {name}"), className="erase-counts"),
        field("typed", f"Type {name} to erase it", required=True),
    ]
    return form("tenants", "erase", fields, submit="Erase tenant", id=name, danger=True)


def erasures_table(erasures: Sequence[Erasure], zone: tzinfo) -> list[Component]:
    """What was erased, with the counts before and after; nothing when there was none."""
    if not erasures:
        return []
    rows = [
        (
            each.name,
            f"{each.requested_at.astimezone(zone):%d %b %Y %H:%M}",
            each.requested_by,
            html.Span(f"{sum(each.before.values()):,}", title=_words(each.before)),
            html.Span(f"{sum(each.after.values()):,}" if each.finished_at else "", title=_words(each.after)),
            "erased" if each.finished_at else tag("under way"),
        )
        for each in erasures
    ]
    heading = html.Div([html.H3("Erased"), html.Span("rows and objects", className="t2")], className="admin-group")
    return [heading, table(COLUMNS, rows, label="Erased tenants")]


def _words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{what} {count:,}" for what, count in sorted(counts.items()))
