"""Sums that keep their small parts.

Prometheus adds with Kahan's compensation. Plain addition gives the same answer unless large parts cancel each other,
so cells where they did are found afterwards and added again exactly.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from app.domain.samples import Float64s

Rows = NDArray[np.intp]

# A sum that is this much smaller than what went into it has lost digits that somebody may see.
CANCELLATION = 1e-7
EXACT_INTEGERS = 2.0**53


def add_segments(values: Float64s, bounds: Rows) -> Float64s:
    """Sums of the rows [bounds[i, 0], bounds[i, 1]) of `values` (r, c), for each i; (segments, c).

    An empty segment answers something meaningless. NaN and Inf go through as in any addition.
    """
    sums = _reduce(np.add, values, bounds)
    if not _may_cancel(values):
        return sums
    with np.errstate(all="ignore"):
        magnitudes = _reduce(np.add, np.abs(values), bounds)
        doubtful = np.isfinite(sums) & (np.abs(sums) < magnitudes * CANCELLATION)
    for segment, column in zip(*np.nonzero(doubtful), strict=True):
        begin, end = bounds[segment]
        sums[segment, column] = _exact(values[begin:end, column])
    return sums


def reduce_segments(ufunc: np.ufunc, values: Float64s, bounds: Rows) -> Float64s:
    """Another reduction over the same segments, such as np.fmin."""
    return _reduce(ufunc, values, bounds)


def is_exact_in_any_order(values: Float64s) -> bool:
    """Whether the finite ones are whole numbers so small that all their sums are exact (below 2^53)."""
    finite = values[np.isfinite(values)]
    return bool(np.abs(finite).sum() < EXACT_INTEGERS and (np.rint(finite) == finite).all())


def _reduce(ufunc: np.ufunc, values: Float64s, bounds: Rows) -> Float64s:
    if not len(values):
        return np.zeros((len(bounds), values.shape[1]))
    # reduceat takes no index past the end: one more row, which no segment contains, makes room for it.
    padded = np.concatenate([values, np.zeros((1, values.shape[1]))])
    with np.errstate(all="ignore"):
        reduced: Float64s = ufunc.reduceat(padded, bounds.ravel(), axis=0)[::2]
    return reduced


def _may_cancel(values: Float64s) -> bool:
    with np.errstate(invalid="ignore"):
        has_both_signs = (values < 0).any() and (values > 0).any()
    return bool(has_both_signs) and not is_exact_in_any_order(values)


def _exact(values: Float64s) -> float:
    try:
        return math.fsum(values.tolist())
    except OverflowError:
        return float(values.sum())
