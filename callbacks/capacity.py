"""What fills Capacity: the list, one thing with where it goes, and how true it was."""

from __future__ import annotations

import csv
import io
from typing import Any, Final

import numpy as np
from dash import Dash, Input, Output, State, html, no_update
from dash.development.base_component import Component

from app.actions import capacity as actions
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.forecast.capacity_plan import HORIZONS, Detail, Item, missing_words, saying
from app.domain.tenancy import READ, WRITE, may
from app.figures.fan import Course, fan_figure
from app.figures.reliability import Compared, reliability_figure
from app.queries import capacity
from app.queries.capacity import CapacityFilter
from app.ui import shell
from app.ui.capacity_state import CapacityState
from app.ui.clientside import in_browser
from app.ui.components import capacity_parts as parts
from app.ui.components.chart import chart
from app.ui.components.notices import notify
from app.ui.components.states import no_match, nothing, stale
from app.ui.csv_cells import harmless
from app.ui.errors import shown, shown_in_panel
from app.ui.urlstate import Query
from pages import capacity as ids

MOST_LISTED: Final = 200
MOST_IN_FILE: Final = 10_000
HISTORY_DAYS: Final = 180


@shown_in_panel("Could not load the list", outputs=3)
@guarded(READ, "capacity")
def show_list(search: str, _refresh: Any) -> tuple[Any, ...]:
    """The list that the address asks for, how many there are, and the kinds to pick from."""
    viewer, state = current_viewer(), CapacityState.parse(Query.parse(search))
    found = capacity.items(viewer, _filter(state), limit=MOST_LISTED)
    counts = capacity.counts(viewer, _filter(state))
    chips = parts.kind_chips(counts, state.kind)
    if not found:
        return _empty(state), "", chips
    count = counts.get(state.kind, 0) if state.kind else sum(counts.values())
    scope = parts.list_scope(len(found), count, capacity.newest_run(viewer))
    return parts.capacity_table(found, ahead=state.ahead, id=ids.TABLE), scope, chips


@shown_in_panel("Could not draw this", outputs=6)
@guarded(READ, "capacity")
def show_chart(search: str, _refresh: Any, address: str) -> tuple[Any, ...]:
    """One thing: its chart, name and facts, whether its threshold can be set, and what was not understood."""
    viewer, state = current_viewer(), CapacityState.parse(Query.parse(search))
    problems = [stale(text) for text in CapacityState.parse(Query.parse(address)).problems]
    item_id = state.item_id
    if item_id is None:
        first = capacity.items(viewer, _filter(state), limit=1)
        if not first:
            return nothing("Nothing to show", icon_name="trending-up"), "", "", [], "btn hidden", problems
        item_id = first[0].id
    detail = capacity.detail(viewer, item_id, threshold=state.threshold, growth=state.growth)
    can_set = may(viewer, WRITE, "capacity") and state.threshold not in (None, detail.item.threshold)
    return (
        _drawn(detail, state),
        parts.title_of(detail.item),
        parts.scope_of(detail.item),
        parts.facts_of(detail),
        "btn" if can_set else "btn hidden",
        problems,
    )


@shown_in_panel("Could not compare", outputs=2)
@guarded(READ, "capacity")
def show_reliability(search: str, _refresh: Any) -> tuple[Any, str]:
    """What was said against what came, as far ahead as the address asks."""
    state = CapacityState.parse(Query.parse(search))
    horizon = max(each for each in HORIZONS if each <= state.ahead)
    found = capacity.reliability(current_viewer(), horizon)
    if not found.count:
        text = f"A forecast of {horizon} days can be judged when they have passed, or as soon as it came true."
        return nothing("Nothing to compare yet", text, icon_name="chart-line"), ""
    figure = reliability_figure([Compared(each.count, each.said, each.came) for each in found.bins])
    sentence = f"Of {found.count} forecasts of {horizon} days, by the chance that was said, how many came true"
    drawn = html.Div(chart("capacity-reliability-graph", figure, label=sentence), className="grow capacity-fill")
    return [drawn, parts.reliability_facts(found)], parts.reliability_scope(found)


@shown
@guarded(WRITE, "capacity")
def save_threshold(_clicks: int, search: str, refreshed: int) -> Any:
    """Give the thing that is shown the threshold that is tried out."""
    viewer, state = current_viewer(), CapacityState.parse(Query.parse(search))
    item_id = state.item_id
    if item_id is None:
        first = capacity.items(viewer, _filter(state), limit=1)
        item_id = first[0].id if first else None
    if item_id is None or state.threshold is None:
        return no_update
    actions.set_threshold(viewer, item_id, state.threshold)
    its = capacity.item(viewer, item_id)
    notify(f"{parts.title_of(its)} counts as full at {state.threshold:g} % from now on.", kind="done")
    return (refreshed or 0) + 1


@shown
@guarded(READ, "capacity")
def save_csv(_clicks: int, search: str) -> Any:
    """The list as a file."""
    state = CapacityState.parse(Query.parse(search))
    text = io.StringIO()
    rows = csv.writer(text)
    names = ("p30", "p90", "p180", "d10", "d50", "d90", "now", "per_week", "threshold", "error", "missing_days")
    rows.writerow(["kind", "device", "object", "purpose", "size", *names, "last_day"])
    for each in capacity.items(current_viewer(), _filter(state), limit=MOST_IN_FILE):
        told = [harmless(word) for word in (each.kind, each.device, each.object, each.note)]
        figures = ["" if (value := getattr(each, name)) is None else round(value, 4) for name in names]
        rows.writerow([*told, each.size, *figures, each.last_day])
    return {"content": text.getvalue(), "filename": "watchfloor-capacity.csv", "type": None, "base64": False}


