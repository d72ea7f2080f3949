"""Anomalies: what was unusual, how much, and why; with a key for "expected" and one for "real"."""

from __future__ import annotations

from typing import Any, Final

from dash import dcc, html
from dash.development.base_component import Component

from app.auth.permissions import guarded
from app.domain.tenancy import READ
from app.ui.components import together
from app.ui.components.anomaly_grid import anomaly_grid
from app.ui.components.attributes import attrs
from app.ui.components.filter_box import filter_box
from app.ui.components.marks import hints, icon
from app.ui.components.states import loading

PATH: Final = "/anomalies"
TITLE: Final = "Anomalies"
SUBTITLE: Final = "Newest first"
NEEDS_GRID: Final = True

GRID: Final = "anomalies-grid"
CHIPS: Final = "anomalies-chips"
TOTAL: Final = "anomalies-total"
TOTAL_ABOUT: Final = "How many anomalies lie in the chosen time and pass the filters."
EMPTY: Final = "anomalies-empty"
PROBLEMS: Final = "anomalies-problems"
FILTER: Final = "anomalies-filter"
DETAIL: Final = "anomalies-detail"
SENSITIVITY: Final = "anomalies-sensitivity"
TOGETHER: Final = "anomalies-together"
TOGETHER_ASK: Final = together.ASK
TOGETHER_OF: Final = "anomalies-together-of"  # in the detail: the anomaly whose device is looked at as a whole
LEFT_OUT: Final = "anomalies-left-out"
COMMAND: Final = "anomalies-command"  # what a key asks for: {"verb", "id", "n"}
ANSWER: Final = "anomalies-answer"  # what became of it: {"n", "done"}


@guarded(READ, "anomalies")
def layout(q: str = "", **_url: Any) -> Component:
    """The frame: chips, list, detail, and the dialog with what training leaves out."""
    return html.Div(
        [
            html.Div(
                [
                    html.Div(id=CHIPS, className="alerts-chips row wrap"),
                    html.Div(
                        [
                            filter_box(FILTER, q, class_name="alerts-filter"),
                            html.Span(id=TOTAL, className="t3 num alerts-total", title=TOTAL_ABOUT),
                        ],
                        className="end",
                        **attrs({"data-filter": "true"}),
                    ),
                ],
                className="toolbar",
            ),
            html.Div(id=PROBLEMS),
            html.Div(
                [
                    html.Div(
                        [anomaly_grid(GRID), html.Div(id=EMPTY, className="alerts-empty")], className="alerts-list"
                    ),
                    html.Aside(
                        html.Div(loading(), id=DETAIL, className="alerts-detail-fill"),
                        className="alerts-detail",
                        **attrs({"aria-label": "Anomaly detail"}),
                    ),
                ],
                className="alerts-split",
            ),
            hints(
                ("J K", "move"),
                ("Enter", "open"),
                ("E", "expected"),
                ("Y", "real"),
                ("U", "undo"),
                ("F", "filter by device"),
                ("O", "explore"),
                ("L", "left out of training"),
                right=html.Span(id=SENSITIVITY),
            ),
            html.Div(id="anomalies-undo", className="alerts-undo hidden", role="status"),
            _left_out(),
            dcc.Store(id=COMMAND),
            dcc.Store(id=ANSWER),
        ],
        className="page fill alerts anomalies",
        **attrs({"data-tick-ms": "60000"}),
    )


def _left_out() -> Component:
    close = html.Button(
        icon("x"),
        className="btn icon",
        type="button",
        **attrs({"data-action": "anomalies-left-out", "aria-label": "Close"}),
    )
    head = html.Div([html.H2("Left out of training"), html.Span(className="grow"), close], className="row")
    return html.Dialog(
        [head, html.Div(id=LEFT_OUT)],
        id="anomalies-left-out-box",
        className="alerts-choices anomalies-left-out",
        **attrs({"aria-label": "Left out of training"}),
    )
