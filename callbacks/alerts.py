"""What fills the triage page, and what its keys do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from dash import Dash, Input, Output, html, no_update
from dash.development.base_component import Component

from app.actions import alerts as actions
from app.actions import feedback as judge
from app.actions.alerts import Outcome
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.clock import utc_now
from app.domain.alerting.alert import Alert, Severity
from app.domain.alerting.state import State as AlertState
from app.domain.anomaly.verdicts import Verdict
from app.domain.tenancy import READ, WRITE, Viewer, may
from app.domain.timerange import duration_ms
from app.domain.units import format_age
from app.errors import InvalidInput, WatchfloorError
from app.figures.theme import token
from app.figures.timeseries import Band, Line, lines
from app.queries import alerts, feedback, rules, triage, users
from app.queries.alerts import AlertFilter
from app.queries.causes import related
from app.ui import shell
from app.ui.clientside import in_browser
from app.ui.components.alert_detail import alert_detail, explore_link
from app.ui.components.alert_grid import alert_rows
from app.ui.components.attributes import attrs
from app.ui.components.chart import chart
from app.ui.components.marks import SEVERITY_WORDS, icon, severity_mark
from app.ui.components.notices import notify
from app.ui.components.states import no_match, nothing, stale
from app.ui.errors import explain, shown, shown_in_panel
from app.ui.urlstate import Query
from app.ui.zone import current_view
from pages import alerts as ids

VIEWS: Final = (
    ("needs", "Needs action", "inbox"),
    ("mine", "Mine", ""),
    ("open", "All open", ""),
    ("snoozed", "Snoozed", ""),
    ("resolved", "Resolved", ""),
)
MOST_ROWS: Final = 5000


def filter_of(query: Query) -> AlertFilter:
    """The address as a filter: view=, f=sev:critical,major, f=site:LON1, f=device:…, q= and sort=."""
    facets = dict(part.split(":", 1) for part in query.all("f") if ":" in part)
    wanted = frozenset(Severity(name) for name in facets.get("sev", "").split(",") if name in set(Severity))
    view = query.get("view", "needs")
    states = {"resolved": {AlertState.RESOLVED}, "all": set(AlertState)}.get(view, {AlertState.FIRING})
    return AlertFilter(
        severities=wanted,
        states=frozenset(states),
        needs_action=view == "needs",
        is_mine=view == "mine",
        is_snoozed=True if view == "snoozed" else None,
        site=facets.get("site", ""),
        device=facets.get("device", ""),
        text=query.get("q"),
        order="newest" if view == "resolved" else "severity",
        limit=500 if view == "resolved" else MOST_ROWS,
    )


@shown
@guarded(READ, "alerts")
def show_rows(
    search: str, _live: Any, _refresh: int, _answer: Any
) -> tuple[list[dict[str, Any]], list[Component], str, Component | None, Component | None]:
    """The rows, the chips with their counts, the total, what an empty list says, and what late rules do."""
    viewer, query, now = current_viewer(), Query.parse(search), utc_now()
    filters = filter_of(query)
    rows = alert_rows(alerts.open_alerts(viewer, filters), now)
    counts = alerts.triage_counts(viewer)
    total = f"{counts['firing']:,} open, {counts['needs_action']:,} need action"
    empty = None if rows else _empty(query, filters, counts)
    since = rules.late_since(viewer, now=now)
    late = (
        stale(f"Rules have not been evaluated for {format_age(since, now)}: the list may miss trouble.")
        if since
        else None
    )
    return rows, _chips(viewer, query, counts), total, empty, late


@shown_in_panel("Could not open the alert")
@guarded(READ, "alerts")
def show_detail(search: str, _live: Any, _refresh: int, _answer: Any) -> list[Component] | Component:
    """The panel beside the list: the alert that `sel` names."""
    viewer, view = current_viewer(), current_view(search)
    chosen = view.query.get("sel").removeprefix("A-")
    if not chosen.isdigit():
        return nothing("No alert chosen", "Move with J and K, or click a row.", icon_name="siren")
    alert = alerts.alert(viewer, int(chosen))
    return alert_detail(
        alert,
        alerts.timeline(viewer, alert.id),
        related(viewer, alert.id),
        picture=_picture(viewer, alert, view.zone),
        can_act=may(viewer, WRITE, "alerts"),
        now=utc_now(),
        zone=view.zone,
        mark=feedback.verdict_on_alert(viewer, alert.id) if may(viewer, READ, "anomalies") else None,
    )


@shown
@guarded(READ, "alerts")
def show_people(_path: str) -> list[Component]:
    """Whom an alert can be given to; oneself first."""
    viewer = current_viewer()
    people = sorted(users.names(viewer), key=lambda each: each[0] != viewer.user_id)
    entries = [(str(key), f"{name} (me)" if key == viewer.user_id else name) for key, name in people]
    return [
        html.Button(
            [icon("user"), html.Span(words, className="grow")],
            className="menu-item",
            type="button",
            **attrs({"data-action": "alerts-assign", "data-user": key}),
        )
        for key, words in [*entries, ("", "Nobody")]
    ]


@shown
@guarded(WRITE, "alerts")
def run_command(command: Mapping[str, Any] | None) -> dict[str, Any] | Any:
    """Do what a key asked for; the script has already shown the effect and takes it back for what was refused."""
    if not command:
        return no_update
    try:
        outcome = _act(current_viewer(), command)
    except WatchfloorError as error:
        # An answer all the same: it makes the list read again, which brings back what the script took away.
        notify(explain(error), kind="error")
        return {"n": command.get("n"), "done": [], "refused": command.get("ids", [])}
    for refusal in outcome.refused:
        notify(f"A-{refusal.alert_id}: {refusal.reason}", kind="error")
    refused = [refusal.alert_id for refusal in outcome.refused]
    return {"n": command.get("n"), "done": list(outcome.done), "refused": refused}


def register(dash_app: Dash) -> None:
    """Bind the callbacks of the triage page."""
    changes = (
        Input(shell.URL, "search"),
        Input(shell.LIVE, "data"),
        Input(shell.REFRESH, "data"),
        Input(ids.ANSWER, "data"),
    )
    dash_app.callback(
        Output(ids.GRID, "rowData"),
        Output(ids.CHIPS, "children"),
        Output(ids.TOTAL, "children"),
        Output(ids.EMPTY, "children"),
        Output(ids.LATE, "children"),
        *changes,
    )(show_rows)
    dash_app.callback(Output(ids.DETAIL, "children"), *changes)(show_detail)
    dash_app.callback(Output(ids.PEOPLE, "children"), Input(shell.URL, "pathname"))(show_people)
    dash_app.callback(Output(ids.ANSWER, "data"), Input(ids.COMMAND, "data"), prevent_initial_call=True)(run_command)
    in_browser(dash_app, "alerts.filter", Input(ids.FILTER, "value"), prevent_initial_call=True)
    in_browser(dash_app, "alerts.fit", Input(ids.GRID, "rowData"), Input(ids.GRID, "columnState"))


def _act(viewer: Viewer, command: Mapping[str, Any]) -> Outcome:
    numbers = [int(each) for each in command.get("ids", [])]
    verbs: dict[str, Callable[[], Outcome]] = {
        "ack": lambda: actions.acknowledge(viewer, numbers, note=str(command.get("note", ""))),
        "unack": lambda: actions.unacknowledge(viewer, numbers),
        "snooze": lambda: actions.snooze(viewer, numbers, until=_until(str(command.get("for", "")))),
        "unsnooze": lambda: actions.unsnooze(viewer, numbers),
        "assign": lambda: actions.assign(viewer, numbers, user_id=_user(command.get("user"))),
        "resolve": lambda: actions.resolve(viewer, numbers),
        "expected": lambda: _judge(viewer, numbers, Verdict.EXPECTED),
        "real": lambda: _judge(viewer, numbers, Verdict.REAL),
        "unjudge": lambda: _unjudge(viewer, numbers),
        "comment": lambda: actions.comment(viewer, numbers[0], str(command.get("text", ""))),
    }
    verb = str(command.get("verb"))
    if verb not in verbs or not numbers:
        raise InvalidInput("verb", f"{verb!r} with {len(numbers)} alerts is not something that can be done")
    return verbs[verb]()


def _judge(viewer: Viewer, numbers: Sequence[int], verdict: Verdict) -> Outcome:
    for number in numbers:
        judge.mark_alert(viewer, number, verdict)
    return Outcome(tuple(numbers))


def _unjudge(viewer: Viewer, numbers: Sequence[int]) -> Outcome:
    for number in numbers:
        mark = feedback.verdict_on_alert(viewer, number)
        if mark is not None:
            judge.undo(viewer, mark.id)
    return Outcome(tuple(numbers))


def _until(length: str) -> Any:
    return utc_now() + timedelta(milliseconds=duration_ms(length))


def _user(value: Any) -> int | None:
    return int(value) if value not in (None, "") else None


def _chips(viewer: Viewer, query: Query, counts: Mapping[str, int]) -> list[Component]:
    by_severity = alerts.counts(viewer)
    wanted = filter_of(query).severities
    chips = [
        _chip([severity_mark(name), SEVERITY_WORDS[name]], f"{number:,}", name in wanted, "data-severity", str(name))
        for name, number in by_severity.items()
        if number or name != Severity.UNKNOWN
    ]
    view = query.get("view", "needs")
    numbers = {
        "needs": counts["needs_action"],
        "mine": counts["mine"],
        "open": counts["firing"],
        "snoozed": counts["snoozed"],
    }
    chips.append(html.Span(className="alerts-rule", **attrs({"aria-hidden": "true"})))
    chips += [
        _chip(
            [*([icon(name)] if name else []), words],
            f"{numbers[key]:,}" if numbers.get(key) else "",
            view == key,
            "data-view",
            key,
        )
        for key, words, name in VIEWS
    ]
    for part in query.all("f"):
        if not part.startswith("sev:"):
            chips.append(_chip([part.replace(":", " ", 1), icon("x")], "", True, "data-drop", part))
    return chips


def _chip(children: Sequence[Any], value: str, is_on: bool, attribute: str, key: str) -> Component:
    extra = {"data-action": "alerts-chip", attribute: key, "aria-pressed": "true" if is_on else "false"}
    number = [html.Span(value, className="value")] if value else []
    return html.Button([*children, *number], className="chip", type="button", **attrs(extra))


def _empty(query: Query, filters: AlertFilter, counts: Mapping[str, int]) -> Component:
    applied = [part.replace(":", " ", 1) for part in query.all("f")] + ([f"“{filters.text}”"] if filters.text else [])
    if applied:
        clear = html.Button("Clear filters", className="btn", type="button", **attrs({"data-action": "alerts-clear"}))
        return no_match("alerts", applied, clear=clear)
    show = html.Button(
        "Show all open", className="btn", type="button", **attrs({"data-action": "alerts-chip", "data-view": "open"})
    )
    match query.get("view", "needs"):
        case "needs":
            rest = counts["firing"]
            text = (
                f"You are caught up. {rest:,} alerts are acknowledged, assigned or snoozed."
                if rest
                else "Nothing is firing."
            )
            return nothing("Nothing needs action", text, action=show if rest else None)
        case "mine":
            return nothing("Nothing is assigned to you", "M gives an alert to you or a colleague.", action=show)
        case "snoozed":
            return nothing("Nothing is snoozed", "S puts an alert out of sight for a while.", action=show)
        case "resolved":
            return nothing("Nothing has been resolved yet", "Ended alerts stay here with their timeline.", action=show)
    return nothing("No alert is open", "All rules are quiet.")


def _picture(viewer: Viewer, alert: Alert, zone: Any) -> Component | None:
    found = triage.measured(viewer, alert)
    if found is None:
        return None
    series = [Line(alert.name, found.ts_ms, found.values, colour=token("acc"), fill=True)]
    if found.limit is not None:
        flat = found.values * 0 + found.limit
        series.append(Line("threshold", found.ts_ms, flat, colour=token("t3"), width=1.2, dash="dot"))
    began = int(alert.active_at.timestamp() * 1000)
    ended = int(alert.resolved_at.timestamp() * 1000) if alert.resolved_at else found.window.end_ms
    band = Band(began, ended, str(alert.severity), "")
    figure = lines(series, window=found.window, zone=zone, bands=[band])
    figure.update_xaxes(nticks=4)
    figure.update_layout(margin={"l": 40, "r": 4, "t": 4, "b": 34})
    words = f"The value that {alert.name} measures, around the beginning of the alert"
    link = explore_link(found.expr, found.window.start_ms, found.window.end_ms)
    return html.Div([chart("alerts-picture", figure, label=words, height=150), link])
