"""What Explore draws, and what it offers to pick from."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from dash import Dash, Input, Output, State, html
from dash.development.base_component import Component

from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.clock import now_ms
from app.domain.forecast.families import family_of
from app.domain.labels import value_of
from app.domain.tenancy import READ, WRITE, may
from app.domain.units import Scale, format_number, scale_for, shortened
from app.figures.reduce import min_max
from app.figures.theme import faded, series_colour
from app.figures.timeseries import Band, Line, lines
from app.promql.bare import stored_labels
from app.queries import changed, explore
from app.ui import shell
from app.ui.clientside import in_browser
from app.ui.components import event_marks, expected, point_menu, strip
from app.ui.components.attributes import attrs
from app.ui.components.changed_list import changed_list, scope_of
from app.ui.components.chart import chart
from app.ui.components.states import nothing, stale
from app.ui.components.table import Column, table
from app.ui.csv_cells import harmless
from app.ui.errors import shown, shown_in_panel
from app.ui.explore_state import COMPARE, ExploreState
from app.ui.urlstate import View
from app.ui.zone import current_view
from callbacks import points
from pages import explore as ids

# More lines than this in colour cannot be told apart; with more series the first six are coloured.
MOST_COLOURED: Final = 8
COLOURED_OF_MANY: Final = 6
BUCKETS: Final = 300
MOST_COMPARED: Final = 4


@shown_in_panel("Could not draw this", outputs=7)
@guarded(READ, "metrics")
def draw_chart(search: str, _tick: Any, _refresh: Any) -> tuple[Any, ...]:
    """Chart and series table of the address, the words around them, and what of the address was not understood."""
    view = current_view(search)
    state = ExploreState.parse(view.query)
    problems = [stale(text) for text in (*view.problems, *state.problems)]
    answer = explore.chart_series(current_viewer(), state.question, view.window, top=state.top)
    title = _title(state)
    if not answer.series:
        return _no_series(state, view), "", nothing("No series", ""), "", "", problems, title
    scale = scale_for(_largest(answer), answer.unit)
    coloured = len(answer.series) if len(answer.series) <= MOST_COLOURED else COLOURED_OF_MANY
    figure, most_points = _figure(answer, state, view, scale=scale, coloured=coloured)
    bands = _expected(answer, state, view, factor=scale.factor, coloured=coloured)
    expected.add_to(figure, bands, view, unit=scale.unit)
    devices = {value_of(its.labels, "device") for its in answer.series[:coloured]} - {""}
    event_marks.add_to(figure, current_viewer(), view, devices=sorted(devices))
    _offer_points(figure, answer, scale, coloured)
    words = _scope(answer, scale, coloured)
    sentence = f"{len(answer.series)} series of {answer.expr}; the strongest is {answer.series[0].name}"
    foot = _foot(answer, most_points)
    count = f"{answer.found:,} found" if answer.found > len(answer.series) else f"{answer.found}"
    drawn = expected.under(bands, chart("explore-graph", figure, label=sentence))
    return drawn, words, _series_table(answer, scale, coloured), count, foot, problems, title


@shown_in_panel("Could not rank what changed", outputs=2)
@guarded(READ, "anomalies")
def show_changed(search: str, _refresh: Any) -> tuple[Any, str]:
    """The series that were most unusual in the window that the address asks about; nothing where it asks nothing."""
    view = current_view(search)
    if not view.query.get(strip.ASKED):
        return None, ""
    window = strip.asked_window(view)
    if window is None:
        return stale(f"w: {view.query.get(strip.ASKED)!r} is no window; write w=all or w=<seconds>~<seconds>"), ""
    found = changed.changed(current_viewer(), window)
    return changed_list(found, window, view.zone), scope_of(found, window.words())


@shown
@guarded(READ, "metrics")
def offer_metrics(search: str, _refresh: Any, chosen: str) -> list[str]:
    """The metrics that have samples, and the one that is chosen."""
    view = current_view(search)
    return sorted({*explore.metric_names(current_viewer(), view.window), chosen} - {"", None})


@shown
@guarded(READ, "metrics")
def offer_labels(metric: str, search: str, by: list[str], filters: list[str]) -> tuple[list[str], list[str]]:
    """What the metric can be grouped by and filtered by."""
    view = current_view(search)
    pairs = explore.label_pairs(current_viewer(), metric or "", view.window)
    values = [f"{name}={value}" for name, found in pairs.items() for value in found[:200]]
    return sorted({*pairs, *(by or [])}), [*dict.fromkeys([*values, *(filters or [])])]


@shown
@guarded(READ, "metrics")
def save_csv(_clicks: int, search: str) -> Any:
    """The series that are shown, as a file: one row for each time, one column for each series."""
    view = current_view(search)
    state = ExploreState.parse(view.query)
    answer = explore.chart_series(current_viewer(), state.question, view.window, top=state.top)
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(["time", *(harmless(series.name) for series in answer.series)])
    for index, ms in enumerate(answer.ts_ms):
        moment = datetime.fromtimestamp(ms / 1000, UTC).isoformat().replace("+00:00", "Z")
        rows.writerow([moment, *(_cell(series.values[index]) for series in answer.series)])
    # What dcc.Download takes.
    return {"content": text.getvalue(), "filename": "watchfloor-explore.csv", "type": None, "base64": False}


def register(dash_app: Dash) -> None:
    """Bind the callbacks of Explore."""
    search, refresh = Input(shell.URL, "search"), Input(shell.REFRESH, "data")
    dash_app.callback(
        Output(ids.CHART, "children"),
        Output(f"{ids.CHART}-scope", "children"),
        Output(ids.SERIES, "children"),
        Output(f"{ids.SERIES}-scope", "children"),
        Output(ids.FOOT, "children"),
        Output(ids.PROBLEMS, "children"),
        Output(f"{ids.CHART}-title", "children"),
        search,
        Input(shell.TICK, "data"),
        refresh,
    )(draw_chart)
    dash_app.callback(Output(ids.CHANGED, "children"), Output(f"{ids.CHANGED}-scope", "children"), search, refresh)(
        show_changed
    )
    in_browser(dash_app, "changed.asks", search)
    dash_app.callback(
        Output(ids.METRIC, "data"), State(shell.URL, "search"), Input(shell.REFRESH, "data"), State(ids.METRIC, "value")
    )(offer_metrics)
    dash_app.callback(
        Output(ids.BY, "data"),
        Output(ids.FILTERS, "data"),
        Input(ids.METRIC, "value"),
        State(shell.URL, "search"),
        State(ids.BY, "value"),
        State(ids.FILTERS, "value"),
    )(offer_labels)
    dash_app.callback(
        Output(ids.DOWNLOAD, "data"), Input(ids.CSV, "n_clicks"), State(shell.URL, "search"), prevent_initial_call=True
    )(save_csv)
    in_browser(
        dash_app,
        "explore.pick",
        Input(ids.METRIC, "value"),
        Input(ids.FUNCTION, "value"),
        Input(ids.FILTERS, "value"),
        Input(ids.BY, "value"),
        Input(ids.AGGREGATION, "value"),
        Input(ids.TOP, "value"),
        Input(ids.COMPARED, "value"),
        Input(ids.EXPR, "value"),
        prevent_initial_call=True,
    )
    points.register(dash_app)


def _figure(answer: explore.Answer, state: ExploreState, view: View, *, scale: Scale, coloured: int) -> tuple[Any, int]:
    """The figure, and the most points that a series of it has."""
    drawn: list[Line] = []
    most = 0
    for index, series in enumerate(answer.series):
        ts_ms, values = min_max(answer.ts_ms, series.values * scale.factor, buckets=BUCKETS)
        most = max(most, len(ts_ms))
        colour = series_colour(index) if index < coloured else None
        drawn.append(Line(series.name, ts_ms, values, colour, rank=index))
    if state.compare:
        drawn += _compared(answer, state, view, scale)
    figure = lines(drawn, window=view.window, zone=view.zone, unit=scale.unit, bands=_bands(answer, view, coloured))
    ribbon = strip.of_expression(current_viewer(), answer.expr, view, drawn=[its.labels for its in answer.series])
    strip.add_to(figure, ribbon, view)
    if state.scale == "log":
        figure.update_yaxes(type="log", rangemode="normal")
    elif state.scale == "auto":
        figure.update_yaxes(rangemode="normal")
    return figure, most


def _offer_points(figure: Any, answer: explore.Answer, scale: Scale, coloured: int) -> None:
    """Let points of the lines in colour be clicked, for those who may say something of them."""
    viewer = current_viewer()
    if may(viewer, WRITE, "anomalies") or may(viewer, WRITE, "models"):
        stored = stored_labels(answer.expr, [its.labels for its in answer.series[:coloured]])
        point_menu.offer(figure, stored, step_ms=answer.step_ms, unit=scale.unit)


def _compared(answer: explore.Answer, state: ExploreState, view: View, scale: Scale) -> list[Line]:
    before = explore.earlier(current_viewer(), answer, view.window, state.compare)
    found = []
    for index, series in enumerate(answer.series[:MOST_COMPARED]):
        values = before.get(series.labels)
        colour = series_colour(index)
        if values is not None and colour:
            name = f"{series.name}, {COMPARE[state.compare]}"
            ts_ms, reduced = min_max(answer.ts_ms, values[: len(answer.ts_ms)] * scale.factor, buckets=BUCKETS)
            found.append(Line(name, ts_ms, reduced, faded(colour, 0.75), 1.2, dash="dot"))
    return found


def _expected(
    answer: explore.Answer, state: ExploreState, view: View, *, factor: float, coloured: int
) -> expected.Bands | None:
    """The bands of the lines in colour."""
    wanted = [expected.Wanted(its.name, at, its.labels) for at, its in enumerate(answer.series[:coloured])]
    expr = explore.hourly_expression(state.question, answer.step_ms)
    family = family_of(state.question.expr or state.question.metric)
    return expected.of_lines(current_viewer(), expr, wanted, view, family=family, factor=factor)


def _bands(answer: explore.Answer, view: View, coloured: int) -> list[Band]:
    """Alerts on the devices in colour."""
    viewer = current_viewer()
    devices = {value_of(series.labels, "device") for series in answer.series[:coloured]} - {""}
    if not devices or not may(viewer, READ, "alerts"):
        return []
    now = now_ms()
    return [
        Band(each.start_ms, each.end_ms or now, each.severity, f"A-{each.alert_id} {shortened(each.summary, 44)}")
        for each in explore.alert_annotations(viewer, sorted(devices), view.window, most=3)
    ]


def _title(state: ExploreState) -> str:
    question = state.question
    if question.expr:
        return shortened(question.expr, 60)
    words = explore.FUNCTIONS[question.function][0]
    name = question.metric if question.function == "value" else f"{question.metric}, {words}"
    return f"{name} by {', '.join(question.by)}" if question.by else name


def _scope(answer: explore.Answer, scale: Scale, coloured: int) -> str:
    resolution = _step_words(answer.tier_ms) if answer.tier_ms else "raw"
    parts = [scale.unit, f"a point every {_step_words(answer.step_ms)}", f"resolution: {resolution}"]
    if answer.found > coloured:
        parts.append(f"top {coloured} of {answer.found:,} highlighted")
    return ", ".join(part for part in parts if part)


def _series_table(answer: explore.Answer, scale: Scale, coloured: int) -> Component:
    columns = [
        Column("", width="26px"),
        Column("Series", "mono"),
        Column("Last", "num", about="The newest value in the range that is shown."),
        Column("Min", "num", about="The smallest value of the points that are drawn."),
        Column("Max", "num", about="The largest value of the points that are drawn."),
    ]
    rows = []
    for index, series in enumerate(answer.series):
        known = series.values[np.isfinite(series.values)] * scale.factor
        numbers = (known[-1], known.min(), known.max())
        style = {"background": f"var(--s{index + 1})"} if index < coloured else {}
        rows.append(
            [
                html.I(className="swatch", style=style),
                html.Span(series.name, className="cut series-name", title=series.name),
                *(format_number(float(number)) for number in numbers),
            ]
        )
    return table(columns, rows, label="Series", ids=[str(index) for index in range(len(rows))], id="explore-table")


def _no_series(state: ExploreState, view: View) -> Component:
    if state.question.expr:
        return nothing("No series", "The expression is valid, but nothing matches it in this range.")
    near = explore.nearest_names(current_viewer(), state.question.metric, view.window)
    buttons = [
        html.Button(
            name, className="chip", type="button", **attrs({"data-action": "explore-metric", "data-metric": name})
        )
        for name in near
    ]
    action = html.Div(buttons, className="row wrap") if buttons else None
    filters = f" with {len(state.question.matchers)} filters" if state.question.matchers else ""
    text = "Did you mean one of these?" if near else "Nothing was stored under this name in this range."
    return nothing(f"No series of {state.question.metric}{filters}", text, action=action, icon_name="chart-line")


def _foot(answer: explore.Answer, most_points: int) -> str:
    steps = len(answer.ts_ms)
    if steps > most_points:
        return f"{most_points} points per series after min-max reduction from {steps:,}"
    return f"{steps:,} points per series"


def _largest(answer: explore.Answer) -> float:
    return max(float(np.nanmax(np.abs(series.values))) for series in answer.series)


def _step_words(step_ms: int) -> str:
    seconds = step_ms // 1000
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 86_400:
        return f"{seconds // 60} min" if seconds < 3600 else f"{seconds // 3600} h"
    return f"{seconds // 86_400} d"


def _cell(value: float) -> str:
    return repr(float(value)) if np.isfinite(value) else ""
