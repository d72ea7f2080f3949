"""The panel that explains one anomaly: what, where, how unusual, why, and what people said of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Any
from urllib.parse import quote, urlencode

from dash import dcc, html
from dash.development.base_component import Component

from app.domain.anomaly.found import Anomaly
from app.domain.anomaly.verdicts import Mark, Verdict
from app.domain.units import format_duration
from app.queries.anomaly_course import Course
from app.ui.components.anomaly_grid import (
    EXPECTED_HELP,
    SCORE_HELP,
    VALUE_HELP,
    VIEW_HELP,
    VIEWS,
    expected_text,
    nearest_text,
    value_text,
)
from app.ui.components.attributes import attrs
from app.ui.components.marks import icon, key_cap

NEAREST_HELP = "The value of the last two weeks that comes nearest to the one measured."
POINTS_HELP = "How many unusual points belong to it, and how long from the first to the last."


def anomaly_detail(
    its: Anomaly,
    course: Course,
    related: Sequence[Anomaly],
    together: Sequence[Component],
    *,
    picture: Component,
    mark: Mark | None,
    alert_id: int | None,
    can_act: bool,
    zone: tzinfo,
) -> list[Component]:
    """The panel's content. `picture` is the chart around it, `together` where the device as a whole will be told."""
    children: list[Component] = [
        _head(its),
        html.H2([html.Span(its.metric, className="mono"), f" {_subject(its)}".rstrip()]),
        *([_actions(mark)] if can_act else []),
        html.Div(its.why, className="alerts-cause"),
        html.H3("Around it"),
        picture,
        _facts(its, mark, alert_id, zone),
        html.Div(_links(its, course), className="row wrap anomalies-links"),
        *_related(related, zone),
        *together,
    ]
    return [html.Div(children, className="alerts-detail-body", tabIndex="0", **attrs({"data-anomaly": str(its.id)}))]


def explore_href(its: Anomaly, course: Course) -> str:
    """The address of the same series and time in Explore."""
    window = course.window
    return "/explore?" + urlencode({"q": course.expr, "from": window.start_ms // 1000, "to": window.end_ms // 1000})


def _head(its: Anomaly) -> Component:
    tone = "critical" if its.score >= 2 else "major" if its.score >= 1 else "unknown"
    return html.Div(
        [
            html.Span(className=f"mark {tone}", **attrs({"aria-hidden": "true"})),
            html.Span(f"Score {its.score:.2f}", className=f"c-{tone} alerts-word", title=SCORE_HELP),
            html.Span(className="grow"),
            _icon_button("link", "Copy link to this anomaly", "copy-link"),
            _icon_button("x", "Close detail", "anomalies-close"),
        ],
        className="row",
    )


def _icon_button(name: str, label: str, action: str) -> Component:
    extra = {"data-action": action, "aria-label": label}
    return html.Button(icon(name), className="btn icon", type="button", title=label, **attrs(extra))


def _actions(mark: Mark | None) -> Component:
    choices = (
        ("circle-check", "Expected", Verdict.EXPECTED, "E", "Normal here: training leaves it out, no alert is kept."),
        ("flame", "Real", Verdict.REAL, "Y", "Detection is right: training keeps it."),
    )
    buttons = [
        html.Button(
            [icon(name), words, key_cap(key)],
            className="btn primary" if mark is not None and mark.verdict is verdict else "btn",
            type="button",
            title=why,
            disabled=mark is not None and mark.verdict is verdict,
            **attrs({"data-action": "anomalies-do", "data-verb": str(verdict)}),
        )
        for name, words, verdict, key, why in choices
    ]
    if mark is not None:
        buttons.append(
            html.Button(
                [icon("undo-2"), "Take back", key_cap("U")],
                className="btn quiet",
                type="button",
                **attrs({"data-action": "anomalies-do", "data-verb": "undo"}),
            )
        )
    return html.Div(buttons, className="row wrap alerts-actions")


def _facts(its: Anomaly, mark: Mark | None, alert_id: int | None, zone: tzinfo) -> Component:
    length = format_duration((its.last_at - its.started_at).total_seconds())
    points = "1 point" if its.points == 1 else f"{its.points} points in {length}"
    rows: list[tuple[str, Any, str]] = [
        ("Look", VIEWS.get(its.view, its.view), VIEW_HELP),
        ("Value", html.Span(value_text(its), className="mono"), VALUE_HELP),
        ("Expected", html.Span(expected_text(its), className="mono"), EXPECTED_HELP),
        ("Nearest past", html.Span(nearest_text(its), className="mono"), NEAREST_HELP),
        ("Worst at", _time(its.peak_at, zone), "When the score was highest."),
        ("Began", _time(its.started_at, zone), "When its first unusual point was measured."),
        ("Points", points, POINTS_HELP),
    ]
    if alert_id is not None:
        link = dcc.Link(f"A-{alert_id}", href=f"/alerts?view=all&sel={alert_id}", className="mono")
        rows.append(("Alert", link, "The alert that a rule raised for it."))
    if mark is not None:
        said = f"{mark.verdict.capitalize()}, by {mark.made_by} {_time(mark.made_at, zone)}"
        moved = {1: "; it made detection less sensitive", -1: "; it made detection more sensitive"}.get(mark.step, "")
        rows.append(("Verdict", said + moved, "What a person said of it, and what that did."))
    return html.Dl(
        [part for name, value, why in rows for part in (html.Dt(name, title=why), html.Dd(value, title=why))],
        className="facts",
    )


def _links(its: Anomaly, course: Course) -> list[Component]:
    link, address = "alerts-explore", explore_href(its, course)
    links: list[Component] = [
        dcc.Link([icon("chart-line"), "Explore"], href=address, id="anomalies-explore", className=link)
    ]
    if its.device:
        address = f"/inventory/{quote(its.device, safe='')}"
        links.append(dcc.Link([icon("server"), its.device], href=address, className=link))
    return links


def _related(related: Sequence[Anomaly], zone: tzinfo) -> list[Component]:
    if not related:
        return []
    rows = [
        html.Li(
            dcc.Link(
                [
                    html.Span(f"{its.score:.1f}", className="mono"),
                    html.Span(f"{its.metric} {its.interface}".strip(), className="cut grow mono"),
                    html.Span(f"{its.peak_at.astimezone(zone):%H:%M}", className="mono t3"),
                ],
                href=f"/anomalies?t=15d&sel={its.id}",
            )
        )
        for its in related
    ]
    return [html.H3("Unusual on the same device then"), html.Ul(rows, className="alerts-related")]


def _subject(its: Anomaly) -> str:
    rest = " ".join(filter(None, (its.device, its.interface)))
    return f"on {rest}" if rest else ""


def _time(moment: datetime, zone: tzinfo) -> str:
    local = moment.astimezone(zone)
    return f"{local:%d %b %H:%M:%S} {local.tzname()}"
