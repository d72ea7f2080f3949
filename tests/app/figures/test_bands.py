"""Shades of what is expected, below the lines and as far as the chart goes."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np

from app.domain.timerange import Window
from app.figures.bands import Expected, add_bands
from app.figures.timeseries import Line, lines

HOUR = 3_600_000
UTC = ZoneInfo("UTC")


def test_shades_lie_below_the_lines_and_the_dashed_line_begins_where_the_forecast_does() -> None:
    ts_ms = np.arange(10, dtype=np.int64) * HOUR
    mean = np.arange(10.0)
    drawn = lines([Line("a", ts_ms[:5], mean[:5], "#5195F9")], window=Window(0, 4 * HOUR), zone=UTC)
    its = Expected("a<b>", "#5195F9", ts_ms, mean, mean - 1, mean + 1, mean - 2, mean + 2, from_ms=5 * HOUR)
    add_bands(drawn, [its], zone=UTC, end_ms=8 * HOUR, unit="bps")
    wide, narrow, middle, line = drawn.data
    assert list(wide.x) == [*range(0, 9 * HOUR, HOUR), *range(8 * HOUR, -1, -HOUR)]
    assert (wide.y[0], wide.y[-1], narrow.y[0], narrow.y[-1]) == (2.0, -2.0, 1.0, -1.0)
    assert list(middle.x) == [5 * HOUR, 6 * HOUR, 7 * HOUR, 8 * HOUR]
    assert (middle.line.dash, line.line.dash) == ("dash", "solid")
    assert "a&lt;b&gt;" in middle.hovertemplate
    assert tuple(drawn.layout.xaxis.range) == (0, 8 * HOUR)
