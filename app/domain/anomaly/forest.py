"""Which of a device's readings are unusual together: an isolation forest over their residuals.

It ranks and explains an anomaly that was found already; nobody is paged by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from app.domain.samples import Float64s, Int64s

DAY_MS: Final = 86_400_000
HOUR_MS: Final = 3_600_000
# So many moments before the one that is looked at are needed: two days of five-minute steps.
LEAST_ROWS: Final = 576
TREES: Final = 100
# A moment is at the boundary when so few of those before it were rarer.
RARE: Final = 0.995
# Residuals count in robust deviations, and no more than this: one broken reading must not be the whole forest.
MOST: Final = 20.0
_TO_SIGMA: Final = 1.4826


@dataclass(frozen=True)
class Combination:
    """How rare a device's readings were at one moment, all (n,) by series.

    score: of all together, 1.0 is the boundary. shares: what each adds to it, 0 to 1, together 1 (0 when none does).
    expected: what the hour of the day lets expect. deviations: how far off, in robust deviations.
    """

    score: float
    shares: Float64s
    expected: Float64s
    deviations: Float64s


def missing_rows(rows: int) -> int:
    """How many more moments are needed before one can be judged."""
    return max(0, LEAST_ROWS - rows)


def combination(ts_ms: Int64s, values: Float64s) -> Combination:
    """Judge the last row of values (t, n) by those before it; NaN = missing. Raises ValueError for a short history."""
    if missing_rows(len(values) - 1):
        raise ValueError(f"{LEAST_ROWS} rows are needed before the last one, there are {len(values) - 1}")
    expected = _expected(ts_ms, values)
    residuals = values - expected
    past = residuals[:-1]
    spread = _TO_SIGMA * np.nanmedian(np.abs(past), axis=0)
    spread = np.where(spread > 0, spread, np.nanstd(past, axis=0))
    spread = np.where(spread > 0, spread, np.inf)
    deviations = np.clip(np.nan_to_num(residuals / spread), -MOST, MOST)
    # Every tree sees the last row too: a forest knows nothing of what lies beyond the values that it has seen.
    forest = IsolationForest(n_estimators=TREES, max_samples=len(values), random_state=0).fit(deviations)
    usual = float(np.quantile(-forest.score_samples(deviations[:-1]), RARE))
    last = deviations[-1]
    # The last row, and the same with each reading in turn as it was expected.
    without = np.tile(last, (len(last) + 1, 1))
    without[np.arange(len(last)), np.arange(len(last))] = 0.0
    scores = -forest.score_samples(without)
    gained = np.maximum(scores[-1] - scores[:-1], 0.0)
    total = gained.sum()
    return Combination(float(scores[-1]) / usual, gained / total if total > 0 else gained, expected[-1], last)


def _expected(ts_ms: Int64s, values: Float64s) -> Float64s:
    """The median of the same hour of the day, of all rows but the last (t, n)."""
    hours: NDArray[np.int64] = ts_ms % DAY_MS // HOUR_MS
    expected = np.broadcast_to(np.nanmedian(values[:-1], axis=0), values.shape).copy()
    for hour in np.unique(hours):
        rows = np.flatnonzero(hours == hour)
        past = values[rows[rows < len(values) - 1]]
        if len(past):
            medians = np.nanmedian(past, axis=0)
            expected[rows] = np.where(np.isnan(medians), expected[rows], medians)
    return expected
