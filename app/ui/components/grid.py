"""AG Grid in the product's clothes. A page that uses it sets NEEDS_GRID = True, so that its script is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dash_ag_grid as dag
from dash import html
from dash.development.base_component import Component

from app.ui.components.attributes import attrs

OPTIONS: dict[str, Any] = {
    "theme": {"function": "nocTheme(themeQuartz)"},
    "rowHeight": 30,
    "headerHeight": 30,
    "animateRows": False,
    "suppressCellFocus": False,
    "suppressDragLeaveHidesColumns": True,
    "rowSelection": {"mode": "multiRow", "checkboxes": False, "headerCheckbox": False, "enableClickSelection": True},
    "tooltipShowDelay": 400,
    "enableCellTextSelection": True,
    "ensureDomOrder": True,
}
DEFAULT_COLUMN = {"sortable": True, "resizable": True, "minWidth": 60, "suppressMovable": True}


def text_column(field: str, title: str, **extra: Any) -> dict[str, Any]:
    """A column of text."""
    return {"field": field, "headerName": title, **extra}


def mono_column(field: str, title: str, **extra: Any) -> dict[str, Any]:
    """A column of names, addresses or times in the number font."""
    return {"field": field, "headerName": title, "cellClass": "mono", **extra}


def number_column(field: str, title: str, **extra: Any) -> dict[str, Any]:
    """A right-aligned column of numbers; the unit belongs into the title."""
    # cellClass replaces the class that rightAligned adds, so it is named again.
    cell_class = "ag-right-aligned-cell mono"
    return {"field": field, "headerName": title, "type": "rightAligned", "cellClass": cell_class, **extra}


def severity_column(field: str = "severity", title: str = "Sev", **extra: Any) -> dict[str, Any]:
    """Shape and word of a severity, sorted by weight."""
    return {
        "field": field,
        "headerName": title,
        "cellRenderer": "SeverityCell",
        "comparator": {"function": "severityOrder(params.valueA, params.valueB)"},
        "width": 104,
        **extra,
    }


def link_column(field: str, title: str, href: str, **extra: Any) -> dict[str, Any]:
    """Text that opens the address in the row's field `href`."""
    data = {"href": href}
    return {"field": field, "headerName": title, "cellRenderer": "LinkCell", "cellRendererParams": data, **extra}


def grid(
    id: str,
    columns: Sequence[dict[str, Any]],
    rows: Sequence[dict[str, Any]] | None = None,
    *,
    label: str,
    row_id: str = "id",
    options: dict[str, Any] | None = None,
    **extra: Any,
) -> Component:
    """A grid named `label` whose rows are told apart by the field `row_id`; set rowData by callback."""
    return html.Div(
        dag.AgGrid(
            id=id,
            columnDefs=list(columns),
            rowData=None if rows is None else list(rows),
            defaultColDef=DEFAULT_COLUMN,
            getRowId=f"nocRowId(params.data.{row_id})",
            dashGridOptions={**OPTIONS, **(options or {})},
            className="noc-grid",
            style={"height": "100%", "width": "100%"},
            **extra,
        ),
        className="grid-slot",
        role="region",
        **attrs({"aria-label": label}),
    )
