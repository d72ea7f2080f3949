"""What a line is expected to be: ranges of 80 % and 95 % as shades, and what is to come as a dashed line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

import numpy as np
import plotly.graph_objects as go

from app.domain.samples import Float64s, Int64s
from app.figures.theme import faded
from app.figures.timeseries import plain, shifted

WIDE: Final = 0.10
NARROW: Final = 0.16


@dataclass(frozen=True)
class Expected:
    """Of one line: `ts_ms` (h,), the values (h,) in the chart's unit; from `from_ms` on they are still to come."""

    name: str
    colour: str
    ts_ms: Int64s
    mean: Float64s
    lo80: Float64s
    hi80: Float64s
    lo95: Float64s
    hi95: Float64s
    from_ms: int


def add_bands(figure: go.Figure, expected: Sequence[Expected], *, zone: tzinfo, end_ms: int, unit: str = "") -> None:
    """Put the ranges behind the lines, up to `end_ms`, which the time axis is lengthened to."""
    drawn = len(figure.data)
    for its in expected:
        kept = its.ts_ms <= end_ms
        ts = shifted(its.ts_ms[kept], zone)
        figure.add_trace(_shade(its, ts, its.lo95[kept], its.hi95[kept], WIDE))
        figure.add_trace(_shade(its, ts, its.lo80[kept], its.hi80[kept], NARROW))
        figure.add_trace(_middle(its, ts, kept, unit))
    # plotly.js draws in order: the shades go below the lines that are there.
    figure.data = (*figure.data[drawn:], *figure.data[:drawn])
    start, end = figure.layout.xaxis.range
    figure.update_xaxes(range=[start, max(end, float(shifted(np.array([end_ms]), zone)[0]))])


def _shade(its: Expected, ts: Float64s, low: Float64s, high: Float64s, opacity: float) -> go.Scatter:
    return go.Scatter(
        x=np.concatenate([ts, ts[::-1]]),
        y=np.concatenate([high, low[::-1]]),
        fill="toself",
        fillcolor=faded(its.colour, opacity),
        mode="lines",
        line={"width": 0, "color": its.colour},
        hoverinfo="skip",
        showlegend=False,
        name=f"{its.name}, expected",
        meta="band",
    )


def _middle(its: Expected, ts: Float64s, kept: np.ndarray, unit: str) -> go.Scatter:
    """The expected values: dashed where they are to come, without a line where they were."""
    ahead = its.ts_ms[kept] >= its.from_ms
    mean, suffix = its.mean[kept], f" {unit}" if unit else ""
    ranges = np.stack([its.lo80[kept], its.hi80[kept], its.lo95[kept], its.hi95[kept]], axis=1)
    number = ":,.3~f"
    return go.Scatter(
        x=ts[ahead],
        y=mean[ahead],
        customdata=ranges[ahead],
        mode="lines",
        line={"color": its.colour, "width": 1.6, "dash": "dash"},
        hovertemplate=(
            f"%{{y{number}}}{suffix}, 80 % within %{{customdata[0]{number}}} to %{{customdata[1]{number}}},"
            f" 95 % within %{{customdata[2]{number}}} to %{{customdata[3]{number}}}"
            f"<extra>{plain(its.name)}, expected</extra>"
        ),
        showlegend=False,
        name=f"{its.name}, expected",
        meta="band",
    )
