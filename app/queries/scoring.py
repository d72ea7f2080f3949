"""Scores of given values, or of stored series over a time: what the inference service answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from app.domain.anomaly.base import Detector
from app.domain.anomaly.question import MOST_POINTS, MOST_SERIES, Column, ScoredColumn, score_column
from app.domain.counters import is_counter
from app.domain.labels import METRIC, value_of
from app.domain.samples import Float64s, Int64s
from app.domain.tenancy import TenantId
from app.errors import InvalidInput
from app.promql.parse import parse_selector
from app.tsdb.reader import Reader

# Between readings further apart than this nobody knows how a counter went.
LONGEST_GAP_MS: Final = 3_600_000


def score_values(detector: type[Detector], columns: Sequence[Column]) -> list[ScoredColumn]:
    """Scores of values that the caller brings."""
    return [
        score_column(detector, its.labels, np.array(its.ts, dtype=np.int64), np.array(its.values, dtype=np.float64))
        for its in columns
    ]


def score_stored(
    tenant: TenantId, detector: type[Detector], selector: str, *, start_ms: int, end_ms: int
) -> list[ScoredColumn]:
    """Scores of stored series at start <= ts <= end, learned from that time alone. Raises InvalidInput if too many."""
    found: list[ScoredColumn] = []
    points = 0
    for block in Reader(tenant).select(parse_selector(selector), start_ms=start_ms, end_ms=end_ms):
        for column, labels in enumerate(block.labels):
            ts_ms, values = block.ts_ms, block.values[:, column]
            there = np.isfinite(values)
            ts_ms, values = ts_ms[there], values[there]
            is_rate = is_counter(value_of(labels, METRIC))
            if is_rate:
                ts_ms, values = _rates(ts_ms, values)
            points += len(values)
            if len(found) >= MOST_SERIES or points > MOST_POINTS:
                raise InvalidInput("selector", f"selects more than {MOST_SERIES} series or {MOST_POINTS} points")
            found.append(score_column(detector, dict(labels), ts_ms, values, is_rate=is_rate))
    return found


def _rates(ts_ms: Int64s, values: Float64s) -> tuple[Int64s, Float64s]:
    """Rates per second between the readings of a counter; none over a reset or a long gap."""
    span_ms = np.diff(ts_ms)
    grown = np.diff(values)
    kept = (grown >= 0) & (span_ms > 0) & (span_ms <= LONGEST_GAP_MS)
    return ts_ms[1:][kept], grown[kept] / (span_ms[kept] / 1000)
