"""Explore: any metric, picked by labels or asked for in PromQL."""

from __future__ import annotations

from typing import Any, Final

import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from app.auth.permissions import guarded
from app.domain.tenancy import READ
from app.queries.explore import AGGREGATIONS, FUNCTIONS
from app.ui.components.attributes import attrs
from app.ui.components.changed_list import changed_panel
from app.ui.components.marks import hints
from app.ui.components.panel import panel
from app.ui.components.point_menu import point_menu
from app.ui.components.tools import copy_link, tool
from app.ui.explore_state import COMPARE, ExploreState
from app.ui.urlstate import Query

PATH: Final = "/explore"
TITLE: Final = "Explore"

METRIC: Final = "explore-metric"
FUNCTION: Final = "explore-function"
FILTERS: Final = "explore-filters"
BY: Final = "explore-by"
AGGREGATION: Final = "explore-aggregation"
TOP: Final = "explore-top"
COMPARED: Final = "explore-compare"
EXPR: Final = "explore-expr"
CHART: Final = "explore-chart"
SERIES: Final = "explore-series"
FOOT: Final = "explore-foot"
PROBLEMS: Final = "explore-problems"
CHANGED: Final = "explore-changed"
CSV: Final = "explore-csv"
DOWNLOAD: Final = "explore-download"


@guarded(READ, "metrics")
def layout(search: str = "", **_url: str) -> Component:
    """The controls in the state of the address; chart and table as skeletons."""
    query = Query.parse(search)
    state = ExploreState.parse(query)
    has_expr = bool(state.question.expr)
    return html.Div(
        [
            html.Div(
                [
                    *_picks(state, query),
                    _actions(has_expr, has_bands=query.get("b") == "1", has_events=query.get("ev") != "0"),
                ],
                className="toolbar explore-bar",
            ),
            _expression(state, is_open=has_expr),
            html.Div(id=PROBLEMS),
            html.Div(
                [
                    panel("Chart", id=CHART, class_name="explore-chart"),
                    panel("Series", id=SERIES, class_name="explore-series"),
                ],
                className="explore-main",
            ),
            changed_panel(CHANGED),
            hints(
                ("Z", "zoom out"),
                ("[ ]", "shift range"),
                ("Space", "pause"),
                ("L", "table"),
                ("C", "compare"),
                ("Y", "scale"),
                ("B", "forecast"),
                ("V", "events"),
                ("M", "mark"),
                ("W", "what changed"),
                ("?", "all shortcuts"),
                right=html.Span(id=FOOT),
            ),
            *point_menu(),
            dcc.Download(id=DOWNLOAD),
        ],
        className="page fill explore" + (" asks" if query.get("w") else ""),
        **attrs({"data-tick-ms": "15000"}),
    )


def _picks(state: ExploreState, query: Query) -> list[Component]:
    question = state.question
    return [
        html.Div(
            [
                _pick("metric", dmc.Select, METRIC, question.metric, [question.metric], width=158, searchable=True),
                _pick("show", dmc.Select, FUNCTION, question.function, _choices(FUNCTIONS), width=84),
                _filters(list(query.all("f"))),
                _pick("by", dmc.MultiSelect, BY, list(question.by), list(question.by), width=110),
                _pick(
                    "with",
                    dmc.Select,
                    AGGREGATION,
                    question.aggregation,
                    list(AGGREGATIONS),
                    width=58,
                    hidden=not question.by,
                ),
            ],
            className="explore-picks" + (" hidden" if question.expr else ""),
            id="explore-picks",
        ),
        _pick("top", dmc.Select, TOP, str(state.top), ["5", "10", "20", "50", "100", "200"], width=48),
        _pick(
            "compare",
            dmc.Select,
            COMPARED,
            state.compare or "none",
            [
                {"value": "none", "label": "nothing"},
                *({"value": key, "label": words} for key, words in COMPARE.items()),
            ],
            width=86,
        ),
    ]


def _pick(
    name: str, kind: Any, id: str, value: Any, data: list[Any], *, width: int, hidden: bool = False, **extra: Any
) -> Component:
    """A grey name and an input without a frame, in one frame."""
    if kind is dmc.Select:
        extra["allowDeselect"] = False
    control = kind(
        id=id,
        value=value,
        data=data,
        variant="unstyled",
        size="xs",
        checkIconPosition="right",
        w=width,
        limit=80,
        maxDropdownHeight=320,
        comboboxProps={"width": "max-content", "position": "bottom-start", "transitionProps": {"duration": 0}},
        **attrs({"aria-label": name.capitalize()}),
        **extra,
    )
    return html.Div(
        [html.Span(name, className="name", **attrs({"aria-hidden": "true"})), control],
        className="pick hidden" if hidden else "pick",
        id=f"{id}-pick",
    )


def _filters(values: list[str]) -> Component:
    control = dmc.TagsInput(
        id=FILTERS,
        value=values,
        data=[],
        variant="unstyled",
        size="xs",
        placeholder="" if values else "label=value",
        w=132,
        limit=60,
        acceptValueOnBlur=True,
        maxDropdownHeight=320,
        comboboxProps={"width": "max-content", "position": "bottom-start", "transitionProps": {"duration": 0}},
        **attrs({"aria-label": "Filter", "data-filter": "true"}),
    )
    return html.Div([html.Span("where", className="name", **attrs({"aria-hidden": "true"})), control], className="pick")


def _actions(has_expr: bool, *, has_bands: bool, has_events: bool) -> Component:
    return html.Div(
        [
            html.Button(
                "PromQL",
                className="btn",
                type="button",
                id="explore-mode",
                **attrs({"data-action": "explore-mode", "aria-pressed": "true" if has_expr else "false"}),
            ),
            tool("zap", "What changed?", "Which series were unusual in this range (W)", action="explore-changed"),
            tool(
                "trending-up",
                "Forecast",
                "What the lines were expected to be and will be (B)",
                action="bands",
                is_on=has_bands,
            ),
            # Narrow screens have the key alone: one button more would take a second line.
            html.Span(
                tool("map-pin", "Events", "What agents told of, as thin lines (V)", action="events", is_on=has_events),
                className="wide-only",
            ),
            copy_link(),
            tool("download", "CSV", "The lines as a file", id=CSV),
        ],
        className="end",
    )


def _expression(state: ExploreState, *, is_open: bool) -> Component:
    return html.Div(
        [
            html.Label("PromQL", htmlFor=EXPR, className="name"),
            dcc.Input(
                id=EXPR,
                type="text",
                value=state.question.expr,
                debounce=True,
                spellCheck=False,
                autoComplete="off",
                placeholder="sum by (site) (rate(ifHCOutOctets[5m])) * 8",
            ),
        ],
        className="explore-expr" + ("" if is_open else " hidden"),
        id="explore-expr-box",
    )


def _choices(functions: Any) -> list[dict[str, str]]:
    return [{"value": name, "label": words} for name, (words, _) in functions.items()]
