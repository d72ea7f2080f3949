"""Functions of single values: rounding, roots, angles, clamping."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from app.domain.samples import ABSENT, Float64s
from app.promql.arguments import Arguments, Function
from app.promql.vectors import Vectors, drop_empty


def mapped(compute: Callable[[Float64s], Float64s]) -> Function:
    """The function that applies `compute` to every value of its one vector."""

    def function(arguments: Arguments) -> Vectors:
        vectors = arguments.vectors(0)
        with np.errstate(all="ignore"):
            return vectors.with_values(compute(vectors.values)).without_names()

    return function


def sign(values: Float64s) -> Float64s:
    """-1, 0 or 1; a zero keeps its sign and NaN stays NaN."""
    return np.where(values < 0, -1.0, np.where(values > 0, 1.0, values))


def round_to(arguments: Arguments) -> Vectors:
    """The nearest multiple of the second argument (1 by default), halves up."""
    vectors = arguments.vectors(0)
    nearest = arguments.scalar(1) if len(arguments) > 1 else np.ones(arguments.grid.steps)
    with np.errstate(all="ignore"):
        inverse = 1.0 / nearest[None, :]
        return vectors.with_values(np.floor(vectors.values * inverse + 0.5) / inverse).without_names()


def clamp(arguments: Arguments) -> Vectors:
    """Every value within [min, max]; nothing at steps where max is below min."""
    return _clamped(arguments.vectors(0), arguments.scalar(1), arguments.scalar(2))


def clamp_min(arguments: Arguments) -> Vectors:
    """Every value at least the given one."""
    least = arguments.scalar(1)
    return _clamped(arguments.vectors(0), least, np.full(least.shape, np.inf))


def clamp_max(arguments: Arguments) -> Vectors:
    """Every value at most the given one."""
    most = arguments.scalar(1)
    return _clamped(arguments.vectors(0), np.full(most.shape, -np.inf), most)


def smaller_of(left: Float64s, right: Float64s) -> Float64s:
    """The smaller of two; NaN if either is, save that nothing is smaller than -Inf. As Go's math.Min."""
    return np.where(np.isneginf(left) | np.isneginf(right), -np.inf, np.minimum(left, right))


def greater_of(left: Float64s, right: Float64s) -> Float64s:
    """The greater of two; NaN if either is, save that nothing is greater than +Inf. As Go's math.Max."""
    return np.where(np.isposinf(left) | np.isposinf(right), np.inf, np.maximum(left, right))


def extreme_of(pick: Callable[[Float64s, Float64s], Float64s]) -> Function:
    """The larger or smaller of two scalars at every step."""
    return lambda arguments: pick(arguments.scalar(0), arguments.scalar(1))


def _clamped(vectors: Vectors, least: Float64s, most: Float64s) -> Vectors:
    with np.errstate(invalid="ignore"):
        values = greater_of(least, smaller_of(most, vectors.values))
        values[:, most < least] = ABSENT
    return drop_empty(vectors.with_values(values)).without_names()
