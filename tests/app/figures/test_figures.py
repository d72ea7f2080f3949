"""Lines, bars, sparklines and the reduction to pixels."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.timerange import Window
from app.figures.bars import severity_bars
from app.figures.reduce import min_max
from app.figures.sparkline import sparkline_path, sparkline_svg
from app.figures.timeseries import Band, Line, lines, shifted

UTC = ZoneInfo("UTC")
T0 = 1_795_000_000_000
TIMES = np.arange(T0, T0 + 3_600_000, 60_000, dtype=np.int64)
HOUR = Window(T0, T0 + 3_600_000)


def test_grey_lines_lie_under_coloured_ones_and_say_nothing_on_hover() -> None:
    values = np.linspace(0, 1, len(TIMES))
    figure = lines([Line("a", TIMES, values, "#5195F9", rank=0), Line("b", TIMES, values)], window=HOUR, zone=UTC)
    assert [trace.name for trace in figure.data] == ["b", "a"]
    assert (figure.data[0].hoverinfo, figure.data[1].meta) == ("skip", 0)


def test_names_of_devices_are_text_and_not_markup() -> None:
    figure = lines([Line('<a href="//x">', TIMES, np.ones(60), "#5195F9")], window=HOUR, zone=UTC)
    assert "<a" not in figure.data[0].hovertemplate.replace("<extra>", "")


def test_an_alert_marks_its_time_within_the_window() -> None:
    band = Band(T0 - 10**9, T0 + 600_000, "critical", "A-1 link <down>")
    figure = lines([], window=HOUR, zone=UTC, bands=[band, Band(T0 - 9, T0 - 1, "minor", "over")])
    assert [(shape.x0, shape.x1) for shape in figure.layout.shapes] == [(T0, T0 + 600_000)]
    assert figure.layout.annotations[0].text == "A-1 link &lt;down&gt;"


def test_times_follow_the_zone_across_the_change_of_clocks() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    changes = 1_792_890_000_000  # 25 October 2026, 01:00 UTC
    before, after = shifted(np.array([changes - 3_600_000, changes + 3_600_000], dtype=np.int64), berlin)
    assert (before - (changes - 3_600_000), after - (changes + 3_600_000)) == (7_200_000, 3_600_000)


def test_bars_are_stacked_worst_on_top() -> None:
    counts = {"critical": [1] * 60, "warning": [2] * 60}
    figure = severity_bars(TIMES, counts, width_ms=60_000, window=HOUR, zone=UTC)
    assert [trace.name for trace in figure.data][-1] == "Critical"
    assert figure.layout.yaxis.range == (0, 5)


@pytest.mark.parametrize(
    ("points", "path"),
    [
        pytest.param([], "", id="nothing"),
        pytest.param([1.0], "", id="one point is no line"),
        pytest.param([0, 1], "M0.0 32.0L92.0 2.0", id="rises"),
        pytest.param([3, 3], "M0.0 17.0L92.0 17.0", id="flat in the middle"),
        pytest.param([0, 1, float("nan"), 1], "M0.0 32.0L30.7 2.0M92.0 2.0", id="a gap stays a gap"),
    ],
)
def test_sparkline(points: list[float], path: str) -> None:
    assert sparkline_path(points) == path
    assert bool(sparkline_svg(points)) == bool(path)


@given(
    st.lists(st.one_of(st.floats(-1e9, 1e9), st.just(float("nan"))), min_size=1, max_size=400),
    st.integers(1, 50),
)
def test_the_extremes_survive_the_reduction(values: list[float], buckets: int) -> None:
    array = np.array(values)
    times = np.arange(len(values), dtype=np.int64)
    kept_times, kept = min_max(times, array, buckets=buckets)
    assert len(kept) <= max(2 * buckets, 1) or len(kept) == len(values) <= 2 * buckets
    assert (np.diff(kept_times) > 0).all()
    known, kept_known = array[np.isfinite(array)], kept[np.isfinite(kept)]
    if len(known):
        assert (kept_known.min(), kept_known.max()) == (known.min(), known.max())
    else:
        assert not len(kept_known)
