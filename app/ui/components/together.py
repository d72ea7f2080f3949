"""What else a device's readings were at the moment of an anomaly, and how much each adds to how rare it was."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from app.domain.anomaly.together import Reading, Together
from app.domain.labels import METRIC
from app.domain.units import format_number
from app.ui.components.marks import icon

ASK = "anomalies-together-ask"
HELP = "How rare all readings of the device were together at that moment; 1.0 is the boundary."
SHARE_HELP = "What this reading adds to how rare the moment was for the whole device."


def ask_together() -> Component:
    """The heading with a button: an answer takes a worker a second or two, too long for every row that is passed by."""
    button = html.Button(
        [icon("layers"), "Which readings made it so?"], id=ASK, className="btn", type="button", title=HELP, n_clicks=0
    )
    return html.Div([html.H3("The device as a whole"), button])


def together_block(its: Together) -> Component:
    """The heading with the score, and the readings that made it, those that added most first."""
    if its.score is None:
        hours = round(its.missing_hours)
        more = f"{hours} more hours of its history are needed." if hours else "It has no readings to compare."
        return html.Div([html.H3("The device as a whole"), html.P(more, className="t3")])
    rare = "rare" if its.score >= 1 else "not rare"
    head = f"All {its.series} readings together were {rare} for it (score {its.score:.2f})."
    return html.Div(
        [
            html.H3("The device as a whole"),
            html.P(head, className="t2", title=HELP),
            html.Ul([_row(reading) for reading in its.readings], className="alerts-related"),
        ]
    )


def _row(reading: Reading) -> Component:
    labels = {name: text for name, text in reading.labels.items() if name not in (METRIC, "device", "site", "role")}
    name = " ".join([reading.labels.get(METRIC, ""), *labels.values()])
    unit = "/s" if reading.is_rate else ""
    value, expected = (
        "—" if its is None else f"{format_number(its)}{unit}" for its in (reading.value, reading.expected)
    )
    side = "above" if reading.deviations > 0 else "below"
    off = f"{value}, where the hour of the day lets expect {expected}: {abs(reading.deviations):.1f} deviations {side}."
    return html.Li(
        html.Div(
            [
                html.Span(f"{reading.share:.0%}", className="mono", title=SHARE_HELP),
                html.Span(name, className="cut grow mono", title=name),
                html.Span(f"{value} / {expected}", className="mono t3"),
            ],
            className="row",
            title=off,
        )
    )
