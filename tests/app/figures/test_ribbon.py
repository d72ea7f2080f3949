"""The strip above a chart: of few series how unusual, of many how many at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC

import numpy as np
import plotly.graph_objects as go

from app.domain.anomaly.ribbon import Ribbon
from app.figures.ribbon import add_ribbon
from app.figures.theme import token

RIBBON = Ribbon(
    np.arange(4, dtype=np.int64) * 60_000,
    60_000,
    np.array([0.8, 1.2, 2.5, np.nan]),
    ["", "core-1", "core-2", ""],
    ["", "no value near this one", "", ""],
    1.0,
    counts=[0, 1, 4, 0],
)


def strip(ribbon: Ribbon) -> go.Bar:
    figure = go.Figure()
    add_ribbon(figure, ribbon, zone=UTC)
    return figure.data[0]


def test_of_few_series_what_is_below_the_boundary_is_shaded() -> None:
    bars = strip(RIBBON)
    assert bars.y.tolist() == [0.55, 1.0, 1.0]
    assert bars.marker.color[0].startswith(token("acc", 0.4)[:-5])
    assert bars.customdata[0] == "score 0.80, below the boundary 1.00"


def test_of_many_the_bars_grow_with_how_many_were_unusual() -> None:
    bars = strip(replace(RIBBON, series=50))
    assert bars.y.round(2).tolist() == [0.18, 0.55, 1.0]
    assert bars.marker.color[0] == token("t3", 0.22)
    assert bars.customdata[2].startswith("4 of 50 series unusual<br>the most: score 2.50")
