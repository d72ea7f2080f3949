"""Aggregations: many series into one per group, at every step at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from app.domain.labels import labels_of
from app.domain.samples import ABSENT, Float64s, absent_array
from app.errors import QueryError
from app.promql.format import format_plain
from app.promql.groups import Groups, dropping, group_by, keeping, one_group
from app.promql.limits import Budget
from app.promql.nodes import Aggregate
from app.promql.quantile import quantile_of_columns, warn_of_quantile
from app.promql.sums import Rows, add_segments, reduce_segments
from app.promql.vectors import Bools, Vectors, drop_empty, in_order_of_labels, no_vectors

Reduction = Callable[[Vectors, Groups], Float64s]

CHOICES = frozenset({"topk", "bottomk", "limitk"})

_INT64_LIMIT = float(2**63)


def aggregate(
    node: Aggregate,
    vectors: Vectors,
    param: Float64s | str | None,
    *,
    is_instant: bool,
    budget: Budget,
) -> Vectors:
    """The aggregation `node` of `vectors`. `param`: (steps,) for topk and its like, a label's name for count_values.

    topk and bottomk of an instant query come in the order of their values.
    """
    if node.op == "count_values":
        assert isinstance(param, str)
        return _count_values(node, vectors, param, budget.room)
    if isinstance(param, np.ndarray) and node.op in CHOICES:
        _check_count(param)
    if not len(vectors):
        return vectors
    if node.op in CHOICES:
        assert isinstance(param, np.ndarray)
        groups = _grouped(node, vectors)
        # In the answer to an instant query groups come in the order of all their series, so those must be there.
        if node.op != "limitk" and not (is_instant and len(groups) > 1):
            vectors = _candidates(node.op, vectors, groups, param)
        # Of equals the first by its labels, wherever the source keeps it.
        vectors = in_order_of_labels(vectors)
        return _choose(node.op, vectors, _grouped(node, vectors), param, is_instant=is_instant)
    groups = _grouped(node, vectors)
    if node.op == "quantile":
        assert isinstance(param, np.ndarray)
        warn_of_quantile(budget.warn, param)
        return _result(groups, _quantiles(vectors, groups, param), vectors)
    if node.op not in REDUCTIONS:
        raise QueryError(f"aggregation {node.op} is not supported", kind="execution")
    return _result(groups, REDUCTIONS[node.op](vectors, groups), vectors)


def _grouped(node: Aggregate, vectors: Vectors) -> Groups:
    if not node.labels and not node.without:
        return one_group(len(vectors))
    return group_by(vectors.labels, (dropping if node.without else keeping)(node.labels))


def _result(groups: Groups, values: Float64s, vectors: Vectors) -> Vectors:
    if not vectors.is_full:
        values[_counts(vectors, groups) == 0] = ABSENT
    return drop_empty(Vectors([key for key in groups.keys if isinstance(key, tuple)], values))


def _counts(vectors: Vectors, groups: Groups) -> Float64s:
    if vectors.is_full:
        sizes = (groups.bounds[:, 1] - groups.bounds[:, 0]).astype(np.float64)
        return np.array(np.broadcast_to(sizes[:, None], (len(groups), vectors.values.shape[1])))
    return reduce_segments(np.add, vectors.present[groups.order].astype(np.float64), groups.bounds)


def _ordered(vectors: Vectors, groups: Groups, fill: float) -> Float64s:
    values = vectors.values
    if not vectors.is_full:
        values = np.where(vectors.present, values, fill)
    # One group, or rows that already stand together, need no copy.
    return values if (np.diff(groups.of_row) >= 0).all() else values[groups.order]


def _sum(vectors: Vectors, groups: Groups) -> Float64s:
    return add_segments(_ordered(vectors, groups, 0.0), groups.bounds)


def _avg(vectors: Vectors, groups: Groups) -> Float64s:
    ordered = _ordered(vectors, groups, 0.0)
    counts = _counts(vectors, groups)
    with np.errstate(all="ignore"):
        means = add_segments(ordered, groups.bounds) / counts
        if np.isinf(means).any():
            # Either an infinite value, or a sum that overflowed although the mean does not.
            scale = 2.0 ** -math.ceil(math.log2(len(ordered) + 1))
            again = add_segments(ordered * scale, groups.bounds) / counts / scale
            means = np.where(np.isinf(means), again, means)
    return means


def _min(vectors: Vectors, groups: Groups) -> Float64s:
    return reduce_segments(np.fmin, _ordered(vectors, groups, np.nan), groups.bounds)


def _max(vectors: Vectors, groups: Groups) -> Float64s:
    return reduce_segments(np.fmax, _ordered(vectors, groups, np.nan), groups.bounds)


def _group(vectors: Vectors, groups: Groups) -> Float64s:
    return np.ones((len(groups), vectors.values.shape[1]))


def _stdvar(vectors: Vectors, groups: Groups) -> Float64s:
    counts = _counts(vectors, groups)
    with np.errstate(all="ignore"):
        # Around some value of the group: equal values then differ by exactly nothing.
        first = _max(vectors, groups)
        near = Vectors(vectors.labels, vectors.values - first[groups.of_row])
        shifted = Vectors(vectors.labels, np.where(vectors.present, near.values, 0.0))
        means = reduce_segments(np.add, _ordered(shifted, groups, 0.0), groups.bounds) / counts
        deviations = (shifted.values - means[groups.of_row]) ** 2
        squares = Vectors(vectors.labels, np.where(vectors.present, deviations, 0.0))
        return reduce_segments(np.add, _ordered(squares, groups, 0.0), groups.bounds) / counts


def _stddev(vectors: Vectors, groups: Groups) -> Float64s:
    return np.sqrt(_stdvar(vectors, groups))


REDUCTIONS: Mapping[str, Reduction] = {
    "sum": _sum,
    "avg": _avg,
    "count": _counts,
    "min": _min,
    "max": _max,
    "group": _group,
    "stdvar": _stdvar,
    "stddev": _stddev,
}


def _quantiles(vectors: Vectors, groups: Groups, q: Float64s) -> Float64s:
    values = absent_array((len(groups), vectors.values.shape[1]))
    for numbers, rows in groups.stacks():
        # (k, size, steps) -> the members first, as quantile_of_columns counts along the first axis.
        members = rows.T
        values[numbers] = quantile_of_columns(q, vectors.values[members], vectors.present[members])
    return values


def _candidates(op: str, vectors: Vectors, groups: Groups, k: Float64s) -> Vectors:
    """The series that can be among their group's best k at some step: equals of the last place are all kept.

    Sorting 20,000 label sets to find ten series costs more than everything else about topk().
    """
    count = int(k[0]) if 1 <= k[0] < len(vectors) and (k == k[0]).all() else 0
    if count == 0:
        return vectors
    numbers = vectors.present & ~np.isnan(vectors.values)
    keys = np.where(numbers, -vectors.values if op == "bottomk" else vectors.values, -np.inf)
    is_candidate = np.ones(len(vectors), dtype=np.bool_)
    for _, rows in groups.stacks():
        size = rows.shape[1]
        if size <= count:
            continue
        members = keys[rows]
        least = np.partition(members, size - count, axis=1)[:, size - count, :]
        # Where there are fewer numbers than places all stay, and NaN gets the rest.
        is_candidate[rows] = (members >= least[:, None, :]).any(axis=2)
    return vectors if is_candidate.all() else vectors.take(np.flatnonzero(is_candidate))


def _choose(op: str, vectors: Vectors, groups: Groups, k: Float64s, *, is_instant: bool) -> Vectors:
    if k.max() < 1:
        return no_vectors(vectors.values.shape[1])
    if not is_instant and op != "limitk" and (k == k[0]).all():
        chosen = _best_of_groups(op, vectors, groups, int(k[0]))
        if chosen is not None:
            return drop_empty(Vectors(vectors.labels, np.where(chosen, vectors.values, ABSENT)))
    rank = np.empty(vectors.values.shape, dtype=np.intp)
    for _, rows in groups.stacks():
        rank[rows] = _ranks(op, vectors.values[rows], vectors.present[rows])
    chosen = (rank < np.trunc(k)[None, :]) & vectors.present
    values = np.where(chosen, vectors.values, ABSENT)
    result = Vectors(vectors.labels, values)
    if not is_instant:
        return drop_empty(result)
    order = np.lexsort((rank[:, 0], groups.of_row))
    return result.take(order[chosen[order, 0]])


def _best_of_groups(op: str, vectors: Vectors, groups: Groups, k: int) -> Bools | None:
    """Where a series is among its group's best k, without sorting; None if NaN or gaps would have to be counted in.

    Ten times as fast as ranking all of 20,000 series to find ten. Equals are taken in the order of the series.
    """
    chosen = np.ones(vectors.values.shape, dtype=np.bool_)
    numbers = vectors.present & ~np.isnan(vectors.values)
    keys = np.where(numbers, -vectors.values if op == "bottomk" else vectors.values, -np.inf)
    for _, rows in groups.stacks():
        size = rows.shape[1]
        if size <= k:
            chosen[rows] = vectors.present[rows]
            continue
        members = keys[rows]
        least = np.partition(members, size - k, axis=1)[:, size - k, :][:, None, :]
        if np.isneginf(least).any():
            return None
        above, equal = members > least, members == least
        wanted = k - above.sum(axis=1, keepdims=True)
        if (equal.sum(axis=1, keepdims=True) > wanted).any():
            equal &= np.cumsum(equal, axis=1) <= wanted
        chosen[rows] = above | equal
    return chosen


def _check_count(k: Float64s) -> None:
    """Refuse what topk, bottomk and limitk cannot count to; all below one is fine and chooses nothing."""
    if k.max() < 1:
        return
    if np.isnan(k).any():
        raise QueryError("Parameter value is NaN", kind="execution")
    if (k >= _INT64_LIMIT).any():
        raise QueryError(f"Scalar value {format_plain(float(k.max()))} overflows int64", kind="execution")
    if (k <= -_INT64_LIMIT).any():
        raise QueryError(f"Scalar value {format_plain(float(k.min()))} underflows int64", kind="execution")


def _ranks(op: str, values: Float64s, present: Bools) -> Rows:
    """Each member's place in its group at each step, best first; (k, size, steps)."""
    if op == "limitk":
        return np.cumsum(present, axis=1) - 1
    keys = -values if op == "topk" else values
    # Two keys: missing after everything, NaN after every number; equals keep their order.
    last = np.where(present, np.isnan(values).astype(np.int8), np.int8(2))
    order = np.lexsort((np.where(last > 0, 0.0, keys), last), axis=1)
    places = np.broadcast_to(np.arange(values.shape[1])[None, :, None], order.shape)
    ranks = np.empty(order.shape, dtype=np.intp)
    np.put_along_axis(ranks, order, places, axis=1)
    return ranks


