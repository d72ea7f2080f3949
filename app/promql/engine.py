"""Evaluation of a query, at all its steps at once, over whatever source of series it is given.

The value of an expression is a matrix of series × steps (vectors.py), a scalar per step, or a string; a range is a
set of windows (windows.py). This file walks the tree; the work is done in the files named after it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple, cast

import numpy as np

from app.domain.labels import Labels, Matcher
from app.domain.samples import Float64s, Int64s
from app.errors import QueryError
from app.promql.aggregates import aggregate
from app.promql.arguments import Arguments, Ranges, Value
from app.promql.functions import FUNCTIONS
from app.promql.label_sets import LabelSets
from app.promql.limits import Budget, Limits
from app.promql.matching import combine_vectors
from app.promql.nodes import (
    Aggregate,
    At,
    Binary,
    Call,
    Kind,
    Negate,
    Node,
    Number,
    RangeSelector,
    Selector,
    Subquery,
    Text,
    kind_of,
)
from app.promql.operators import combine_scalars, combine_with_scalar
from app.promql.parse import parse
from app.promql.reading import Reading
from app.promql.result import Matrix, RawMatrix, Result, Scalar, String, Vector
from app.promql.rollups import FROM_ROLLUPS
from app.promql.select import SeriesSource
from app.promql.vectors import Grid, Vectors, drop_empty, in_order_of_labels
from app.promql.windows import Edges, Windows

# Functions that make sense for counters, and how Prometheus's conventions say that a counter's name ends.
COUNTERS_ONLY = frozenset({"rate", "increase"})
COUNTER_ENDINGS = ("_total", "_sum", "_count", "_bucket")


def query_instant(source: SeriesSource, expr: str, *, at_ms: int, limits: Limits | None = None) -> Result:
    """The value of `expr` at one moment.

    Raises QueryError, whose `kind` is bad_data (cannot be parsed), execution or timeout.
    """
    node = parse(expr)
    grid = Grid(at_ms, at_ms, 0)
    evaluation = Evaluation(source, grid, limits or Limits())
    with np.errstate(all="ignore"):
        value = evaluation.value(node, grid)
        warnings, account = tuple(evaluation.budget.warnings), evaluation.budget.account()
        if isinstance(value, Ranges):
            return replace(_raw(value, warnings), account=account)
        if isinstance(value, str):
            return String(at_ms, value, account)
        if not isinstance(value, Vectors):
            return Scalar(at_ms, float(value[0]), account)
        value = drop_empty(value)
        return Vector(value.labels, value.values[:, 0], at_ms, warnings, account)


def query_range(
    source: SeriesSource, expr: str, *, start_ms: int, end_ms: int, step_ms: int, limits: Limits | None = None
) -> Matrix:
    """The value of `expr` at start, start + step, … up to end; series sorted by their labels.

    Raises QueryError, whose `kind` is bad_data (cannot be parsed, or the steps make no sense), execution or timeout.
    """
    limits = limits or Limits()
    node = parse(expr)
    grid = _checked_grid(start_ms, end_ms, step_ms, limits)
    if kind_of(node) not in (Kind.SCALAR, Kind.VECTOR):
        shown = kind_of(node)
        raise QueryError(f'invalid expression type "{shown}" for range query, must be Scalar or instant Vector')
    evaluation = Evaluation(source, grid, limits)
    with np.errstate(all="ignore"):
        value = evaluation.value(node, grid)
        warnings, account = tuple(evaluation.budget.warnings), evaluation.budget.account()
        if not isinstance(value, Vectors):
            assert isinstance(value, np.ndarray)
            return Matrix([()], grid.ts_ms, value[None, :], warnings, account)
        value = in_order_of_labels(drop_empty(value))
        return Matrix(value.labels, grid.ts_ms, value.values, warnings, account)


class Newest(NamedTuple):
    """The newest sample of one series."""

    labels: Labels
    ts_ms: int
    value: float


def newest_samples(
    source: SeriesSource, matcher_sets: Sequence[Sequence[Matcher]], *, at_ms: int, limits: Limits
) -> list[Newest]:
    """The newest sample up to `at_ms`, within the look-back and not stale, of the series of any set; by labels."""
    reading = Reading(source, Budget(limits))
    at = np.array([at_ms], dtype=np.int64)
    found: dict[Labels, Newest] = {}
    for matchers in matcher_sets:
        values = reading.latest(tuple(matchers), at, limits.lookback_ms, as_time=False)
        times = reading.latest(tuple(matchers), at, limits.lookback_ms, as_time=True)
        for labels, value, seconds in zip(
            values.labels, values.values[:, 0].tolist(), times.values[:, 0].tolist(), strict=True
        ):
            found[labels] = Newest(labels, round(seconds * 1000), value)
    return [found[labels] for labels in sorted(found)]


class Evaluation:
    """One run of one query: its source, its limits, and what `start()` and `end()` mean."""

    def __init__(self, source: SeriesSource, grid: Grid, limits: Limits) -> None:
        self.limits = limits
        self.budget = Budget(limits)
        self._reading = Reading(source, self.budget)
        self._query = grid

    def value(self, node: Node, grid: Grid) -> Value:  # noqa: PLR0911  one branch per kind of node
        """The value of a node at every step of `grid`."""
        self.budget.check()
        match node:
            case Number(value=number):
                return np.full(grid.steps, number)
            case Text(value=text):
                return text
            case Selector():
                return self._latest(node, grid, as_time=False)
            case RangeSelector():
                return self._range(node, grid)
            case Subquery():
                return self._subquery(node, grid)
            case Negate():
                return self._negated(node, grid)
            case Binary():
                return self._binary(node, grid)
            case Aggregate():
                return self._aggregate(node, grid)
            case Call():
                return self._call(node, grid)

    def _latest(self, node: Selector, grid: Grid, *, as_time: bool) -> Vectors:
        times_ms = self._ends(node.at, node.offset_ms, grid)
        found = self._reading.latest(node.matchers, times_ms, self.limits.lookback_ms, as_time=as_time)
        # The order of an instant answer is the caller's to see; a range answer is sorted at the end.
        return in_order_of_labels(found) if grid.is_instant else found

    def _range(self, node: RangeSelector, grid: Grid) -> Ranges:
        selector = node.selector
        edges = Edges(grid.ts_ms, self._ends(selector.at, selector.offset_ms, grid), node.range_ms)
        return Ranges(self._reading.windows(selector.matchers, edges), grid.steps, self.budget.check)

    def _subquery(self, node: Subquery, grid: Grid) -> Ranges:
        edges = Edges(grid.ts_ms, self._ends(node.at, node.offset_ms, grid), node.range_ms)
        step_ms = node.step_ms or self.limits.subquery_step_ms
        # The first multiple of the step inside the first window, which is open on the left.
        start_ms = ((int(edges.end_ms.min()) - node.range_ms) // step_ms + 1) * step_ms
        inner = Grid(start_ms, int(edges.end_ms.max()), step_ms)
        self.budget.room(inner.steps)
        if not inner.steps:
            return Ranges([], grid.steps, self.budget.check)
        value = self.value(node.expr, inner)
        if not isinstance(value, Vectors):
            assert isinstance(value, np.ndarray)
            value = Vectors([()], value[None, :])
        self.budget.room(len(value) * (inner.steps + grid.steps))
        present = None if value.is_full else np.ascontiguousarray(value.present.T)
        windows = Windows(inner.ts_ms, np.ascontiguousarray(value.values.T), present, edges, self.budget.check)
        return Ranges([(value.labels, windows)] if len(value) else [], grid.steps, self.budget.check)

    def _negated(self, node: Negate, grid: Grid) -> Value:
        value = self.value(node.expr, grid)
        if isinstance(value, Vectors):
            return value.with_values(-value.values).without_names()
        assert isinstance(value, np.ndarray)
        return -value

    def _binary(self, node: Binary, grid: Grid) -> Value:
        left = self.value(node.left, grid)
        right = self.value(node.right, grid)
        if isinstance(left, Vectors):
            if isinstance(right, Vectors):
                return combine_vectors(node, left, right, room=self.budget.room)
            return combine_with_scalar(node.op, left, _scalar(right), swapped=False, is_bool=node.is_bool)
        if isinstance(right, Vectors):
            return combine_with_scalar(node.op, right, _scalar(left), swapped=True, is_bool=node.is_bool)
        return combine_scalars(node.op, _scalar(left), _scalar(right))

    def _aggregate(self, node: Aggregate, grid: Grid) -> Vectors:
        param: Float64s | str | None = None
        if node.param is not None:
            given = self.value(node.param, grid)
            param = given if isinstance(given, str) else _scalar(given)
        vectors = self.value(node.expr, grid)
        assert isinstance(vectors, Vectors)
        return aggregate(node, vectors, param, is_instant=grid.is_instant, budget=self.budget)

    def _call(self, node: Call, grid: Grid) -> Value:
        if node.name not in FUNCTIONS:
            raise QueryError(f"function {node.name}() is not supported", kind="execution")
        if node.name == "timestamp" and isinstance(node.args[0], Selector):
            return self._latest(node.args[0], grid, as_time=True).without_names()
        rolled = self._rolled(node, grid)
        if rolled is not None:
            return rolled
        values = [self.value(argument, grid) for argument in node.args]
        self.budget.check()
        if node.name in COUNTERS_ONLY:
            self._hint_at_gauges(values[0])
        return FUNCTIONS[node.name](
            Arguments(node.args, values, grid, self._query, self.budget.warn, self.budget.inform)
        )

    def _rolled(self, node: Call, grid: Grid) -> Vectors | None:
        """A function of a range from rollups, where the source has them and they say the same as samples would."""
        how = FROM_ROLLUPS.get(node.name)
        if how is None or not isinstance(node.args[0], RangeSelector):
            return None
        selector = node.args[0].selector
        edges = Edges(grid.ts_ms, self._ends(selector.at, selector.offset_ms, grid), node.args[0].range_ms)
        blocks = self._reading.rollups(selector.matchers, edges, how.stats)
        if blocks is None:
            return None
        ranges = Ranges(blocks, grid.steps, self.budget.check)
        if node.name in COUNTERS_ONLY:
            self._hint_at_gauges(ranges)
        return ranges.map(cast("Callable[[Windows], Float64s]", how.compute), keeps_name=how.keeps_name)

    def _hint_at_gauges(self, value: Value) -> None:
        assert isinstance(value, Ranges)
        for name in sorted(frozenset().union(*(LabelSets.of(labels).names for labels, _ in value.blocks)) - {""}):
            if not name.endswith(COUNTER_ENDINGS):
                self.budget.inform(
                    "PromQL info: metric might not be a counter, name does not end in "
                    f"{'/'.join(COUNTER_ENDINGS)}: {json.dumps(name, ensure_ascii=False)}"
                )

    def _ends(self, at: int | At | None, offset_ms: int, grid: Grid) -> Int64s:
        """Up to when a selector looks, at each step."""
        if at is None:
            return grid.ts_ms - offset_ms
        if isinstance(at, At):
            at = self._query.start_ms if at is At.START else self._query.end_ms
        return np.full(grid.steps, at - offset_ms, dtype=np.int64)


def _scalar(value: Value) -> Float64s:
    assert not isinstance(value, Vectors | Ranges | str)
    return value


def _checked_grid(start_ms: int, end_ms: int, step_ms: int, limits: Limits) -> Grid:
    if step_ms <= 0:
        raise QueryError("zero or negative query resolution step widths are not accepted. Try a positive integer")
    if end_ms < start_ms:
        raise QueryError("end timestamp must not be before start time")
    if (end_ms - start_ms) // step_ms > limits.max_steps:
        raise QueryError(
            f"exceeded maximum resolution of {limits.max_steps:,} points per timeseries. "
            "Try decreasing the query resolution (?step=XX)"
        )
    return Grid(start_ms, end_ms, step_ms)


def _raw(ranges: Ranges, warnings: tuple[str, ...]) -> RawMatrix:
    """The samples of the only window of each series, sorted by labels; series without any left out."""
    found: list[tuple[Labels, Int64s, Float64s]] = []
    for labels, windows in ranges.blocks:
        for window in windows.slices():
            for column, one in enumerate(labels):
                there = window.present[:, column]
                if there.any():
                    found.append((one, window.ts_ms[there], window.values[there, column]))
    found.sort(key=lambda series: series[0])
    return RawMatrix([s[0] for s in found], [s[1] for s in found], [s[2] for s in found], warnings)
