"""Promises of the engine that hold for any samples: steps are independent, blocks do not matter, limits hold."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.labels import Labels
from app.domain.samples import ABSENT, STALE, is_absent, is_stale
from app.errors import QueryError
from app.promql.engine import query_instant, query_range
from app.promql.limits import Limits
from app.promql.result import Matrix, Vector
from app.promql.select import SeriesBlock
from tests.factories.series import MemorySource, block_of, named

STEP_MS = 10_000
STEPS = 12
EXPRESSIONS = [
    "x",
    "x offset 20s",
    "timestamp(x)",
    "rate(x[45s])",
    "increase(x[1m])",
    "delta(x[1m])",
    "irate(x[1m])",
    "idelta(x[30s])",
    "changes(x[1m])",
    "resets(x[1m])",
    "deriv(x[1m])",
    "predict_linear(x[1m], 30)",
    "double_exponential_smoothing(x[1m], 0.3, 0.6)",
    "sum_over_time(x[45s])",
    "avg_over_time(x[45s])",
    "min_over_time(x[45s])",
    "max_over_time(x[45s])",
    "count_over_time(x[45s])",
    "last_over_time(x[45s])",
    "first_over_time(x[45s])",
    "stddev_over_time(x[45s])",
    "quantile_over_time(0.3, x[45s])",
    "mad_over_time(x[45s])",
    "ts_of_max_over_time(x[45s])",
    "absent_over_time(x[15s])",
    "max_over_time(rate(x[30s])[40s:10s])",
    "sum by (g) (x)",
    "avg(x)",
    "max by (g) (x)",
    "stddev(x)",
    "topk(1, x)",
    "bottomk by (g) (1, x)",
    "quantile by (g) (0.4, x)",
    'count_values("v", x)',
    "x > 2",
    "x and x offset 20s",
    "x unless x offset 20s",
    'x or label_replace(x offset 20s, "o", "$1", "n", "(.*)")',
    "x / on (n, g) group_left x",
    "x - on (g) group_left sum by (g) (x)",
    "abs(x - 3)",
    "clamp(x, 1, 3)",
    "absent(x)",
    "scalar(sum(x)) + time()",
]

values = st.sampled_from([0.0, 1.0, 2.0, 3.0, 5.0, 8.0, 2.5, -1.0, math.nan, STALE, ABSENT])
columns = st.lists(values, min_size=STEPS * 2, max_size=STEPS * 2)
grids = st.lists(columns, min_size=1, max_size=4)


def series_of(grid: list[list[float]]) -> dict[Labels, dict[int, float]]:
    """A series per column, a sample each 7 s, none where ABSENT."""
    return {
        named("x", n=str(number), g=str(number % 2)): {
            row * 7000 + 1: value for row, value in enumerate(column) if not is_absent(np.array([value]))[0]
        }
        for number, column in enumerate(grid)
    }


def in_one_block(series: dict[Labels, dict[int, float]]) -> MemorySource:
    return MemorySource([block_of(series)])


def one_block_each(series: dict[Labels, dict[int, float]]) -> MemorySource:
    return MemorySource([block_of({labels: samples}) for labels, samples in series.items() if samples])


def torn_apart(series: dict[Labels, dict[int, float]]) -> MemorySource:
    """Every series in two blocks, odd samples here and even ones there."""
    halves = [
        {
            labels: {ts: value for ts, value in samples.items() if ts // 7000 % 2 == half}
            for labels, samples in series.items()
        }
        for half in (0, 1)
    ]
    return MemorySource([block_of(half) for half in halves])


def as_points(result: Matrix) -> dict[Labels, list[float | None]]:
    return {
        labels: [None if gone else value for value, gone in zip(row.tolist(), is_absent(row).tolist(), strict=True)]
        for labels, row in zip(result.labels, result.values, strict=True)
    }


def ranged(source: MemorySource, expr: str) -> dict[Labels, list[float | None]]:
    return as_points(query_range(source, expr, start_ms=0, end_ms=STEPS * STEP_MS, step_ms=STEP_MS))


def same(one: dict[Labels, list[float | None]], other: dict[Labels, list[float | None]]) -> bool:
    return one.keys() == other.keys() and all(
        _equal(a, b) for labels in one for a, b in zip(one[labels], other[labels], strict=True)
    )


def _equal(a: float | None, b: float | None) -> bool:
    if a is None or b is None:
        return a is b
    return (math.isnan(a) and math.isnan(b)) or math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9)


@pytest.mark.parametrize("expr", EXPRESSIONS)
@settings(max_examples=12, deadline=None)
@given(grid=grids)
def test_a_range_is_its_instants(expr: str, grid: list[list[float]]) -> None:
    source = in_one_block(series_of(grid))
    together = ranged(source, expr)
    apart: dict[Labels, list[float | None]] = {}
    for step in range(STEPS + 1):
        at_ms = step * STEP_MS
        result = query_instant(source, expr, at_ms=at_ms)
        assert isinstance(result, Vector) or expr.startswith("scalar")
        found = (
            zip(result.labels, result.values.tolist(), strict=True)
            if isinstance(result, Vector)
            else [((), result.value)]  # type: ignore[union-attr]
        )
        for labels, value in found:
            apart.setdefault(labels, [None] * (STEPS + 1))[step] = value
    assert same(together, apart), (together, apart)


@pytest.mark.parametrize("expr", EXPRESSIONS)
@pytest.mark.parametrize("other", [one_block_each, torn_apart])
@settings(max_examples=6, deadline=None)
@given(grid=grids)
def test_how_series_lie_in_blocks_does_not_matter(
    expr: str, other: Callable[[dict[Labels, dict[int, float]]], MemorySource], grid: list[list[float]]
) -> None:
    series = series_of(grid)
    assert same(ranged(in_one_block(series), expr), ranged(other(series), expr))


@settings(max_examples=60, deadline=None)
@given(grid=grids)
def test_an_increase_of_a_counter_is_never_negative(grid: list[list[float]]) -> None:
    counters = [[0.0 if math.isnan(value) else abs(value) for value in column] for column in grid]
    for row in ranged(in_one_block(series_of(counters)), "increase(x[1m])").values():
        assert all(value is None or value >= 0 for value in row)


@settings(max_examples=60, deadline=None)
@given(grid=grids, q=st.floats(0, 1))
def test_a_quantile_lies_between_the_extremes(grid: list[list[float]], q: float) -> None:
    plain = [[0.0 if math.isnan(value) else value for value in column] for column in grid]
    source = in_one_block(series_of(plain))
    least, most, between = (ranged(source, expr)[()] for expr in ("min(x)", "max(x)", f"quantile({q}, x)"))
    for low, value, high in zip(least, between, most, strict=True):
        assert value is None or low - 1e-9 <= value <= high + 1e-9  # type: ignore[operator]


def wide(series: int, rows: int) -> MemorySource:
    labels = tuple(named("x", n=str(number)) for number in range(series))
    times = np.arange(rows, dtype=np.int64) * 1000
    return MemorySource([SeriesBlock(labels, times, np.ones((rows, series)))])


@pytest.mark.parametrize(
    ("limits", "kind", "why"),
    [
        (Limits(max_samples=999), "execution", "too many samples into memory"),
        (Limits(max_series=9), "execution", "more than 9 series"),
        (Limits(max_steps=9), "bad_data", "exceeded maximum resolution of 9 points"),
        (Limits(expired=lambda: True), "timeout", "query timed out in expression evaluation"),
    ],
)
def test_limits(limits: Limits, kind: str, why: str) -> None:
    with pytest.raises(QueryError) as caught:
        query_range(wide(10, 100), "rate(x[10s])", start_ms=0, end_ms=99_000, step_ms=1000, limits=limits)
    assert caught.value.kind == kind
    assert why in str(caught.value)


def test_time_is_looked_at_while_a_query_runs() -> None:
    looks = 0

    def expired() -> bool:
        nonlocal looks
        looks += 1
        return looks > 5

    with pytest.raises(QueryError, match="timed out"):
        query_instant(wide(10, 10), "+".join(["x"] * 20), at_ms=0, limits=Limits(expired=expired))


def test_results_that_do_not_fit_are_not_begun() -> None:
    limits = Limits(max_samples=100_000)
    with pytest.raises(QueryError, match="too many samples"):
        query_range(wide(1000, 50), "x @ 10", start_ms=0, end_ms=999_000, step_ms=1000, limits=limits)


@pytest.mark.parametrize("expr", ['count_values("v", x)', "x * on () group_left (n) topk(1, x)"])
def test_answers_that_multiply_are_stopped_in_time(expr: str) -> None:
    rows = 300
    labels = tuple(named("x", n=str(number)) for number in range(100))
    distinct = np.arange(rows * 100, dtype=np.float64).reshape(rows, 100)
    source = MemorySource([SeriesBlock(labels, np.arange(rows, dtype=np.int64) * 1000, distinct % 9973)])
    with pytest.raises(QueryError, match="too many samples"):
        query_range(source, expr, start_ms=0, end_ms=299_000, step_ms=1000, limits=Limits(max_samples=60_000))


def test_short_lived_partners_are_one() -> None:
    many = {named("x", n=str(number)): dict.fromkeys(range(0, 300_000, 1000), 2.0) for number in range(50)}
    partners = {
        named("leader", pod=str(number)): {number * 1000: 3.0, number * 1000 + 1000: STALE} for number in range(300)
    }
    source = MemorySource([block_of(many), *(block_of({labels: samples}) for labels, samples in partners.items())])
    result = query_range(
        source,
        "x * on () group_left () leader",
        start_ms=0,
        end_ms=299_000,
        step_ms=1000,
        limits=Limits(max_samples=200_000),
    )
    assert (len(result), result.values.min(), result.values.max()) == (50, 6.0, 6.0)


def test_the_later_block_wins_at_equal_times() -> None:
    labels = named("x")
    source = MemorySource([block_of({labels: {0: 1.0, 1000: 1.0}}), block_of({labels: {1000: 2.0}})])
    assert ranged(source, "sum_over_time(x[10s])")[()][0] == 1.0
    result = query_instant(source, "sum_over_time(x[10s])", at_ms=1000)
    assert isinstance(result, Vector)
    assert result.values.tolist() == [3.0]


def test_a_measured_nan_is_a_value_and_a_stale_marker_is_none() -> None:
    source = MemorySource([block_of({named("x", n="nan"): {0: math.nan}, named("x", n="stale"): {0: STALE}})])
    result = query_instant(source, "x", at_ms=0)
    assert isinstance(result, Vector)
    assert result.labels == [named("x", n="nan")]
    assert not is_stale(result.values).any()


def test_the_look_back_can_be_set() -> None:
    source = wide(1, 1)
    assert len(query_instant(source, "x", at_ms=9_000, limits=Limits(lookback_ms=10_000))) == 1  # type: ignore[arg-type]
    assert len(query_instant(source, "x", at_ms=10_000, limits=Limits(lookback_ms=10_000))) == 0  # type: ignore[arg-type]
