"""The panel that explains one alert: what, where, since when, why, and what was done about it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Any, Final
from urllib.parse import quote, urlencode

from dash import dcc, html
from dash.development.base_component import Component

from app.domain.alerting.alert import Alert, TimelineEntry
from app.domain.alerting.state import State
from app.domain.anomaly.verdicts import Mark, Verdict
from app.domain.units import format_age, format_number
from app.queries.causes import Related
from app.ui.components.alert_grid import status_of
from app.ui.components.attributes import attrs
from app.ui.components.marks import SEVERITY_WORDS, icon, key_cap, severity_mark, tag

WORDS: Final = {
    "pending": "Seen for the first time",
    "fired": "Raised",
    "resolved": "Resolved",
    "acknowledged": "Acknowledged",
    "unacknowledged": "Acknowledgement taken back",
    "assigned": "Assigned",
    "unassigned": "Taken from its owner",
    "snoozed": "Snoozed",
    "unsnoozed": "Snooze ended",
    "commented": "Comment",
    "sent": "Message sent",
    "failed": "Message failed",
    "suppressed": "No message",
}
MOST_RELATED: Final = 6


def alert_detail(
    alert: Alert,
    entries: Sequence[TimelineEntry],
    related: Related,
    *,
    picture: Component | None,
    can_act: bool,
    now: datetime,
    zone: tzinfo,
    mark: Mark | None = None,
) -> list[Component]:
    """The panel's content.

    `picture` is the chart of the measured value, None where there is none; `mark` what people said of it for training.
    """
    children: list[Component] = [
        _head(alert),
        html.H2(alert.summary or alert.name),
        *([_actions(alert, now)] if can_act and alert.state is not State.RESOLVED else []),
        _facts(alert, now, zone),
        *([_verdict(mark)] if can_act else []),
    ]
    if picture is not None:
        children += [html.H3("Measured value"), picture]
    children += [*_cause(related), *_related(related, now)]
    children += [html.H3("Activity"), _timeline(entries, zone)]
    return [html.Div(children, className="alerts-detail-body", tabIndex="0", **attrs({"data-alert": str(alert.id)}))]


def _head(alert: Alert) -> Component:
    name = str(alert.severity)
    return html.Div(
        [
            severity_mark(name),
            html.Span(SEVERITY_WORDS[name], className=f"c-{name} alerts-word"),
            html.Span(f"A-{alert.id}", className="mono t3"),
            html.Span(className="grow"),
            _icon_button("link", "Copy link to this alert", "copy-link"),
            _icon_button("x", "Close detail", "alerts-close"),
        ],
        className="row",
    )


def _icon_button(name: str, label: str, action: str) -> Component:
    return html.Button(
        icon(name),
        className="btn icon",
        type="button",
        title=label,
        **attrs({"data-action": action, "aria-label": label}),
    )


def _actions(alert: Alert, now: datetime) -> Component:
    status = status_of(alert, now)
    first = (
        ("undo-2", "Unacknowledge", "unack", "") if status == "acknowledged" else ("check", "Acknowledge", "ack", "A")
    )
    snooze = ("bell", "Wake", "unsnooze", "") if status == "snoozed" else ("bell-off", "Snooze", "snooze", "S")
    buttons = [first, ("user-plus", "Assign", "assign", "M"), snooze, ("circle-check", "Resolve", "resolve", "E")]
    return html.Div(
        [
            html.Button(
                [icon(name), words, *([key_cap(key)] if key else [])],
                className="btn primary" if verb == "ack" else "btn",
                type="button",
                **attrs({"data-action": "alerts-do", "data-verb": verb}),
            )
            for name, words, verb, key in buttons
        ],
        className="row wrap alerts-actions",
    )


def _verdict(mark: Mark | None) -> Component:
    """Was it expected or real? What is expected stays out of training."""
    choices = (
        (Verdict.EXPECTED, "Expected", "Normal here: training leaves its time out."),
        (Verdict.REAL, "Real", "The network does this: training keeps its time."),
    )
    buttons = [
        html.Button(
            words,
            className="btn" if mark is None or mark.verdict is not verdict else "btn primary",
            type="button",
            title=why,
            disabled=mark is not None and mark.verdict is verdict,
            **attrs({"data-action": "alerts-do", "data-verb": str(verdict)}),
        )
        for verdict, words, why in choices
    ]
    told = f"{mark.made_by} said" if mark is not None else "For training it was"
    return html.Div([html.Span(told, className="t3"), *buttons], className="row wrap alerts-verdict")


def _facts(alert: Alert, now: datetime, zone: tzinfo) -> Component:
    rows: list[tuple[str, Any]] = []
    if alert.device:
        device = dcc.Link(alert.device, href=f"/inventory/{quote(alert.device, safe='')}", className="mono")
        rows.append(("Device", html.Span([device, html.Span(f" {alert.site}", className="t3")])))
    if alert.interface:
        rows.append(("Interface", html.Span(alert.interface, className="mono")))
    rows.append(("First seen", f"{_time(alert.since, zone)}, {format_age(alert.since, now)} ago"))
    if alert.resolved_at is not None:
        by = f" by {alert.resolved_by}" if alert.resolved_by else ""
        rows.append(("Resolved", f"{_time(alert.resolved_at, zone)}{by}"))
    if alert.value is not None:
        rows.append(("Value", html.Span(format_number(alert.value, digits=4), className="mono")))
    rows.append(
        (
            "Rule" if alert.source == "rule" else f"From {alert.source}",
            html.Span([html.Span(alert.name, className="mono"), " ", tag(alert.alert_class)]),
        )
    )
    if alert.assigned_name:
        rows.append(("Owner", alert.assigned_name))
    if alert.is_snoozed(now) and alert.snoozed_until:
        rows.append(("Snoozed", f"until {_time(alert.snoozed_until, zone)}"))
    if alert.annotations.get("description"):
        rows.append(("About", alert.annotations["description"]))
    return html.Dl([part for name, value in rows for part in (html.Dt(name), html.Dd(value))], className="facts")


def explore_link(expr: str, start_ms: int, end_ms: int) -> Component:
    """A way to the same query in Explore."""
    query = urlencode({"q": expr, "from": start_ms // 1000, "to": end_ms // 1000})
    return dcc.Link([icon("chart-line"), "Open in Explore"], href=f"/explore?{query}", className="alerts-explore")


def _cause(related: Related) -> list[Component]:
    if related.cause is None:
        return []
    return [html.H3("Likely cause"), html.Div(related.cause.sentence, className="alerts-cause")]


def _related(related: Related, now: datetime) -> list[Component]:
    if not related.alerts:
        return []
    rows = [
        html.Li(
            dcc.Link(
                [
                    severity_mark(str(other.severity)),
                    html.Span(other.summary or other.name, className="cut grow"),
                    html.Span(format_age(other.since, now), className="mono t3"),
                ],
                href=f"/alerts?view=all&sel={other.id}",
            )
        )
        for other in related.alerts[:MOST_RELATED]
    ]
    more = len(related.alerts) - MOST_RELATED
    title = f"Near it in time and place ({len(related.alerts)})"
    return [
        html.H3(title),
        html.Ul(
            [*rows, *([html.Li(f"and {more} more", className="t3")] if more > 0 else [])], className="alerts-related"
        ),
    ]


def _timeline(entries: Sequence[TimelineEntry], zone: tzinfo) -> Component:
    items = []
    for entry in reversed(entries):
        words = WORDS.get(entry.kind, entry.kind.capitalize())
        text = f"{words}: {entry.text}" if entry.text and entry.kind == "commented" else f"{words} {entry.text}".strip()
        meta = f"{_time(entry.at, zone)} {entry.actor}".strip()
        items.append(html.Li([text, html.Span(meta, className="meta")]))
    return html.Ul(items, className="timeline")


def comment_box() -> Component:
    """Where one writes a comment; it stands outside the panel's content, so that news do not take the text away."""
    return html.Div(
        [
            html.Label("Comment", htmlFor="alerts-comment", className="sr"),
            dcc.Input(
                id="alerts-comment", type="text", placeholder="Write a comment", autoComplete="off", maxLength=4000
            ),
            html.Button(
                "Comment",
                className="btn",
                type="button",
                id="alerts-comment-send",
                **attrs({"data-action": "alerts-comment"}),
            ),
        ],
        className="row alerts-comment",
        **attrs({"data-enter": "alerts-comment-send"}),
    )


def _time(moment: datetime, zone: tzinfo) -> str:
    local = moment.astimezone(zone)
    return f"{local:%d %b %H:%M:%S} {local.tzname()}"
