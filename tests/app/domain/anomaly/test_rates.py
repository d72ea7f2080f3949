"""Rates are known as well as clocks are."""

from __future__ import annotations

import numpy as np

from app.domain.anomaly.memory import Entrant, Memory
from app.domain.anomaly.novelty import Novelty

MINUTE_MS = 60_000
ROWS = 2_000


def course(last: float) -> tuple[np.ndarray, np.ndarray]:
    """(ts_ms, values): a level of 2,500 for days, and at last another one."""
    values = np.full(ROWS, 2_500.0)
    values[-1] = last
    return np.arange(ROWS, dtype=np.int64) * MINUTE_MS + 1_790_000_000_000, values


def scored(last: float, *, is_counter: bool) -> float:
    """How unusual the last point is, as a counter that grows by it or as a gauge that is it."""
    memory = Memory(Novelty)
    memory.add([Entrant(1, np.array([is_counter]))], {})
    ts_ms, values = course(last)
    if is_counter:
        values = np.cumsum(values * (MINUTE_MS / 1000))
    return float(memory.score(np.zeros(ROWS, dtype=np.int32), ts_ms, values).scores.recorded[-1])


def test_a_rate_that_is_off_by_what_clocks_are_off_is_not_unusual() -> None:
    assert scored(2_510.0, is_counter=True) == 0.0
    assert scored(2_490.0, is_counter=True) == 0.0


def test_a_rate_that_is_off_by_more_is() -> None:
    assert scored(2_700.0, is_counter=True) > 0.025
    assert scored(0.0, is_counter=True) > 0.025


def test_of_a_gauge_every_difference_counts() -> None:
    assert scored(2_510.0, is_counter=False) > 0.025
