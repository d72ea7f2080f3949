"""Alerts: the triage list, the detail of one alert beside it, and a key for every verdict."""

from __future__ import annotations

from typing import Any, Final

from dash import dcc, html
from dash.development.base_component import Component

from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.tenancy import READ, WRITE, may
from app.ui.components.alert_detail import comment_box
from app.ui.components.alert_grid import alert_grid
from app.ui.components.attributes import attrs
from app.ui.components.filter_box import filter_box
from app.ui.components.marks import hints, icon

PATH: Final = "/alerts"
TITLE: Final = "Alerts"
SUBTITLE: Final = "Needs action first, newest first"
NEEDS_GRID: Final = True

GRID: Final = "alerts-grid"
CHIPS: Final = "alerts-chips"
TOTAL: Final = "alerts-total"
EMPTY: Final = "alerts-empty"
LATE: Final = "alerts-late"  # says that rules stand still
FILTER: Final = "alerts-filter"
DETAIL: Final = "alerts-detail"
COMMAND: Final = "alerts-command"  # what the keys ask for: {"verb", "ids", "n", ...}
ANSWER: Final = "alerts-answer"  # what became of it, for the script: {"n", "done", "refused"}
PEOPLE: Final = "alerts-people"
COMMENT: Final = "alerts-comment"

SNOOZES: Final = (("15m", "15 min"), ("1h", "1 hour"), ("4h", "4 hours"), ("24h", "1 day"), ("168h", "1 week"))


@guarded(READ, "alerts")
def layout(q: str = "", **_url: str) -> Component:
    """The frame: chips, list, detail, the dialogs of two keys."""
    return html.Div(
        [
            html.Div(
                [
                    html.Div(id=CHIPS, className="alerts-chips row wrap"),
                    html.Div(
                        [
                            filter_box(FILTER, q, class_name="alerts-filter"),
                            html.Span(id="alerts-marked", className="tag hidden", role="status"),
                            html.Span(id=TOTAL, className="t3 num alerts-total"),
                        ],
                        className="end",
                        **attrs({"data-filter": "true"}),
                    ),
                ],
                className="toolbar",
            ),
            html.Div(id=LATE),
            html.Div(
                [
                    html.Div([alert_grid(GRID), html.Div(id=EMPTY, className="alerts-empty")], className="alerts-list"),
                    _detail(can_act=may(current_viewer(), WRITE, "alerts")),
                ],
                className="alerts-split",
            ),
            hints(
                ("J K", "move"),
                ("Enter", "open"),
                ("X", "select"),
                ("A", "acknowledge"),
                ("M", "assign"),
                ("S", "snooze"),
                ("E", "resolve"),
                ("U", "undo"),
                ("F", "filter by device"),
            ),
            html.Div(id="alerts-undo", className="alerts-undo hidden", role="status"),
            _choices("alerts-snooze", "Snooze for", [_snooze(index, *each) for index, each in enumerate(SNOOZES)]),
            _choices("alerts-assign", "Assign to", html.Div(id=PEOPLE)),
            dcc.Store(id=COMMAND),
            dcc.Store(id=ANSWER),
        ],
        className="page fill alerts",
    )


def _detail(*, can_act: bool) -> Component:
    return html.Aside(
        [html.Div(id=DETAIL, className="alerts-detail-fill"), *([comment_box()] if can_act else [])],
        className="alerts-detail",
        **attrs({"aria-label": "Alert detail"}),
    )


def _snooze(index: int, name: str, words: str) -> Component:
    return html.Button(
        [icon("bell-off"), html.Span(words, className="grow"), html.Span(str(index + 1), className="key")],
        className="menu-item",
        type="button",
        **attrs({"data-action": "alerts-snooze", "data-for": name}),
    )


def _choices(id: str, title: str, children: Any) -> Component:
    return html.Dialog(
        [html.Div(title, className="menu-head t3"), html.Div(children)],
        id=id,
        className="alerts-choices",
        **attrs({"aria-label": title}),
    )
