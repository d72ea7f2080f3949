"""Rows of a file as aligned arrays: real clocks jitter, miss and repeat."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from app.domain.forecast.longform import aligned, step_of
from app.errors import InvalidInput

START = datetime(2026, 1, 1, tzinfo=UTC)


def test_jittered_hours_do_not_drift_from_the_hour() -> None:
    """A median distance of 3620 s would put the first value three steps off after 450 hours."""
    random = np.random.default_rng(1)
    rows = [
        ("a", (START + timedelta(hours=i, seconds=int(random.integers(-300, 300)))).isoformat(), str(i))
        for i in range(450)
        if random.random() > 0.1
    ]
    found = aligned(rows, step=None)
    assert found.step == 3600
    assert found.season() == 24
    known = found.values[0][np.isfinite(found.values[0])]
    back = np.flatnonzero(np.isfinite(found.values[0]))
    assert (np.diff(known) == np.diff(back)).all()


@pytest.mark.parametrize(
    ("times", "step", "season"),
    [
        pytest.param(["2026-01-01 00:00", "2026-01-01 00:05", "2026-01-01 00:10"], 300, 288, id="five minutes"),
        pytest.param(["2026-01-01", "2026-01-02", "2026-01-04", "2026-01-05"], 86_400, 7, id="days, one missing"),
        pytest.param(["2026-01-05", "2026-01-12", "2026-01-19"], 604_800, 52, id="weeks"),
        pytest.param(["0", "1", "2"], 1, 24, id="numbers"),
        pytest.param(["2026-01-01T00:00:00+02:00", "2025-12-31T23:00:00Z", "2026-01-01 00:00"], 3600, 24, id="zones"),
    ],
)
def test_step_and_season_come_from_the_times(times: list[str], step: float, season: int) -> None:
    found = aligned([("a", ds, "1") for ds in times], step=None)
    assert (found.step, found.season()) == (step, season)


def test_what_follows_is_in_the_form_it_came_in() -> None:
    assert aligned([("a", "0.5", "1"), ("a", "1.0", "2")], step=None).following(0, 2) == ["1.5", "2"]
    assert aligned([("a", "2026-01-01", "1"), ("a", "2026-01-02", "2")], step=None).following(0, 1) == [
        "2026-01-03 00:00:00"
    ]


def test_the_last_of_repeated_times_counts_and_series_end_where_they_end() -> None:
    rows = [("a", "1", "5"), ("a", "1", "6"), ("a", "3", ""), ("b", "7", "1"), ("b", "8", "nan"), ("b", "9", "2")]
    found = aligned(rows, step=1)
    np.testing.assert_array_equal(found.values, [[6, np.nan, np.nan], [1, np.nan, 2]])
    assert found.last.tolist() == [3, 9]


@pytest.mark.parametrize("freq", ["0h", "1m", "hour", ""])
def test_a_step_that_cannot_be_read_is_named(freq: str) -> None:
    with pytest.raises(InvalidInput, match="--freq"):
        step_of(freq)
