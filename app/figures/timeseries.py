"""Lines over time: what a chart of the floor, of Explore or of a device is made of. Data in, go.Figure out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.domain.samples import Float64s, Int64s
from app.domain.timerange import Window
from app.figures.theme import base_figure, faded, token

GREY_OPACITY: Final = 0.3


@dataclass(frozen=True)
class Line:
    """One series. `ts_ms` (n,) int64 UTC, `values` (n,) float64, NaN = gap. No colour: grey, and silent on hover."""

    name: str
    ts_ms: Int64s
    values: Float64s
    colour: str | None = None
    width: float = 1.8
    dash: str = "solid"
    fill: bool = False
    digits: str = ",.3~f"
    rank: int | None = None  # which row of the series table it is


@dataclass(frozen=True)
class Band:
    """A stretch of time that is marked: an alert, with its severity and a short text."""

    start_ms: int
    end_ms: int
    severity: str
    text: str


def lines(
    series: Sequence[Line],
    *,
    window: Window,
    zone: tzinfo,
    unit: str = "",
    bands: Sequence[Band] = (),
    legend: bool = False,
    zero: bool = True,
) -> go.Figure:
    """The lines over `window`, times in `zone`, grey ones first so that the others lie on top."""
    figure = base_figure()
    figure.add_traces([_trace(line, zone, unit) for line in sorted(series, key=lambda line: line.colour is not None)])
    start, end = (shifted(np.array([ms]), zone)[0] for ms in (window.start_ms, window.end_ms))
    figure.update_layout(
        showlegend=legend,
        margin={"t": 28 if legend else 8},
        xaxis=time_axis(float(start), float(end)),
        yaxis={"rangemode": "tozero" if zero else "normal", "hoverformat": ",.3~f"},
        uirevision="keep",
    )
    for place, band in enumerate(bands):
        _mark(figure, band, window, zone, place=place)
    return figure


def time_axis(start: float, end: float) -> dict[str, Any]:
    """A time axis from `start` to `end` (ms, already in the zone shown)."""
    return {
        "type": "date",
        "range": [start, end],
        "hoverformat": "%d %b %H:%M:%S",
        "nticks": 8,
        "tickformatstops": [
            {"dtickrange": [None, 60_000], "value": "%H:%M:%S"},
            {"dtickrange": [60_000, 86_400_000], "value": "%H:%M\n%d %b"},
            {"dtickrange": [86_400_000, None], "value": "%d %b"},
        ],
    }


def shade(figure: go.Figure, low: float, high: float) -> None:
    """Shade a range of values over the whole time: what was expected."""
    edge = {"color": token("ok", 0.5), "width": 1, "dash": "dot"}
    fill = token("ok", 0.10)
    figure.add_shape(
        type="rect", xref="paper", yref="y", x0=0, x1=1, y0=low, y1=high, line=edge, fillcolor=fill, layer="below"
    )


def shifted(ts_ms: Int64s, zone: tzinfo) -> NDArray[np.float64]:
    """Times in ms as the wall clock of `zone` shows them; plotly.js draws numbers as if they were UTC."""
    if not len(ts_ms):
        return np.empty(0)
    offsets = [_offset_ms(int(ms), zone) for ms in (ts_ms[0], ts_ms[-1])]
    if offsets[0] == offsets[1]:
        return np.asarray(ts_ms + offsets[0], dtype=np.float64)
    return np.array([ms + _offset_ms(int(ms), zone) for ms in ts_ms], dtype=np.float64)


def _trace(line: Line, zone: tzinfo, unit: str) -> go.Scatter:
    is_grey = line.colour is None
    colour = line.colour or token("t3", GREY_OPACITY)
    extra: dict[str, Any] = {}
    if line.fill and line.colour:
        extra = {"fill": "tozeroy", "fillcolor": faded(line.colour, 0.12)}
    suffix = f" {unit}" if unit else ""
    return go.Scatter(
        x=shifted(line.ts_ms, zone),
        y=np.where(np.isfinite(line.values), line.values, np.nan),
        name=line.name,
        mode="lines",
        line={"color": colour, "width": 1.0 if is_grey else line.width, "dash": line.dash},
        hoverinfo="skip" if is_grey else None,
        hovertemplate=None if is_grey else f"%{{y:{line.digits}}}{suffix}<extra>{plain(line.name)}</extra>",
        showlegend=not is_grey,
        meta=line.rank,
        connectgaps=False,
        **extra,
    )


def _mark(figure: go.Figure, band: Band, window: Window, zone: tzinfo, *, place: int) -> None:
    start, end = max(band.start_ms, window.start_ms), min(band.end_ms, window.end_ms)
    if end <= start:
        return
    left, right = (float(shifted(np.array([ms]), zone)[0]) for ms in (start, end))
    figure.add_shape(
        type="rect",
        xref="x",
        yref="paper",
        x0=left,
        x1=right,
        y0=0,
        y1=1,
        line={"width": 0},
        fillcolor=token(band.severity, 0.10),
        layer="below",
    )
    is_late = (start - window.start_ms) > window.length_ms * 0.6
    figure.add_annotation(
        x=left if is_late else right,
        xref="x",
        y=1,
        yref="paper",
        xanchor="right" if is_late else "left",
        yanchor="top",
        xshift=-5 if is_late else 5,
        yshift=-14 * place,
        text=plain(band.text),
        showarrow=False,
        font={"size": 11, "color": token(band.severity)},
    )


def plain(text: str) -> str:
    """Text of a device or person as text: plotly.js would read tags in it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _offset_ms(ms: int, zone: tzinfo) -> int:
    offset = datetime.fromtimestamp(ms / 1000, UTC).astimezone(zone).utcoffset()
    return int(offset.total_seconds() * 1000) if offset else 0
