"""Fewer points for the same picture: the least and the greatest of every few pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.domain.samples import Float64s, Int64s


def min_max(ts_ms: Int64s, values: Float64s, *, buckets: int) -> tuple[Int64s, Float64s]:
    """At most 2 * `buckets` of the points of one series, every extreme kept, in order of time.

    `ts_ms` (t,), `values` (t,), NaN = gap. In each bucket the least and the greatest stay; a bucket without any
    value keeps one NaN, so that gaps stay gaps.
    """
    count = len(ts_ms)
    if count <= 2 * buckets:
        return ts_ms, values
    size = -(-count // buckets)
    padded = np.full(size * buckets, np.nan)
    padded[:count] = values
    grid = padded.reshape(buckets, size)
    known = np.isfinite(grid)
    lowest = np.where(known, grid, np.inf).argmin(axis=1)
    highest = np.where(known, grid, -np.inf).argmax(axis=1)
    starts = np.arange(buckets) * size
    picks: NDArray[np.intp] = np.unique(np.concatenate([starts + lowest, starts + highest]))
    picks = picks[picks < count]
    return ts_ms[picks], values[picks]
