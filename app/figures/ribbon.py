"""The anomaly ribbon: a strip above a chart, one shade for each stretch; full height where the boundary was reached."""

from __future__ import annotations

from datetime import tzinfo
from typing import Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.domain.anomaly.ribbon import Ribbon
from app.domain.samples import Float64s
from app.figures.theme import token
from app.figures.timeseries import plain, shifted

# How much of the chart's height the strip and the gap below it take.
STRIP: Final = 0.045
GAP: Final = 0.03
# Of more series than this some score is always high: of them it is shown how many were unusual at once.
FEW: Final = 8
_NO_LINE: Final = {"width": 0}


def add_ribbon(figure: go.Figure, ribbon: Ribbon, *, zone: tzinfo, height: float = STRIP) -> None:
    """Put the strip above the lines of a time chart; a stretch that was not scored stays empty.

    Of few series below the boundary the score is shaded; of many the bars grow with how many reached it.
    """
    known = np.flatnonzero(np.isfinite(ribbon.scores))
    scores, is_many = ribbon.scores[known], ribbon.series > FEW
    middle = shifted(ribbon.starts_ms[known] + ribbon.width_ms // 2, zone)
    figure.add_trace(
        go.Bar(
            x=middle,
            y=_heights(ribbon, known),
            width=float(ribbon.width_ms),
            marker={
                "color": [_shade(score / ribbon.boundary, is_many=is_many) for score in scores.tolist()],
                "line": _NO_LINE,
            },
            customdata=[_words(ribbon, int(at)) for at in known],
            hovertemplate="%{customdata}<extra>Anomaly</extra>",
            name="Anomaly score",
            showlegend=False,
            yaxis="y2",
            meta="ribbon",
        )
    )
    # What stands at the top of the lines stays below the strip.
    figure.for_each_annotation(lambda note: note.update(y=1 - height - GAP), {"yref": "paper", "y": 1})
    figure.update_layout(
        yaxis={"domain": [0, 1 - height - GAP]},
        yaxis2={
            "domain": [1 - height, 1],
            "range": [0, 1],
            "fixedrange": True,
            "showticklabels": False,
            "showgrid": False,
            "anchor": "x",
        },
    )


def mark_window(figure: go.Figure, start_ms: int, end_ms: int, *, zone: tzinfo) -> None:
    """Mark the window that was chosen to be explained."""
    left, right = (float(shifted(np.array([ms]), zone)[0]) for ms in (start_ms, end_ms))
    line = {"color": token("acc"), "width": 1, "dash": "dot"}
    figure.add_shape(
        type="rect",
        xref="x",
        yref="paper",
        x0=left,
        x1=right,
        y0=0,
        y1=1,
        line=line,
        fillcolor=token("acc", 0.08),
        layer="below",
    )


def _heights(ribbon: Ribbon, known: NDArray[np.intp]) -> Float64s:
    is_over = ribbon.scores[known] >= ribbon.boundary
    if ribbon.series <= FEW:
        return np.where(is_over, 1.0, 0.55)
    counts = np.maximum(np.array(ribbon.counts, dtype=np.float64)[known], 1)
    return np.where(is_over, 0.4 + 0.6 * counts / counts.max(initial=1), 0.18)


def _shade(relative: float, *, is_many: bool) -> str:
    """Of a score over the boundary: grey, then blue (of few series), then orange from 1 and red from 2 on."""
    if relative >= 2:
        return token("critical")
    if relative >= 1:
        return token("major")
    if relative >= 0.5 and not is_many:
        return token("acc", round(0.25 + 0.5 * (relative - 0.5), 2))
    return token("t3", 0.22)


def _words(ribbon: Ribbon, at: int) -> str:
    score = float(ribbon.scores[at])
    words = f"score {score:.2f}"
    if score < ribbon.boundary:
        return f"{words}, below the boundary {ribbon.boundary:.2f}"
    if ribbon.series > FEW:
        words = f"{max(ribbon.counts[at], 1)} of {ribbon.series:,} series unusual<br>the most: {words}"
    parts = [plain(part) for part in (ribbon.names[at], ribbon.whys[at]) if part]
    return f"{words}<br>" + "<br>".join(parts) if parts else words
