"""The popover of a point: which series and moment, how unusual, and what one can say and ask of it.

A chart offers it by offer(); assets/59-points.js opens it, callbacks/points.py fills it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

import plotly.graph_objects as go
from dash import dcc, html
from dash.development.base_component import Component

from app.domain.anomaly.found import Anomaly
from app.domain.anomaly.verdicts import Verdict, step_of
from app.domain.labels import Labels
from app.queries.points import Point
from app.ui.components.attributes import attrs
from app.ui.components.marks import icon

ASKED: Final = "point-asked"  # what is pointed at: {"labels", "name", "ts", "step_ms", "value", "n"}
BODY: Final = "point-body"
COMMAND: Final = "point-command"  # what a button asks for: {"verb", "id", "labels", "ts", "step_ms", "n"}
ANSWER: Final = "point-answer"  # what became of it: {"n", "words", "undo": {"verb", "id"}}
WHY_NOT: Final = (
    "This line is made of several series, so there is no single one to say something of. Ask for a metric without"
    " “by”, or for an expression that adds nothing up."
)
SCORE_ABOUT: Final = (
    "How unusual the most unusual minute of this stretch was; at the boundary or above it is an anomaly."
)
PIN_ABOUT: Final = (
    "Asks for a slower forecaster: after each forecast run, some seconds of a worker go into this one series, and its"
    " forecast is shown where it beats yesterday's values. 50 series at most."
)
_CHOICES: Final = (("circle-check", "Expected", Verdict.EXPECTED), ("flame", "Real", Verdict.REAL))
_SENSITIVITY: Final = {
    1: "detection asks for 5 % more from now on",
    -1: "detection is content with 5 % less from now on",
    0: "detection stays as sensitive as it is",
}


@dataclass(frozen=True)
class Shown:
    """What was pointed at: the line's name, and its value there in words."""

    name: str
    at: datetime
    value: str


def point_menu() -> list[Component]:
    """The popover, its stores, and the strip that takes back; once on a page."""
    close = html.Button(
        icon("x"),
        className="btn icon quiet",
        type="button",
        **attrs({"data-action": "point-close", "aria-label": "Close"}),
    )
    return [
        html.Dialog(
            [close, html.Div(id=BODY, className="point-body")],
            id="point-menu",
            className="point-menu",
            **attrs({"aria-label": "This point"}),
        ),
        html.Div(id="point-ring", className="point-ring hidden", **attrs({"aria-hidden": "true"})),
        html.Div(id="point-undo", className="alerts-undo hidden", role="status"),
        dcc.Store(id=ASKED),
        dcc.Store(id=COMMAND),
        dcc.Store(id=ANSWER),
    ]


def offer(figure: go.Figure, stored: Sequence[Labels | None], *, step_ms: int, unit: str) -> None:
    """Let the points of a chart's lines be clicked; `stored`: by rank, the series that each line is."""
    series = [None if labels is None else dict(labels) for labels in stored]
    figure.update_layout(meta={"points": series, "step_ms": step_ms, "unit": unit})


def no_single(shown: Shown, zone: tzinfo) -> list[Component]:
    """The popover of a line that is made of several series."""
    return [*_head(shown, zone), html.P(WHY_NOT, className="point-why")]


def about_point(its: Point, shown: Shown, zone: tzinfo, *, can_judge: bool, can_pin: bool) -> list[Component]:
    """The popover of a point of one series."""
    judging = [_choice(*each, its, zone) for each in _CHOICES] if can_judge else []
    return [
        *_head(shown, zone),
        _score(its),
        *([_standing(its, can_judge=can_judge)] if its.mark is not None else []),
        html.Div(judging, className="point-choices"),
        *([_pinning(its)] if can_pin else []),
    ]


def _head(shown: Shown, zone: tzinfo) -> list[Component]:
    moment = f"{shown.at.astimezone(zone):%d %b %H:%M:%S}"
    line = [html.B(shown.value, title="The value of the line there."), html.Span(moment, className="t2")]
    return [html.H2(shown.name, title=shown.name), html.P(line, className="row mono")]


def _score(its: Point) -> Component:
    if its.score is None:
        return html.P("Not scored there", className="t3", title="Detection looked at no point of this stretch.")
    words = f"Score {its.score:.2f}, boundary {its.boundary:.2f}"
    if its.anomaly is None:
        return html.P(words, className="num t2", title=SCORE_ABOUT)
    link = dcc.Link("anomaly", href=_anomaly_href(its.anomaly), title="Open it")
    return html.P([words, ", an ", link], className="num t2", title=f"{SCORE_ABOUT} {its.anomaly.why}")


def _standing(its: Point, *, can_judge: bool) -> Component:
    assert its.mark is not None
    undo = _button("undo-2", "Take back", {"data-verb": "undo", "data-id": str(its.mark.id)}, kind="quiet")
    words = html.Span(f"{its.mark.made_by} said {its.mark.verdict}.")
    return html.Div([words, *([undo] if can_judge else [])], className="row point-standing")


def _choice(icon_name: str, words: str, verdict: Verdict, its: Point, zone: tzinfo) -> Component:
    is_said = its.mark is not None and its.mark.verdict is verdict
    button = _button(icon_name, words, {"data-verb": str(verdict)}, kind="primary" if is_said else "", off=is_said)
    return html.Div([button, html.Span(_effect(verdict, its, zone), className="t2")], className="point-choice")


def _effect(verdict: Verdict, its: Point, zone: tzinfo) -> str:
    """What a verdict would do, in one sentence."""
    # One that stands is taken back first.
    steps = its.steps - (its.mark.step if its.mark is not None else 0)
    sensitivity = _SENSITIVITY[step_of(verdict, its.score, steps)]
    start, end = (at.astimezone(zone) for at in (its.start_at, its.end_at))
    form = "%H:%M" if start.date() == end.date() else "%d %b %H:%M"
    first, last = start.strftime(form), end.strftime(form)
    stretch = first if first == last else f"{first} to {last}"
    if verdict is Verdict.REAL:
        return f"Worth knowing: training leaves nothing out for it, and {sensitivity}."
    alert = " raises no alert," if its.anomaly is not None else ""
    return f"Normal here: {stretch}{alert} stays out of training, and {sensitivity}."


def _pinning(its: Point) -> Component:
    if its.pin is not None:
        told = [
            html.Span(f"Forecast by ARIMA, asked for by {its.pin.made_by}. ", className="t2"),
            dcc.Link("Pinned series", href="/admin/models", title="What became of it, and how to unpin it"),
        ]
        return html.Div(html.P(told), className="point-pin")
    button = _button("trending-up", "Forecast this one by ARIMA", {"data-verb": "pin"})
    return html.Div([button, html.Span(PIN_ABOUT, className="t2")], className="point-choice point-pin")


def _button(icon_name: str, words: str, names: Mapping[str, str], *, kind: str = "", off: bool = False) -> Component:
    more: dict[str, Any] = attrs({"data-action": "point-do", **names})
    return html.Button([icon(icon_name), words], className=f"btn {kind}".strip(), type="button", disabled=off, **more)


def _anomaly_href(its: Anomaly) -> str:
    since = its.started_at.astimezone(UTC) - timedelta(hours=1)
    return f"/anomalies?from={since:%Y-%m-%dT%H:%MZ}&sel={its.id}"
