"""What the inference service is asked for scores, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from app.domain.anomaly.base import Detector, View
from app.domain.anomaly.profiles import scaled
from app.domain.anomaly.rates import without_jitter
from app.domain.samples import Float64s, Int64s

MOST_SERIES = 50
MOST_POINTS = 100_000


@dataclass(frozen=True)
class Column:
    """One series: times (ms, ascending) and values, of the same length."""

    ts: list[int]
    values: list[float]
    labels: Mapping[str, str]


@dataclass(frozen=True)
class ScoreQuestion:
    """Either values that the caller brings, or a selector of stored series with its time."""

    series: list[Column] = field(default_factory=list)
    selector: str = ""
    start_ms: int = 0
    end_ms: int = 0


@dataclass(frozen=True)
class ScoredColumn:
    """Scores of a series, one for each of its points; 1.0 is the boundary of the balanced profile.

    score: how unusual each point is. recorded: the same where a point tops all of the last hours, else 0: what alerts
    are raised from. Counters are scored as rates: their points are those that have one.
    """

    labels: Mapping[str, str]
    ts: list[int]
    values: list[float]
    score: list[float]
    recorded: list[float]
    view: list[str]
    expected_lo: list[float | None]
    expected_hi: list[float | None]
    nearest: list[float | None]


def score_column(
    detector: type[Detector], labels: Mapping[str, str], ts_ms: Int64s, values: Float64s, *, is_rate: bool = False
) -> ScoredColumn:
    """Score a series (n,) by a detector that knows nothing before it: each point by those before it alone."""
    there = np.isfinite(values)
    ts_ms, values = ts_ms[there], values[there]
    found = detector.empty(1).score(np.zeros(len(values), dtype=np.int32), ts_ms, values)
    if is_rate:
        found = without_jitter(found, values, np.ones(len(values), dtype=bool))
    return ScoredColumn(
        labels,
        ts_ms.tolist(),
        values.tolist(),
        [round(score, 4) for score in scaled(found.raw).tolist()],
        [round(score, 4) for score in scaled(found.recorded).tolist()],
        [View(view).name.lower() for view in found.view.tolist()],
        _numbers(found.expected_lo),
        _numbers(found.expected_hi),
        _numbers(found.nearest),
    )


def _numbers(values: Float64s) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in values.tolist()]
