"""Which readings are unusual together."""

from __future__ import annotations

import numpy as np
import pytest

from app.domain.anomaly.forest import LEAST_ROWS, combination

STEP_MS = 300_000


def _device(rows: int = 1_200) -> tuple[np.ndarray, np.ndarray]:
    """Six readings: the first two rise together each day, the others are noise; one is missing at times."""
    random = np.random.default_rng(3)
    ts_ms = 1_790_000_000_000 // 86_400_000 * 86_400_000 + np.arange(1, rows + 1) * STEP_MS
    day = np.sin(2 * np.pi * np.arange(rows) / 288)
    values = random.normal(0, 1, (rows, 6)) + 100
    values[:, 0] += 30 * day
    values[:, 1] += 20 * day
    values[::17, 4] = np.nan
    return ts_ms, values


def test_a_usual_moment_is_below_the_boundary() -> None:
    ts_ms, values = _device()
    values[-1] = values[-1 - 288]
    assert combination(ts_ms, values).score < 1


def test_what_made_the_moment_unusual_comes_first() -> None:
    ts_ms, values = _device()
    values[-1, 2] += 30
    values[-1, 3] -= 30
    found = combination(ts_ms, values)
    assert found.score > 1
    assert set(np.argsort(-found.shares)[:2]) == {2, 3}
    assert found.shares.sum() == pytest.approx(1)
    assert found.deviations[2] > 10 > -10 > found.deviations[3]
    assert found.expected[2] == pytest.approx(100, abs=1)


def test_the_hour_of_the_day_is_expected() -> None:
    ts_ms, values = _device(1_225)  # ends at the day's highest point
    found = combination(ts_ms, values)
    assert found.expected[0] > 110
    assert abs(found.deviations[0]) < 3


def test_a_short_history_is_refused() -> None:
    ts_ms, values = _device(LEAST_ROWS)
    with pytest.raises(ValueError, match="576 rows"):
        combination(ts_ms, values)
