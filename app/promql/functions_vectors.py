"""Functions of whole vectors: absence, conversion, order, histograms."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from app.domain.labels import METRIC, Labels, MatchOp, labels_of, value_of
from app.domain.samples import ABSENT, Float64s, absent_array
from app.promql.arguments import Arguments, Function, Ranges
from app.promql.format import format_plain
from app.promql.functions_labels import natural_key
from app.promql.functions_over_time import present_over_time
from app.promql.histogram import Buckets, Read, fraction_of_buckets, quantile_of_buckets, read_histograms
from app.promql.nodes import Node, RangeSelector, Selector
from app.promql.quantile import warn_of_quantile
from app.promql.sums import Rows
from app.promql.vectors import Vectors, drop_empty, merge_same


def absent(arguments: Arguments) -> Vectors:
    """1 at the steps at which the vector has no series."""
    return _where_absent(arguments, arguments.vectors(0))


def absent_over_time(arguments: Arguments) -> Vectors:
    """1 at the steps at which no series has a sample in the range."""
    ranges: Ranges = arguments.ranges(0)
    return _where_absent(arguments, ranges.map(present_over_time, keeps_name=True))


def scalar(arguments: Arguments) -> Float64s:
    """The vector's only value; NaN unless there is exactly one."""
    vectors = arguments.vectors(0)
    if not len(vectors):
        return np.full(arguments.grid.steps, np.nan)
    row = np.argmax(vectors.present, axis=0)
    values = vectors.values[row, np.arange(arguments.grid.steps)]
    return np.where(vectors.present.sum(axis=0) == 1, values, np.nan)


def vector(arguments: Arguments) -> Vectors:
    """The scalar as one series without labels."""
    return Vectors([()], arguments.scalar(0)[None, :].copy())


def pi(arguments: Arguments) -> Float64s:
    """3.14159…"""
    return np.full(arguments.grid.steps, np.pi)


def timestamp(arguments: Arguments) -> Vectors:
    """The evaluation time, where there is a value; the engine itself answers for plain selectors."""
    vectors = arguments.vectors(0)
    times = np.array(np.broadcast_to(arguments.grid.ts_ms / 1000, vectors.values.shape))
    return vectors.with_values(times).without_names()


def sort_by_value(*, descending: bool) -> Function:
    """Order by value, NaN last; a range query has no order to give."""

    def function(arguments: Arguments) -> Vectors:
        vectors = arguments.vectors(0)
        if not arguments.grid.is_instant:
            arguments.warn("PromQL warning: sort is ineffective for range queries since results are always ordered")
            return vectors
        values = vectors.values[:, 0]
        keys = -values if descending else values
        return vectors.take(np.lexsort((np.where(np.isnan(keys), 0.0, keys), np.isnan(keys))))

    return function


def sort_by_label(*, descending: bool) -> Function:
    """Order by the values of the named labels, numbers in them by size, then by all labels."""

    def function(arguments: Arguments) -> Vectors:
        vectors = arguments.vectors(0)
        names = [arguments.text(index) for index in range(1, len(arguments))]

        def key(row: int) -> tuple[list[list[tuple[int, int, str]]], Labels]:
            labels = vectors.labels[row]
            return [natural_key(value_of(labels, name)) for name in names], labels

        rows = sorted(range(len(vectors)), key=key, reverse=descending)
        return vectors.take(np.array(rows, dtype=np.intp))

    return function


def histogram_quantile(arguments: Arguments) -> Vectors:
    """The q-quantile of classic histograms."""
    q = arguments.scalar(0)
    warn_of_quantile(arguments.warn, q)

    def read(buckets: Buckets, steps: Rows) -> Float64s:
        return quantile_of_buckets(q[steps], buckets, arguments.inform)

    return read_histograms(arguments.vectors(1), read, arguments.warn)


def histogram_quantiles(arguments: Arguments) -> Vectors:
    """Several quantiles of classic histograms at once, told apart by the label that the second argument names."""
    vectors, name = arguments.vectors(0), arguments.text(1)
    labels: list[Labels] = []
    values = [absent_array((0, arguments.grid.steps))]
    for index in range(2, len(arguments)):
        q = arguments.scalar(index)
        warn_of_quantile(arguments.warn, q)
        for one in np.unique(q).tolist():
            found = read_histograms(vectors, _reader_of_quantile(one, arguments.inform), arguments.warn)
            asked = np.isnan(q) if math.isnan(one) else q == one
            shown = repr(one) if math.isfinite(one) else format_plain(one)
            labels += [labels_of({**dict(each), name: shown}) for each in found.labels]
            values.append(np.where(asked, found.values, ABSENT))
    return merge_same(drop_empty(Vectors(labels, np.concatenate(values))))


def _reader_of_quantile(q: float, inform: Callable[[str], None]) -> Read:
    return lambda buckets, steps: quantile_of_buckets(np.full(steps.shape, q), buckets, inform)


def histogram_fraction(arguments: Arguments) -> Vectors:
    """The share of observations between two values of classic histograms."""
    lower, upper = arguments.scalar(0), arguments.scalar(1)

    def read(buckets: Buckets, steps: Rows) -> Float64s:
        return fraction_of_buckets(lower[steps], upper[steps], buckets)

    return read_histograms(arguments.vectors(2), read, arguments.warn)


def of_native_histograms(arguments: Arguments) -> Vectors:
    """Functions of native histograms: samples here are floats, which those functions leave out."""
    return arguments.vectors(len(arguments) - 1).take(np.zeros(0, dtype=np.intp))


def _where_absent(arguments: Arguments, vectors: Vectors) -> Vectors:
    somewhere = vectors.present.any(axis=0)
    values = np.where(somewhere, ABSENT, 1.0)[None, :]
    return drop_empty(Vectors([_labels_asked_for(arguments.nodes[0])], values))


def _labels_asked_for(node: Node) -> Labels:
    """The labels that the selector fixes with `=`, and fixes once."""
    selector = node.selector if isinstance(node, RangeSelector) else node
    if not isinstance(selector, Selector):
        return ()
    fixed: dict[str, str] = {}
    seen: set[str] = set()
    for matcher in selector.matchers:
        if matcher.name == METRIC:
            continue
        if matcher.op == MatchOp.EQUAL and matcher.name not in seen:
            fixed[matcher.name] = matcher.value
            seen.add(matcher.name)
        else:
            fixed.pop(matcher.name, None)
    return labels_of(fixed)
