"""Events on a chart: a thin line for each, and a mark at its top that says what happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

import numpy as np
import plotly.graph_objects as go

from app.figures.theme import token
from app.figures.timeseries import plain, shifted

# What events without a severity are drawn in.
NEUTRAL: Final = "t2"


@dataclass(frozen=True)
class Mark:
    """An event: when, a severity or "", and its words."""

    at_ms: int
    severity: str
    text: str


def add_events(figure: go.Figure, marks: Sequence[Mark], *, zone: tzinfo) -> None:
    """Put marks onto a time chart whose axes are settled; they have an axis of their own, from 0 to 1."""
    if not marks:
        return
    colours = [token(mark.severity or NEUTRAL) for mark in marks]
    times = [float(shifted(np.array([mark.at_ms]), zone)[0]) for mark in marks]
    for at, colour in zip(times, colours, strict=True):
        line = {"color": colour, "width": 1, "dash": "dot"}
        figure.add_shape(type="line", xref="x", yref="y3", x0=at, x1=at, y0=0, y1=1, line=line, layer="above")
    figure.add_trace(
        go.Scatter(
            x=times,
            y=[1.0] * len(marks),
            mode="markers",
            marker={"symbol": "triangle-down", "size": 9, "color": colours},
            customdata=[plain(mark.text) for mark in marks],
            hovertemplate="%{customdata}<extra>Event</extra>",
            name="Events",
            showlegend=False,
            cliponaxis=False,
            yaxis="y3",
            meta="events",
        )
    )
    axis = {"overlaying": "y", "range": [0, 1], "fixedrange": True, "visible": False, "anchor": "x"}
    figure.update_layout(yaxis3=axis)