def _count_values(node: Aggregate, vectors: Vectors, name: str, room: Callable[[int], None]) -> Vectors:
    steps = vectors.values.shape[1]
    if not name:
        raise QueryError('invalid label name ""', kind="execution")
    if not len(vectors):
        return no_vectors(steps)
    cells = np.nonzero(vectors.present)
    values = vectors.values[cells]
    # By their bits: 0 and -0 are shown differently, all kinds of NaN alike.
    bits = np.where(np.isnan(values), np.nan, values).view(np.int64)
    distinct, which = np.unique(bits, return_inverse=True)
    shown = [format_plain(value) for value in distinct.view(np.float64).tolist()]
    by = dropping(node.labels) if node.without else keeping((*node.labels, name))
    room(len(distinct) * steps)
    pairs, pair_of_cell = np.unique(np.stack([cells[0], which]), axis=1, return_inverse=True)
    # Each pair becomes a label set, which takes the time and memory of some 25 samples.
    room(pairs.shape[1] * 25)
    marked = [labels_of({**dict(vectors.labels[row]), name: shown[value]}) for row, value in pairs.T.tolist()]
    groups = group_by(marked, by)
    room(len(groups) * steps)
    counts = np.zeros((len(groups), steps))
    np.add.at(counts, (groups.of_row[pair_of_cell.ravel()], cells[1]), 1.0)
    counts[counts == 0] = ABSENT
    return Vectors([key for key in groups.keys if isinstance(key, tuple)], counts)
