"""Classic histograms: series with a label `le`, put together again and read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from app.domain.labels import METRIC, Labels, value_of
from app.domain.samples import Float64s, absent_array
from app.promql.groups import group_by
from app.promql.sums import Rows
from app.promql.vectors import Vectors, merge_same, without_name

BUCKET_LABEL = "le"

# Counts that differ by less than this share are the same number, added up in another order.
SMALL_DELTA = 1e-12
FORCED = (
    "PromQL info: input to histogram_quantile needed to be fixed for monotonicity "
    "(see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)"
)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?|inf(?:inity)?)", re.IGNORECASE)
_SMALLEST_NORMAL = 2.0**-1022


@dataclass(frozen=True)
class Buckets:
    """Histograms that have the same bounds: `bounds` (b,) ascending, `counts` (b, h) cumulative."""

    bounds: Float64s
    counts: Float64s


Read = Callable[[Buckets, Rows], Float64s]


def read_histograms(vectors: Vectors, read: Read, warn: Callable[[str], None]) -> Vectors:
    """One series per histogram: what `read(buckets, steps)` answers for each, where it has any bucket.

    `warn` hears of series without a bucket's bound.

    `read` gets h histograms at once, one per (series, step), and `steps` (h,), the step of each.
    """
    vectors, bounds = _with_bounds(vectors, warn)
    groups = group_by(vectors.labels, lambda labels: tuple(pair for pair in labels if pair[0] != BUCKET_LABEL))
    result = absent_array((len(groups), vectors.values.shape[1]))
    for numbers, rows in groups.stacks():
        for group_rows, chosen in _same_bounds(bounds, rows):
            result[numbers[chosen]] = _stack(vectors, bounds[group_rows[0]], group_rows, read)
    names: list[Labels] = [without_name(key) for key in groups.keys if isinstance(key, tuple)]
    return merge_same(Vectors(names, result))


def quantile_of_buckets(q: Float64s, buckets: Buckets, inform: Callable[[str], None]) -> Float64s:
    """The q-quantile (h,) of each histogram, linear within a bucket.

    The lowest bucket starts at 0 if its bound is above 0; a quantile in the highest (+Inf) bucket is the bound below
    it. Without a +Inf bucket, with fewer than two buckets or without an observation: NaN.
    """
    h = buckets.counts.shape[1]
    outside = np.where(np.isnan(q), np.nan, np.where(q < 0, -np.inf, np.inf))
    inside = (q >= 0) & (q <= 1)
    bounds, counts = _coalesced(buckets)
    if bounds[-1] != np.inf or len(bounds) < 2:
        return np.where(inside, np.nan, outside)
    counts, was_forced = _monotonic(counts)
    if was_forced:
        inform(FORCED)
    columns = np.arange(h)
    with np.errstate(all="ignore"):
        total = counts[-1]
        rank = np.where(inside, q, 0.0) * total
        reached = counts[:-1] >= rank
        found = np.where(reached.any(axis=0), np.argmax(reached, axis=0), len(bounds) - 1)
        below = np.maximum(found - 1, 0)
        start = np.where(found > 0, bounds[below], 0.0)
        before = np.where(found > 0, counts[below, columns], 0.0)
        value = start + (bounds[found] - start) * ((rank - before) / (counts[found, columns] - before))
        value = np.where((found == 0) & (bounds[0] <= 0), bounds[0], value)
        value = np.where(found == len(bounds) - 1, bounds[-2], value)
        value = np.where(total == 0, np.nan, value)
    return np.where(inside, value, outside)


def fraction_of_buckets(lower: Float64s, upper: Float64s, buckets: Buckets) -> Float64s:
    """The share (h,) of each histogram's observations between `lower` and `upper`, linear within a bucket."""
    bounds, counts = _coalesced(buckets)
    if bounds[-1] != np.inf:
        return np.full(counts.shape[1], np.nan)
    total = counts[-1]
    with np.errstate(all="ignore"):
        share = (_rank_at(upper, bounds, counts) - _rank_at(lower, bounds, counts)) / total
        share = np.where(lower >= upper, 0.0, share)
        answered: Float64s = np.where((total == 0) | np.isnan(lower) | np.isnan(upper), np.nan, share)
    return answered


