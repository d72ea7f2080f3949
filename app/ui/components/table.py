"""A plain table for up to a few hundred rows; for more, use the grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dash import html
from dash.development.base_component import Component

from app.ui.components.attributes import attrs


@dataclass(frozen=True)
class Column:
    """A heading; `kind` num and mono are set in the number font, num is right-aligned. `about`: a sentence on hover."""

    title: str
    kind: Literal["text", "num", "mono"] = "text"
    width: str = ""
    about: str = ""


def table(
    columns: Sequence[Column], rows: Sequence[Sequence[Any]], *, label: str, ids: Sequence[str] = (), id: str = ""
) -> Component:
    """Rows of texts or components under `columns`. `ids` (same length as rows) become data-id of the rows."""
    head = html.Tr([_heading(column) for column in columns])
    body = [_row(columns, row, ids[index] if ids else "") for index, row in enumerate(rows)]
    extra: dict[str, Any] = {"id": id} if id else {}
    grid = html.Table([html.Thead(head), html.Tbody(body)], className="table", **attrs({"aria-label": label}), **extra)
    # A scroll area that can take focus, so that the arrow keys reach what is below.
    return html.Div(
        grid, className="scroll", tabIndex="0", role="region", **attrs({"aria-label": f"{label}, scroll area"})
    )


def _heading(column: Column) -> Component:
    extra: dict[str, Any] = {"title": column.about} if column.about else {}
    kind = "r" if column.kind == "num" else ""
    return html.Th(column.title, className=kind, scope="col", style=_width(column), **extra)


def _row(columns: Sequence[Column], cells: Sequence[Any], row_id: str) -> Component:
    extra: dict[str, Any] = {"data-id": row_id} if row_id else {}
    return html.Tr(
        [
            html.Td(cell, className={"num": "num r", "mono": "mono", "text": ""}[column.kind])
            for column, cell in zip(columns, cells, strict=True)
        ],
        **extra,
    )


def _width(column: Column) -> dict[str, str]:
    return {"width": column.width} if column.width else {}
