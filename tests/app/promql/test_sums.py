"""Sums over segments of rows: the same to the bit however many columns there are and however long segments are."""

from __future__ import annotations

import numpy as np
import pytest

from app.domain.samples import Float64s
from app.promql.sums import EXACT_INTEGERS, Rows, add_segments, is_exact_in_any_order, reduce_segments


def bits_of(values: Float64s) -> np.ndarray[tuple[int, ...], np.dtype[np.uint64]]:
    return np.ascontiguousarray(values).view(np.uint64)


def column_by_column(values: Float64s, bounds: Rows) -> Float64s:
    return np.concatenate([reduce_segments(np.add, column[:, None], bounds) for column in values.T], axis=1)


@pytest.mark.parametrize("longest", [1, 2, 3, 5, 8, 9, 40])
def test_many_columns_are_added_as_one_is(longest: int) -> None:
    random = np.random.default_rng(longest)
    values = random.standard_normal((60, 300)) * 10.0 ** random.uniform(-12, 12, (60, 300))
    values[random.random(values.shape) < 0.1] = -0.0
    values[random.random(values.shape) < 0.01] = np.inf
    begins = np.sort(random.integers(0, 60, 50))
    bounds = np.stack([begins, np.minimum(begins + random.integers(1, longest + 1, 50), 60)], axis=1)
    found = reduce_segments(np.add, values, bounds)
    assert (bits_of(found) == bits_of(column_by_column(values, bounds))).all()


@pytest.mark.parametrize("columns", [1, 300])
@pytest.mark.parametrize(
    ("which", "bounds", "sums"),
    [
        ("to the end", [[0, 2], [2, 4]], [3, 7]),
        ("the last ends before the others", [[0, 4], [1, 4], [0, 1]], [10, 9, 1]),
        ("only the first rows", [[0, 1], [1, 3]], [1, 5]),
        ("none", [], []),
    ],
)
def test_segments(columns: int, which: str, bounds: list[list[int]], sums: list[float]) -> None:
    values = np.repeat(np.arange(1.0, 5.0)[:, None], columns, axis=1)
    found = add_segments(values, np.array(bounds, dtype=np.intp).reshape(-1, 2))
    assert found.tolist() == [[total] * columns for total in sums], which


@pytest.mark.parametrize(
    ("reality", "values", "is_exact"),
    [
        ("octets", [1.0, 2e9, -3.0], True),
        ("beyond what is exact", [EXACT_INTEGERS / 2, EXACT_INTEGERS / 2], False),
        ("seconds", [1.5, 2.0], False),
        ("endless ones aside", [np.inf, 4.0, -np.inf, np.nan], True),
        ("endless ones aside, a half", [np.inf, 0.5], False),
        ("a total that is too large", [1.7e308, 1.7e308], False),
        ("nothing", [], True),
    ],
)
def test_whether_order_matters(reality: str, values: list[float], is_exact: bool) -> None:
    assert is_exact_in_any_order(np.array(values)) == is_exact, reality
