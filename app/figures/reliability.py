"""A reliability diagram: what was said on one axis, how often it came true on the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import plotly.graph_objects as go

from app.domain.samples import Float64s
from app.figures.theme import base_figure, token

# Two-sided 80 % of a normal distribution.
_Z: Final = 1.2816


@dataclass(frozen=True)
class Compared:
    """Sayings of about one chance: how many, the mean of what was said, and in what share it came true (0 to 1)."""

    count: int
    said: float
    came: float


def reliability_figure(bins: Sequence[Compared]) -> go.Figure:
    """A point for each group that is not empty, with the 80 % range of its share; on the line, what is said is true."""
    figure = base_figure()
    figure.add_scatter(
        x=[0, 100],
        y=[0, 100],
        mode="lines",
        line={"color": token("t3"), "width": 1.2, "dash": "dot"},
        name="As said",
        hoverinfo="skip",
    )
    known = [each for each in bins if each.count]
    count = np.array([each.count for each in known], dtype=float)
    said, came = (np.array([getattr(each, name) for each in known]) for name in ("said", "came"))
    low, high = _wilson(came, count)
    figure.add_scatter(
        x=said * 100,
        y=came * 100,
        mode="markers",
        name="Came true",
        marker={"color": token("acc"), "size": np.clip(5 + 2.2 * np.log10(count + 1) * 2, 7, 20), "opacity": 0.9},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": (high - came) * 100,
            "arrayminus": (came - low) * 100,
            "color": token("acc", 0.5),
            "thickness": 1.4,
            "width": 0,
        },
        customdata=np.stack([count, low * 100, high * 100], axis=1),
        hovertemplate="said %{x:.0f} %, came true in %{y:.0f} % of %{customdata[0]:,}"
        "<br>80 % range %{customdata[1]:.0f} to %{customdata[2]:.0f} %<extra></extra>",
    )
    figure.update_layout(
        showlegend=False,
        hovermode="closest",
        margin={"l": 50, "r": 12, "t": 8, "b": 40},
        xaxis={"range": [-4, 104], "tickvals": [0, 25, 50, 75, 100], "ticksuffix": " %", "title": {"text": "said"}},
        yaxis={
            "range": [-6, 106],
            "tickvals": [0, 25, 50, 75, 100],
            "ticksuffix": " %",
            "title": {"text": "came true", "standoff": 4},
        },
    )
    return figure


def _wilson(share: Float64s, count: Float64s) -> tuple[Float64s, Float64s]:
    """The range of a share that `count` trials leave open.

    Source: Wilson, Probable Inference, the Law of Succession, and Statistical Inference (1927).
    """
    middle = (share + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    half = _Z / (1 + _Z**2 / count) * np.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    return np.clip(middle - half, 0, share), np.clip(middle + half, share, 1)
