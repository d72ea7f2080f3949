"""What fills the page of anomalies, and what its keys do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
from dash import Dash, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from app.actions import feedback as actions
from app.actions import inference
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.anomaly.found import Anomaly
from app.domain.anomaly.verdicts import Verdict
from app.domain.labels import METRIC
from app.domain.tenancy import READ, WRITE, Viewer, may
from app.domain.units import scale_for
from app.errors import InvalidInput, NotFound, WatchfloorError
from app.figures.ribbon import add_ribbon
from app.figures.theme import token
from app.figures.timeseries import Line, lines, shade
from app.queries import anomalies, anomaly_course, feedback
from app.queries.anomalies import AnomalyFilter
from app.queries.anomaly_course import Course
from app.queries.exclusions import exclusions
from app.ui import shell
from app.ui.clientside import in_browser
from app.ui.components.anomaly_detail import anomaly_detail
from app.ui.components.anomaly_grid import VIEWS, anomaly_rows
from app.ui.components.attributes import attrs
from app.ui.components.chart import chart
from app.ui.components.marks import icon
from app.ui.components.notices import notify
from app.ui.components.states import no_match, nothing, stale
from app.ui.components.table import Column, table
from app.ui.components.together import ask_together, together_block
from app.ui.errors import explain, shown, shown_in_panel
from app.ui.urlstate import Query, View
from app.ui.zone import current_view
from pages import anomalies as ids

MOST_ROWS: Final = 500
MOST_COURSES: Final = 150
MOST_LEFT_OUT: Final = 200
SCORES: Final = ("1", "1.5", "2")
VERDICTS: Final = (("none", "No verdict"), ("expected", "Expected"), ("real", "Real"))
NEAR: Final = timedelta(minutes=15)


def filter_of(view: View) -> AnomalyFilter:
    """The address as a filter: t= or from= and to=, s= (least score), f=metric:…, f=device:…, f=view:…, v=, q=."""
    facets = dict(part.split(":", 1) for part in view.query.all("f") if ":" in part)
    try:
        least = float(view.query.get("s") or 1.0)
    except ValueError:
        least = 1.0
    verdict = view.query.get("v")
    return AnomalyFilter(
        metric=facets.get("metric", ""),
        device=facets.get("device", ""),
        interface=facets.get("interface", ""),
        least_score=least,
        since=_moment(view.window.start_ms),
        until=_moment(view.window.end_ms),
        view=facets.get("view", ""),
        text=view.query.get("q"),
        verdict=verdict if verdict in dict(VERDICTS) else "",
    )


@shown
@guarded(READ, "anomalies")
def show_rows(search: str, _tick: Any, _refresh: int, _answer: Any) -> tuple[Any, ...]:
    """The rows, the chips, the total, what an empty list says, what of the address was wrong, the sensitivity."""
    viewer, view = current_viewer(), current_view(search)
    wanted = filter_of(view)
    found = anomalies.anomalies(viewer, wanted, limit=MOST_ROWS)
    courses = anomaly_course.small_courses(viewer, found[:MOST_COURSES])
    verdicts = feedback.verdicts_on(viewer, [its.id for its in found])
    rows = anomaly_rows(found, courses, verdicts, view.zone)
    more = " or more" if len(found) == MOST_ROWS else ""
    total = f"{len(found):,}{more} in {view.window.words().lower()}"
    empty = None if rows else _empty(view, wanted)
    problems = [stale(text) for text in view.problems]
    return rows, _chips(view, wanted, found), total, empty, problems, _sensitivity(viewer)


@shown_in_panel("Could not open the anomaly")
@guarded(READ, "anomalies")
def show_detail(search: str, _refresh: int, _answer: Any) -> list[Component] | Component:
    """The panel beside the list: the anomaly that `sel` names."""
    viewer, view = current_viewer(), current_view(search)
    chosen = view.query.get("sel")
    if not chosen.isascii() or not chosen.isdigit():
        return nothing("No anomaly chosen", "Move with J and K, or click a row.", icon_name="activity")
    its = anomalies.anomaly(viewer, int(chosen))
    course = anomaly_course.course(viewer, its)
    return anomaly_detail(
        its,
        course,
        anomalies.related(viewer, its, within=NEAR),
        [dcc.Store(id=ids.TOGETHER_OF, data=its.id), html.Div(ask_together(), id=ids.TOGETHER)] if its.device else [],
        picture=_picture(its, course, view),
        mark=feedback.verdicts_on(viewer, [its.id]).get(its.id),
        alert_id=anomalies.alert_of_anomaly(viewer, its) if may(viewer, READ, "alerts") else None,
        can_act=may(viewer, WRITE, "anomalies"),
        zone=view.zone,
    )


@shown_in_panel("Could not look at the device as a whole")
@guarded(READ, "anomalies")
def show_together(clicks: int, anomaly_id: int | None) -> Component | Any:
    """A worker's answer, asked for by a click: how rare the readings of the anomaly's device were together."""
    if not clicks:
        return no_update
    return together_block(inference.together(current_viewer(), anomaly_id or 0))


@shown_in_panel("Could not load what is left out")
@guarded(READ, "anomalies")
def show_left_out(search: str, _answer: Any) -> Component:
    """The stretches of the window that training leaves out: incidents, maintenance, what people said was expected."""
    view = current_view(search)
    start, end = _moment(view.window.start_ms), _moment(view.window.end_ms)
    found = exclusions(current_viewer().tenant, start, end)
    if not found:
        text = "Incidents, maintenance and what people said was expected are listed here."
        return nothing("Training leaves nothing of this time out", text, icon_name="list-filter")
    columns = [
        Column("From", "mono", about="From then on training leaves the series out."),
        Column("To", "mono", about="Until then training leaves the series out."),
        Column("Why", about="An incident, a maintenance, or because somebody said that it was expected."),
        Column("Series", "mono", about="The series, or all of the device or interface."),
        Column("About"),
    ]
    rows = [
        [
            f"{its.start.astimezone(view.zone):%d %b %H:%M}",
            f"{its.end.astimezone(view.zone):%d %b %H:%M}",
            its.kind.capitalize(),
            " ".join(filter(None, (its.labels.get(name, "") for name in (METRIC, "device", "ifName")))),
            its.about,
        ]
        for its in reversed(found[-MOST_LEFT_OUT:])
    ]
    said = f"the newest {MOST_LEFT_OUT} of {len(found):,}" if len(found) > MOST_LEFT_OUT else f"{len(found):,}"
    return html.Div(
        [html.P(f"In {view.window.words().lower()}: {said}", className="t3"), table(columns, rows, label="Left out")]
    )


@shown
@guarded(WRITE, "anomalies")
def run_command(command: Mapping[str, Any] | None) -> dict[str, Any] | Any:
    """Do what a key asked for; the script has shown the effect already and takes it back when it was refused."""
    if not command:
        return no_update
    number = command.get("id")
    try:
        _act(current_viewer(), str(command.get("verb")), int(number or 0))
    except (WatchfloorError, ValueError) as error:
        notify(explain(error), kind="error")
        return {"n": command.get("n"), "done": None}
    return {"n": command.get("n"), "done": number}


def register(dash_app: Dash) -> None:
    """Bind the callbacks of the page."""
    search, refresh, answer = Input(shell.URL, "search"), Input(shell.REFRESH, "data"), Input(ids.ANSWER, "data")
    dash_app.callback(
        Output(ids.GRID, "rowData"),
        Output(ids.CHIPS, "children"),
        Output(ids.TOTAL, "children"),
        Output(ids.EMPTY, "children"),
        Output(ids.PROBLEMS, "children"),
        Output(ids.SENSITIVITY, "children"),
        search,
        Input(shell.TICK, "data"),
        refresh,
        answer,
    )(show_rows)
    dash_app.callback(Output(ids.DETAIL, "children"), search, refresh, answer)(show_detail)
    dash_app.callback(
        Output(ids.TOGETHER, "children"), Input(ids.TOGETHER_ASK, "n_clicks"), State(ids.TOGETHER_OF, "data")
    )(show_together)
    dash_app.callback(Output(ids.LEFT_OUT, "children"), search, answer)(show_left_out)
    dash_app.callback(Output(ids.ANSWER, "data"), Input(ids.COMMAND, "data"), prevent_initial_call=True)(run_command)
    in_browser(dash_app, "anomalies.filter", Input(ids.FILTER, "value"), prevent_initial_call=True)
    in_browser(dash_app, "anomalies.fit", Input(ids.GRID, "rowData"), Input(ids.GRID, "columnState"))


def _act(viewer: Viewer, verb: str, anomaly_id: int) -> None:
    if verb == "undo":
        mark = feedback.verdicts_on(viewer, [anomaly_id]).get(anomaly_id)
        if mark is None:
            raise NotFound("There is no verdict to take back.")
        actions.undo(viewer, mark.id)
    elif verb in set(Verdict):
        actions.mark_anomaly(viewer, anomaly_id, Verdict(verb))
    else:
        raise InvalidInput("verb", f"{verb!r} is not something that can be done")


def _sensitivity(viewer: Viewer) -> Component:
    its = feedback.sensitivity(viewer)
    words = f"boundary {its.boundary:.2f}, from {its.expected} expected and {its.real} real"
    why = (
        "An anomaly begins at this score. A verdict “expected” on one raises it by 5 %, “real” on one near or below it "
        "lowers it by 5 %; it stays between 0.5 and 3."
    )
    return html.Span(words, title=why, className="num")


def _chips(view: View, wanted: AnomalyFilter, found: Sequence[Anomaly]) -> list[Component]:
    least = f"{wanted.least_score:g}"
    chips = [_chip(["Score", f"≥ {score}"], score == least, "data-score", score) for score in SCORES]
    chips.append(html.Span(className="alerts-rule", **attrs({"aria-hidden": "true"})))
    present = dict.fromkeys([*([wanted.view] if wanted.view else []), *sorted({its.view for its in found})])
    chips += [_chip([VIEWS.get(name, name)], name == wanted.view, "data-look", name) for name in present]
    chips.append(html.Span(className="alerts-rule", **attrs({"aria-hidden": "true"})))
    chips += [_chip([words], key == wanted.verdict, "data-verdict", key) for key, words in VERDICTS]
    for part in view.query.all("f"):
        if not part.startswith("view:"):
            chips.append(_chip([part.replace(":", " ", 1), icon("x")], True, "data-drop", part))
    return chips


def _chip(children: Sequence[Any], is_on: bool, attribute: str, key: str) -> Component:
    extra = {"data-action": "anomalies-chip", attribute: key, "aria-pressed": "true" if is_on else "false"}
    return html.Button(
        [html.Span(each) if isinstance(each, str) else each for each in children],
        className="chip",
        type="button",
        **attrs(extra),
    )


def _empty(view: View, wanted: AnomalyFilter) -> Component:
    query: Query = view.query
    applied = [part.replace(":", " ", 1) for part in query.all("f")]
    applied += [f"“{wanted.text}”"] if wanted.text else []
    applied += [f"verdict {wanted.verdict}"] if wanted.verdict else []
    applied += [f"score at least {wanted.least_score:g}"] if wanted.least_score > 1 else []
    if applied:
        clear = html.Button(
            "Clear filters", className="btn", type="button", **attrs({"data-action": "anomalies-clear"})
        )
        return no_match("anomalies", applied, clear=clear)
    text = "Every series is scored once a minute after six hours of learning; what is unusual shows here."
    return nothing("Nothing was unusual", text, icon_name="activity")


def _picture(its: Anomaly, course: Course, view: View) -> Component:
    if not len(course.values):
        return nothing("The samples are gone", "They were kept for a shorter time than the anomaly.")
    unit, factor = anomaly_course.unit_and_factor(its)
    scale = scale_for(float(np.nanmax(np.abs([*course.values, its.value]))) * factor, unit)
    scaled = factor * scale.factor
    line = Line(its.metric, course.ts_ms, course.values * scaled, colour=token("acc"))
    figure = lines([line], window=course.window, zone=view.zone, unit=scale.unit)
    if its.expected_lo is not None and its.expected_hi is not None:
        shade(figure, its.expected_lo * scaled, its.expected_hi * scaled)
    if course.ribbon is not None:
        add_ribbon(figure, course.ribbon, zone=view.zone, height=0.09)
    figure.update_xaxes(nticks=4)
    figure.update_layout(margin={"l": 44, "r": 4, "t": 4, "b": 34})
    label = f"{its.metric} around the anomaly, in {scale.unit or 'its own unit'}; the expected range is shaded"
    return chart("anomalies-picture", figure, label=label, height=190)


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
