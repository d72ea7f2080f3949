"""Pinned series on the models page: what auto_arima came to for each, and how one is pinned and let go."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import Any, Final
from urllib.parse import urlencode

from dash import dcc, html
from dash.development.base_component import Component

from app.domain.labels import METRIC, labels_of
from app.promql.bare import selector_of
from app.queries.explore import NAMING
from app.queries.pins import MOST_SERIES, Fit, FitState, PinReport
from app.ui.components.admin import action, field, form, group_heading, row_actions
from app.ui.components.marks import severity_mark, tag
from app.ui.components.states import nothing
from app.ui.components.table import Column, table

NOUN: Final = "models"
MISSING: Final = "–"
COSTS: Final = (
    f"After each forecast run some seconds of a worker go into each pinned series, four minutes at most; {MOST_SERIES}"
    " series at most."
)
_COLUMNS: Final = [
    Column("Series", "mono", about="The series that the pin names; a click shows it with its forecast."),
    Column("State", about="Whether its forecast is ARIMA's now, and if not, why."),
    Column("Error", "num", about="Its error at two past origins in units of seasonal naive's: below 1 it is better."),
    Column("Orders", "mono", about="Autoregressive, differences, moving average; then the same of the day."),
    Column("Fitted", "mono", about="When its orders were searched for; again after every forecast run."),
    Column("Pinned by", about="Who asked for it."),
    Column(""),
]
_STATES: Final = {
    FitState.USED: ("in use", "Its forecast is ARIMA's: its error was smaller than that of yesterday's values."),
    FitState.WORSE: ("not better", "Yesterday's values were as good or better; the forecast of the run is shown."),
    FitState.FAILED: ("no fit", "None of the orders that were tried fits; the forecast of the run is shown."),
    FitState.WAITING: (
        "waits",
        "Its turn comes after a run that forecasts it; one that never changes has no forecast.",
    ),
    FitState.LEFT_OUT: ("left out", f"Only {MOST_SERIES} series are done, those of the oldest pins first."),
}


def pinned_section(pins: Sequence[PinReport], zone: tzinfo, *, can_change: bool) -> list[Component]:
    """The heading and the table, or what stands there while nothing is pinned."""
    ask = [action(NOUN, "ask-pin", "Pin series")] if can_change else []
    about = html.Span("One series, one slow model: where the family's model is not good enough", className="t2")
    heading = group_heading("Pinned series", about, *ask, class_name="storage-group")
    if pins:
        rows = [row for its in pins for row in _rows(its, zone, can_change=can_change)]
        return [heading, table(_COLUMNS, rows, label="Pinned series")]
    text = (
        "Where the usual forecast of a series is poor, a model of its own may do better: click on its line in Explore,"
        " or pin it here."
    )
    return [heading, nothing("No series is pinned", text, icon_name="trending-up")]


def pin_form() -> Component:
    """Asks for a selector."""
    fields = [
        field("selector", "Series", required=True, placeholder='ifHCInOctets{device="core-1", ifName="xe-0"}'),
        html.P(COSTS, className="admin-note"),
    ]
    return form(NOUN, "pin", fields, submit="Pin")


def _rows(its: PinReport, zone: tzinfo, *, can_change: bool) -> list[tuple[Any, ...]]:
    """A row for each series; the pin itself stands at the first."""
    let_go = action(NOUN, "unpin", "Unpin", id=its.id, label=f"Forecast {its.selector} like all others")
    mine = (
        html.Span(its.made_by, title=f"{its.created_at.astimezone(zone):%d %b %H:%M}: {its.selector}"),
        row_actions(*([let_go] if can_change else [])),
    )
    if not its.series:
        gone = html.Span("selects nothing", className="t3", title="No series has these labels.")
        return [(html.Span(its.selector, title=its.selector), gone, MISSING, MISSING, MISSING, *mine)]
    first, *others = its.series
    return [(*_cells(first, zone), *mine), *((*_cells(fit, zone), "", "") for fit in others)]


def _cells(fit: Fit, zone: tzinfo) -> tuple[Any, ...]:
    words, about = _STATES[fit.state]
    state = html.Span([severity_mark("minor"), words], className="sev") if fit.state is FitState.FAILED else tag(words)
    fitted: Any = MISSING
    if fit.fitted_at is not None and fit.made_at is not None:
        run = f"For the forecast run of {fit.made_at.astimezone(zone):%d %b %H:%M}."
        fitted = html.Span(f"{fit.fitted_at.astimezone(zone):%d %b %H:%M}", title=run)
    return (
        dcc.Link(_name(fit), href=_explore(fit), title=selector_of(labels_of(fit.labels))),
        html.Span(state, title=about),
        MISSING if fit.ratio is None else f"{fit.ratio:.2f}×",
        fit.orders or MISSING,
        fitted,
    )


def _name(fit: Fit) -> str:
    return " ".join(filter(None, (fit.labels.get(name, "") for name in (METRIC, *NAMING))))


def _explore(fit: Fit) -> str:
    filters = [("f", f"{name}={value}") for name, value in fit.labels.items() if name != METRIC]
    return "/explore?" + urlencode([("metric", fit.labels.get(METRIC, "")), *filters, ("b", "1")])
