"""A chart: a Plotly graph with the product's behaviour, named for those who cannot see it."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
from dash import dcc, html
from dash.development.base_component import Component

from app.ui.components.attributes import attrs

CONFIG: Any = {
    "displayModeBar": False,
    "responsive": True,
    "doubleClick": "reset",
    "showTips": False,
    "scrollZoom": False,
}


def chart(id: str, figure: go.Figure | None = None, *, label: str, height: int | str = "100%") -> Component:
    """A graph with the id `id`. `label` is the sentence that a screen reader reads in place of the picture."""
    graph: dict[str, Any] = {} if figure is None else {"figure": figure}
    return html.Div(
        dcc.Graph(id=id, config=CONFIG, responsive=True, style={"height": "100%"}, **graph),
        className="chart",
        role="img",
        style={"height": height},
        **attrs({"aria-label": label}),
    )
