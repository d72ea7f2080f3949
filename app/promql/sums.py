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
# From so many columns on, segments of up to so many rows are added row by row.
_WIDE, _SHORT = 256, 8


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
    with np.errstate(all="ignore"):
        total = np.abs(values).sum()
        # Mostly all are finite, and are then not copied to be looked at.
        if not np.isfinite(total):
            values = values[np.isfinite(values)]
            total = np.abs(values).sum()
    return bool(total < EXACT_INTEGERS and (np.rint(values) == values).all())


def _reduce(ufunc: np.ufunc, values: Float64s, bounds: Rows) -> Float64s:
    if not len(values):
        return np.zeros((len(bounds), values.shape[1]))
    if ufunc is np.add and values.shape[1] >= _WIDE and (bounds[:, 1] - bounds[:, 0]).max(initial=0) <= _SHORT:
        return _add_short(values, bounds)
    indices = bounds.ravel()
    is_end = indices == len(values)
    # reduceat takes no index past the end, but needs none for its last segment.
    if is_end.sum() == 1 and is_end[-1]:
        indices = indices[:-1]
    elif is_end.any():
        # One more row, which no segment contains, makes room for it.
        values = np.concatenate([values, np.zeros((1, values.shape[1]))])
    with np.errstate(all="ignore"):
        reduced: Float64s = ufunc.reduceat(values, indices, axis=0)[::2]
    return reduced


def _add_short(values: Float64s, bounds: Rows) -> Float64s:
    """Sums of short segments row by row, in the order in which reduceat adds: the first to the sum of the rest.

    reduceat goes down each column by itself; for 20,000 columns that takes ten times as long.
    """
    sums = np.zeros((len(bounds), values.shape[1]))
    rest = np.empty(values.shape[1])
    with np.errstate(all="ignore"):
        for number, (begin, end) in enumerate(bounds.tolist()):
            if end - begin > 2:
                np.add(values[begin + 1], values[begin + 2], out=rest)
                for row in range(begin + 3, end):
                    rest += values[row]
                np.add(values[begin], rest, out=sums[number])
            elif end - begin == 2:
                np.add(values[begin], values[begin + 1], out=sums[number])
            elif begin < len(values):
                sums[number] = values[begin]
    return sums


def _may_cancel(values: Float64s) -> bool:
    with np.errstate(invalid="ignore"):
        has_both_signs = (values < 0).any() and (values > 0).any()
    return bool(has_both_signs) and not is_exact_in_any_order(values)


def _exact(values: Float64s) -> float:
    try:
        return math.fsum(values.tolist())
    except OverflowError:
        return float(values.sum())
