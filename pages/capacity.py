"""Capacity: what is full when, as chances and a range of dates, and how true that was until now."""

from __future__ import annotations

from typing import Any, Final

import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from app.auth.permissions import guarded
from app.domain.tenancy import READ
from app.ui.capacity_state import AHEAD, CapacityState
from app.ui.components.attributes import attrs
from app.ui.components.filter_box import filter_box
from app.ui.components.marks import hints
from app.ui.components.panel import panel
from app.ui.components.tools import copy_link, tool
from app.ui.urlstate import Query

PATH: Final = "/capacity"
TITLE: Final = "Capacity"
SUBTITLE: Final = "When things reach their threshold"

AHEAD_PICK: Final = "capacity-ahead"
THRESHOLD: Final = "capacity-threshold"
GROWTH: Final = "capacity-growth"
WORDS: Final = "capacity-words"
KINDS: Final = "capacity-kinds"
SAVE: Final = "capacity-save"
PROBLEMS: Final = "capacity-problems"
CHART: Final = "capacity-chart"
FACTS: Final = "capacity-facts"
LIST: Final = "capacity-list"
TABLE: Final = "capacity-table"
RELIABILITY: Final = "capacity-reliability"
CSV: Final = "capacity-csv"
DOWNLOAD: Final = "capacity-download"
# What of the address each part follows: a change of one does not draw the others anew.
LIST_SEARCH: Final = "capacity-list-search"
CHART_SEARCH: Final = "capacity-chart-search"

THRESHOLDS: Final = (50, 60, 70, 75, 80, 85, 90, 95, 100)
GROWTHS: Final = (0.0, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0)


@guarded(READ, "capacity")
def layout(search: str = "", **_url: str) -> Component:
    """The controls in the state of the address; chart and tables as skeletons."""
    state = CapacityState.parse(Query.parse(search))
    return html.Div(
        [
            dcc.Store(id=LIST_SEARCH),
            dcc.Store(id=CHART_SEARCH),
            html.Div([*_picks(state), _actions()], className="toolbar capacity-bar"),
            html.Div(id=PROBLEMS),
            panel(
                "Capacity",
                id=CHART,
                class_name="capacity-chart",
                actions=[html.Div(id=FACTS, className="capacity-facts")],
            ),
            html.Div(
                [
                    panel("By time to threshold", id=LIST, class_name="capacity-list"),
                    panel("Was it true", id=RELIABILITY, class_name="capacity-reliability"),
                ],
                className="capacity-main",
            ),
            hints(("J K", "move"), ("H", "horizon"), ("/", "filter"), ("R", "refresh"), ("?", "all shortcuts")),
            dcc.Download(id=DOWNLOAD),
        ],
        className="page fill capacity",
    )


def _picks(state: CapacityState) -> list[Component]:
    ahead = [{"value": str(days), "label": f"{days} days"} for days in AHEAD]
    thresholds = sorted({*THRESHOLDS, *([state.threshold] if state.threshold else [])})
    levels = [
        {"value": "set", "label": "as set"},
        *({"value": f"{each:g}", "label": f"{each:g} %"} for each in thresholds),
    ]
    growths = [
        {"value": f"{each:g}", "label": "as now" if each == 1 else "none" if each == 0 else f"{each:g} times"}
        for each in sorted({*GROWTHS, state.growth})
    ]
    return [
        _pick(
            "horizon",
            AHEAD_PICK,
            str(state.ahead),
            ahead,
            width=76,
            about="How many days ahead the chart and the chances reach.",
        ),
        _pick(
            "threshold",
            THRESHOLD,
            f"{state.threshold:g}" if state.threshold else "set",
            levels,
            width=64,
            about="What if this thing counted as full at another share of its size?",
        ),
        _pick(
            "growth",
            GROWTH,
            f"{state.growth:g}",
            growths,
            width=72,
            about="What if it grew so many times as fast as it does?",
        ),
        html.Div(id=KINDS, className="row wrap", role="group", **attrs({"aria-label": "Kind"})),
        html.Div(filter_box(WORDS, state.words, class_name="capacity-filter"), **attrs({"data-filter": "true"})),
    ]


def _pick(name: str, id: str, value: str, data: list[dict[str, str]], *, width: int, about: str) -> Component:
    """A grey name and a select without a frame, in one frame."""
    control: Any = dmc.Select(
        id=id,
        value=value,
        data=data,
        variant="unstyled",
        size="xs",
        allowDeselect=False,
        checkIconPosition="right",
        w=width,
        comboboxProps={"width": "max-content", "position": "bottom-start", "transitionProps": {"duration": 0}},
        **attrs({"aria-label": name.capitalize()}),
    )
    title = html.Span(name, className="name", **attrs({"aria-hidden": "true"}))
    return html.Div([title, control], className="pick", title=about)


def _actions() -> Component:
    return html.Div(
        [
            html.Button(
                "Set this threshold",
                id=SAVE,
                className="btn hidden",
                type="button",
                title="Keeps this threshold for the thing that is shown; it is in the audit log.",
            ),
            copy_link(),
            tool("download", "CSV", "The list as a file", id=CSV),
        ],
        className="end",
    )
