"""Arithmetic and comparison, cell by cell; no labels here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from app.domain.samples import ABSENT, Float64s
from app.promql.vectors import Bools, Vectors

Arithmetic = Callable[[Float64s, Float64s], Float64s]
Comparison = Callable[[Float64s, Float64s], Bools]

ARITHMETIC: Mapping[str, Arithmetic] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.fmod,
    "^": np.power,
    "atan2": np.arctan2,
}
COMPARISONS: Mapping[str, Comparison] = {
    "==": np.equal,
    "!=": np.not_equal,
    ">": np.greater,
    "<": np.less,
    ">=": np.greater_equal,
    "<=": np.less_equal,
}
SET_OPERATORS = frozenset({"and", "or", "unless"})


def combine_scalars(op: str, left: Float64s, right: Float64s) -> Float64s:
    """Two scalars over the steps; a comparison answers 0 or 1."""
    with np.errstate(all="ignore"):
        if op in COMPARISONS:
            return COMPARISONS[op](left, right).astype(np.float64)
        return ARITHMETIC[op](left, right)


def combine_cells(op: str, left: Float64s, right: Float64s) -> tuple[Float64s, Bools | None]:
    """Two vectors' cells: the values, and which of them a comparison keeps (None: no comparison)."""
    with np.errstate(all="ignore"):
        if op in COMPARISONS:
            return left, COMPARISONS[op](left, right)
        return ARITHMETIC[op](left, right), None


def combine_with_scalar(op: str, vectors: Vectors, scalar: Float64s, *, swapped: bool, is_bool: bool) -> Vectors:
    """A vector and a scalar (steps,); `swapped` when the scalar stands on the left.

    A comparison keeps the vector's own value, on whichever side it stands.
    """
    left, right = (scalar[None, :], vectors.values) if swapped else (vectors.values, scalar[None, :])
    values, kept = combine_cells(op, left, right)
    if kept is None:
        return vectors.with_values(values).without_names()
    if is_bool:
        return vectors.with_values(kept.astype(np.float64)).without_names()
    return Vectors(vectors.labels, np.where(kept & vectors.present, vectors.values, ABSENT))