def _rank_at(value: Float64s, bounds: Float64s, counts: Float64s) -> Float64s:
    """How many observations lie below `value` (h,)."""
    columns = np.arange(counts.shape[1])
    # The bucket (start, end] with start < value < end, or the one that begins at value.
    found = np.minimum(np.searchsorted(bounds, value, side="right"), len(bounds) - 1)
    lowest = 0.0 if bounds[0] > 0 else -np.inf
    start = np.where(found > 0, bounds[np.maximum(found - 1, 0)], lowest)
    before = np.where(found > 0, counts[np.maximum(found - 1, 0), columns], 0.0)
    here = counts[found, columns]
    rank = before + (here - before) * (value - start) / (bounds[found] - start)
    rank = np.where(np.isneginf(start), here, rank)
    rank = np.where(value <= start, before, rank)
    rank = np.where(value == np.inf, counts[-1], rank)
    reached: Float64s = np.minimum(rank, counts[-1])
    return reached


def _with_bounds(vectors: Vectors, warn: Callable[[str], None]) -> tuple[Vectors, Float64s]:
    """The series whose `le` is a number, and those numbers."""
    texts = [value_of(labels, BUCKET_LABEL) for labels in vectors.labels]
    parsed = [_bound(text) for text in texts]
    rows = np.array([row for row, bound in enumerate(parsed) if bound is not None], dtype=np.intp)
    for row, bound in enumerate(parsed):
        if bound is None:
            name = value_of(vectors.labels[row], METRIC)
            warn(
                f'PromQL warning: bucket label "{BUCKET_LABEL}" is missing or has a malformed value of '
                f"{json.dumps(texts[row])} for metric name {json.dumps(name)}"
            )
    return vectors.take(rows), np.array([bound for bound in parsed if bound is not None], dtype=np.float64)


def _bound(text: str) -> float | None:
    if _NUMBER.fullmatch(text) is None:
        return None
    return float(text)


def _same_bounds(bounds: Float64s, rows: Rows) -> Iterator[tuple[Rows, Rows]]:
    """Groups (k, size) sorted by bound, those with equal bounds together; with their places among the k."""
    order = np.argsort(bounds[rows], axis=1, kind="stable")
    ordered = np.take_along_axis(rows, order, axis=1)
    _, which = np.unique(bounds[ordered], axis=0, return_inverse=True)
    which = which.ravel()
    for number in range(int(which.max()) + 1 if len(which) else 0):
        chosen = np.flatnonzero(which == number)
        yield ordered[chosen], chosen


def _stack(vectors: Vectors, bounds: Float64s, rows: Rows, read: Read) -> Float64s:
    """Read k histograms of the same bounds, rows (k, size), at all steps; with those buckets that are there."""
    k, size = rows.shape
    steps = vectors.values.shape[1]
    counts = vectors.values[rows].transpose(1, 0, 2).reshape(size, k * steps)
    present = vectors.present[rows].transpose(1, 0, 2).reshape(size, k * steps)
    step_of = np.tile(np.arange(steps), k)
    if present.all():
        return read(Buckets(bounds, counts), step_of).reshape(k, steps)
    answers = absent_array((k * steps,))
    patterns, which = np.unique(present, axis=1, return_inverse=True)
    for number in range(patterns.shape[1]):
        there = patterns[:, number]
        if there.any():
            columns = np.flatnonzero(which.ravel() == number)
            answers[columns] = read(Buckets(bounds[there], counts[np.ix_(there, columns)]), step_of[columns])
    return answers.reshape(k, steps)


def _coalesced(buckets: Buckets) -> tuple[Float64s, Float64s]:
    """Buckets of equal bounds ("1" and "1.0") added together."""
    bounds, starts = np.unique(buckets.bounds, return_index=True)
    if len(bounds) == len(buckets.bounds):
        return buckets.bounds, buckets.counts
    return bounds, np.add.reduceat(buckets.counts, starts, axis=0)


def _monotonic(counts: Float64s) -> tuple[Float64s, bool]:
    """Counts that never fall, and whether any did by more than differences too small to be real, which are levelled."""
    with np.errstate(invalid="ignore"):
        grows = np.diff(counts, axis=0)
        if not ((grows < 0) | ((grows > 0) & (grows < SMALL_DELTA * 2 * np.abs(counts[1:])))).any():
            return counts, False
    counts, was_forced = counts.copy(), False
    level = counts[0].copy()
    for row in range(1, len(counts)):
        current = counts[row]
        with np.errstate(all="ignore"):
            size = np.abs(level) + np.abs(current)
            difference = np.abs(level - current)
            tiny = (level == 0) | (current == 0) | (size < _SMALLEST_NORMAL)
            alike = np.where(tiny, difference < SMALL_DELTA * _SMALLEST_NORMAL, difference / size < SMALL_DELTA)
            was_forced = was_forced or bool((~alike & (current < level)).any())
            keep = alike | (current < level) | (current == level)
        counts[row] = np.where(keep, level, current)
        level = counts[row].copy()
    return counts, was_forced