def register(dash_app: Dash) -> None:
    """Bind the callbacks of Capacity."""
    search, refresh = State(shell.URL, "search"), Input(shell.REFRESH, "data")
    of_list, of_chart = Input(ids.LIST_SEARCH, "data"), Input(ids.CHART_SEARCH, "data")
    in_browser(
        dash_app,
        "capacity.split",
        Output(ids.LIST_SEARCH, "data"),
        Output(ids.CHART_SEARCH, "data"),
        Input(shell.URL, "search"),
        State(ids.LIST_SEARCH, "data"),
        State(ids.CHART_SEARCH, "data"),
    )
    dash_app.callback(
        Output(ids.LIST, "children"),
        Output(f"{ids.LIST}-scope", "children"),
        Output(ids.KINDS, "children"),
        of_list,
        refresh,
        prevent_initial_call=True,  # until the address is split
    )(show_list)
    dash_app.callback(
        Output(ids.CHART, "children"),
        Output(f"{ids.CHART}-title", "children"),
        Output(f"{ids.CHART}-scope", "children"),
        Output(ids.FACTS, "children"),
        Output(ids.SAVE, "className"),
        Output(ids.PROBLEMS, "children"),
        of_chart,
        refresh,
        search,
        prevent_initial_call=True,
    )(show_chart)
    dash_app.callback(
        Output(ids.RELIABILITY, "children"),
        Output(f"{ids.RELIABILITY}-scope", "children"),
        of_list,
        refresh,
        prevent_initial_call=True,
    )(show_reliability)
    dash_app.callback(
        Output(shell.REFRESH, "data", allow_duplicate=True),
        Input(ids.SAVE, "n_clicks"),
        search,
        State(shell.REFRESH, "data"),
        prevent_initial_call=True,
    )(save_threshold)
    dash_app.callback(Output(ids.DOWNLOAD, "data"), Input(ids.CSV, "n_clicks"), search, prevent_initial_call=True)(
        save_csv
    )
    in_browser(dash_app, "capacity.mark", Input(ids.LIST, "children"), Input(ids.CHART_SEARCH, "data"))
    in_browser(
        dash_app,
        "capacity.pick",
        Input(ids.AHEAD_PICK, "value"),
        Input(ids.THRESHOLD, "value"),
        Input(ids.GROWTH, "value"),
        Input(ids.WORDS, "value"),
        prevent_initial_call=True,
    )


def _filter(state: CapacityState) -> CapacityFilter:
    return CapacityFilter(kind=state.kind, words=state.words)


def _empty(state: CapacityState) -> Component:
    filters = [words for words in (state.kind, state.words) if words]
    if filters:
        return no_match("things", filters)
    if capacity.newest_run(current_viewer()) is None:
        text = "The first one is made when the first hours are stored, in some minutes; then there is one every night."
        return nothing("No forecast yet", text, icon_name="trending-up")
    text = "Links need a speed, disks, memory and session tables a size; what is hardly used is left out."
    return nothing("Nothing that fills up", text, icon_name="trending-up")


def _drawn(detail: Detail, state: CapacityState) -> list[Component]:
    """Sentences, then the chart."""
    item, outlook = detail.item, detail.outlook
    figure = fan_figure(_course(detail, state.ahead))
    if outlook is None:
        words = missing_words(item.missing_days)
    else:
        days = (outlook.d10, outlook.d50, outlook.d90)
        words = saying(days, last_day=item.last_day, threshold=detail.threshold)
    said: list[Component] = [html.P(words, className="capacity-says")]
    if state.is_what_if:
        said.append(html.P(_what_if(detail), className="capacity-says t3"))
    if item.is_worse_than_naive:
        said.append(stale(_worse(item)))
    drawn = html.Div(chart("capacity-graph", figure, label=f"{parts.title_of(item)}: {words}"), className="grow")
    return [html.Div(said, className="capacity-words"), drawn]


def _course(detail: Detail, ahead: int) -> Course:
    outlook = detail.outlook
    has_date = outlook is not None and outlook.d50 is not None and 0 < outlook.d50 <= ahead
    return Course(
        last_day=detail.item.last_day,
        daily=detail.daily[-HISTORY_DAYS:],
        weekly=detail.weekly[-HISTORY_DAYS:],
        low90=detail.low90[:ahead],
        low50=detail.low50[:ahead],
        middle=detail.middle[:ahead],
        high50=detail.high50[:ahead],
        high90=detail.high90[:ahead],
        threshold=detail.threshold,
        day=outlook.d50 if outlook is not None and has_date else None,
        callout=parts.callout_of(outlook, detail.item.last_day) if outlook is not None and has_date else "",
        still=float(np.nan_to_num(detail.weekly[-1])) if detail.item.is_worse_than_naive else None,
    )


def _what_if(detail: Detail) -> str:
    changed = []
    if detail.threshold != detail.item.threshold:
        changed.append(f"a threshold of {detail.threshold:g} % instead of {detail.item.threshold:g} %")
    if detail.growth != 1.0:
        changed.append("no growth" if detail.growth == 0 else f"{detail.growth:g} times the growth")
    return f"What if: {' and '.join(changed)}. The list is as things are." if changed else ""


def _worse(item: Item) -> str:
    return (
        "A month ahead, expecting no change (the dotted line) came nearer to what this one did:"
        f" {item.naive_error:.1f} points off on average, the forecast {item.error:.1f}. Take its dates with care."
    )
