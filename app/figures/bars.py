"""Stacked bars over time: how many of each severity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo

import numpy as np
import plotly.graph_objects as go

from app.domain.samples import Int64s
from app.domain.timerange import Window
from app.figures.theme import SEVERITIES, base_figure, token
from app.figures.timeseries import shifted, time_axis


def severity_bars(
    ts_ms: Int64s, counts: Mapping[str, Sequence[int]], *, width_ms: int, window: Window, zone: tzinfo
) -> go.Figure:
    """Bars of `width_ms` that begin at `ts_ms`; `counts` by severity, the worst on top."""
    figure = base_figure()
    for severity in reversed(SEVERITIES):
        figure.add_bar(
            x=shifted(ts_ms + width_ms // 2, zone),
            y=np.asarray(counts.get(severity, [0] * len(ts_ms))),
            name=severity.capitalize(),
            width=width_ms * 0.86,
            marker={"color": token(severity), "line": {"width": 0}},
            hovertemplate="%{y}<extra>" + severity.capitalize() + "</extra>",
        )
    start, end = (shifted(np.array([ms]), zone)[0] for ms in (window.start_ms, window.end_ms))
    figure.update_layout(
        barmode="stack",
        margin={"t": 28},
        showlegend=True,
        legend={"traceorder": "reversed", "itemsizing": "constant"},
        xaxis=time_axis(float(start), float(end)),
        yaxis={"rangemode": "tozero", "tickformat": "d", "minallowed": 0},
        uirevision="keep",
    )
    top = max((sum(values) for values in zip(*counts.values(), strict=True)), default=0)
    if top < 5:
        # A quiet day is drawn quiet: an axis that ends at 1 makes one alert fill the panel.
        figure.update_yaxes(range=[0, 5])
    return figure


def count_bars(ts_ms: Int64s, counts: Sequence[int], *, width_ms: int, window: Window, zone: tzinfo) -> go.Figure:
    """Bars of `width_ms` that begin at `ts_ms`, of one colour: how many of one thing."""
    figure = base_figure()
    figure.add_bar(
        x=shifted(ts_ms + width_ms // 2, zone),
        y=np.asarray(counts),
        width=width_ms * 0.86,
        marker={"color": token("acc"), "line": {"width": 0}},
        hovertemplate="%{y:,}<extra></extra>",
    )
    start, end = (shifted(np.array([ms]), zone)[0] for ms in (window.start_ms, window.end_ms))
    figure.update_layout(
        showlegend=False,
        xaxis=time_axis(float(start), float(end)),
        yaxis={"rangemode": "tozero", "minallowed": 0},
        uirevision="keep",
    )
    return figure
