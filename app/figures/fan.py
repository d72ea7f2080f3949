"""A figure that grows towards its threshold: days so far, where it goes, and the date on which it is full."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go

from app.domain.samples import Float64s
from app.figures.theme import base_figure, faded, token

DAY_MS: Final = 86_400_000
# Percent above the highest of what is shown.
_HEADROOM: Final = 4.0


@dataclass(frozen=True)
class Course:
    """What is drawn, per cent. `daily`, `weekly` (t,) up to `last_day`; the other lines (h,) from the day after it.

    `callout`: the date on which it is likely full and what stands beside it; `day`: which of the coming days that is.
    `still`: a line that stays where it is, drawn where that was nearer to the truth.
    """

    last_day: date
    daily: Float64s
    weekly: Float64s
    low90: Float64s
    low50: Float64s
    middle: Float64s
    high50: Float64s
    high90: Float64s
    threshold: float
    day: float | None = None
    callout: str = ""
    still: float | None = None


def fan_figure(course: Course) -> go.Figure:
    """History, bands of 50 and 90 %, threshold, today, and one callout."""
    figure = base_figure()
    origin = _ms(course.last_day)
    past = origin - DAY_MS * np.arange(len(course.daily) - 1, -1, -1)
    figure.add_trace(_line("Daily p95", past, course.daily, token("t3", 0.6), width=1.0))
    if len(course.middle):
        figure.add_traces(_bands(course, origin))
    figure.add_trace(_line("Weekly p95", past, course.weekly, token("acc"), width=2.2))
    if course.still is not None and len(course.middle):
        ends = origin + DAY_MS * np.array([0, len(course.middle)])
        figure.add_trace(_line("No change", ends, np.full(2, course.still), token("t3"), width=1.2, dash="dot"))
    low, high = _range(course)
    _marks(figure, course, origin, float(past[0]) if len(past) else origin)
    figure.update_layout(
        showlegend=True,
        legend={"traceorder": "normal"},
        margin={"t": 40, "l": 48, "r": 14},
        xaxis={"type": "date", "hoverformat": "%a %d %b %Y", "nticks": 9, "tickformat": "%b\n%Y", "tickangle": 0},
        yaxis={"range": [low, high], "ticksuffix": " %", "hoverformat": ".1f"},
        uirevision="keep",
        meta="own names",  # where there is no room for a legend its notes stay
    )
    return figure


def _bands(course: Course, origin: float) -> list[go.Scatter]:
    """The bands as filled shapes, then the middle; the bands begin where the weekly line ends."""
    known = course.weekly[np.isfinite(course.weekly)]
    begin = known[-1:] if len(known) else course.middle[:1]
    ahead = origin + DAY_MS * np.arange(len(course.middle) + 1)
    colour = token("acc")
    traces = []
    for name, low, high, opacity in (
        ("90 % interval", course.low90, course.high90, 0.13),
        ("50 % interval", course.low50, course.high50, 0.24),
    ):
        lower, upper = np.concatenate([begin, low]), np.concatenate([begin, high])
        traces.append(
            go.Scatter(
                x=np.concatenate([ahead, ahead[::-1]]),
                y=np.concatenate([upper, lower[::-1]]),
                name=name,
                mode="lines",
                line={"width": 0},
                fill="toself",
                fillcolor=faded(colour, opacity),
                hoverinfo="skip",
            )
        )
    middle = np.concatenate([begin, course.middle])
    ranges = np.stack([np.concatenate([begin, line]) for line in (course.low90, course.high90)], axis=1)
    traces.append(
        go.Scatter(
            x=ahead,
            y=middle,
            name="Forecast",
            mode="lines",
            line={"color": colour, "width": 2.0, "dash": "dash"},
            customdata=ranges.round(1),
            hovertemplate="%{y:.1f} %, 90 %: %{customdata[0]} to %{customdata[1]} %<extra>Forecast</extra>",
        )
    )
    return traces


def _marks(figure: go.Figure, course: Course, origin: float, first: float) -> None:
    figure.add_hline(y=course.threshold, line={"color": token("major"), "width": 1.6})
    figure.add_annotation(
        x=first,
        xanchor="left",
        xshift=14,
        y=course.threshold,
        yanchor="bottom",
        text=f"Threshold {course.threshold:g} %",
        showarrow=False,
        font={"size": 11, "color": token("major")},
    )
    if not len(course.middle):
        return
    figure.add_vline(x=origin, line={"color": token("line2"), "width": 1})
    figure.add_annotation(
        x=origin,
        xanchor="center",
        y=1,
        yref="paper",
        yanchor="bottom",  # above the plot, where no line crosses it
        text="today",
        showarrow=False,
        font={"size": 11, "color": token("t3")},
    )
    if course.day is not None and course.day <= len(course.middle):
        _callout(figure, course, origin + DAY_MS * (1 + course.day), origin)


def _callout(figure: go.Figure, course: Course, at: float, origin: float) -> None:
    figure.add_scatter(
        x=[at],
        y=[course.threshold],
        mode="markers",
        marker={"color": token("major"), "size": 9, "line": {"color": token("bg1"), "width": 1.5}},
        showlegend=False,
        hoverinfo="skip",
    )
    end = origin + DAY_MS * len(course.middle)
    low, high = _range(course)
    is_high = (course.threshold - low) / (high - low) > 0.45
    figure.add_annotation(
        x=at,
        y=course.threshold,
        text=course.callout,
        align="left",
        showarrow=True,
        arrowhead=0,
        arrowwidth=1,
        arrowcolor=token("t3"),
        ax=-46,
        ay=74 if is_high else -64,
        standoff=5,
        xanchor="right" if at - origin > (end - origin) * 0.4 else "center",
        bgcolor=token("bg2"),
        bordercolor=token("line2"),
        borderpad=6,
        font={"size": 11.5, "color": token("t1")},
    )


def _line(name: str, x: Any, y: Float64s, colour: str, *, width: float, dash: str = "solid") -> go.Scatter:
    return go.Scatter(
        x=x,
        y=y,
        name=name,
        mode="lines",
        line={"color": colour, "width": width, "dash": dash},
        hovertemplate=f"%{{y:.1f}} %<extra>{name}</extra>",
        connectgaps=False,
    )


def _range(course: Course) -> tuple[float, float]:
    shown = np.concatenate([course.daily, course.low90[:1]])
    shown = shown[np.isfinite(shown)]
    low = float(shown.min()) if len(shown) else 0.0
    top = max(float(shown.max()) if len(shown) else 0.0, course.threshold)
    if len(course.middle):
        top = max(top, min(float(course.high90.max()), course.threshold + 12))
        low = min(low, float(course.low50.min()))
    return max(0.0, low - _HEADROOM), top + _HEADROOM


def _ms(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000
