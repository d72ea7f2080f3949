"""Quantiles of columns, as quantile() and quantile_over_time() define them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from app.domain.samples import Float64s
from app.promql.format import format_plain
from app.promql.vectors import Bools


def quantile_of_columns(q: Float64s | float, values: Float64s, present: Bools) -> Float64s:
    """The q-quantile along the first axis, over the cells that are present; interpolated between neighbours.

    `q` broadcasts against the other axes. NaN counts as the smallest value; q below 0 answers -Inf, above 1 +Inf.
    A column without any sample answers something meaningless.
    """
    numbers = present & ~np.isnan(values)
    counts = present.sum(axis=0)
    nans = counts - numbers.sum(axis=0)
    # NaN to the front and missing cells to the back, so that an index counts samples only.
    keys = np.where(numbers, values, np.where(present, -np.inf, np.inf))
    keys.sort(axis=0)
    share = np.broadcast_to(np.asarray(q, dtype=np.float64), counts.shape)
    with np.errstate(all="ignore"):
        rank = np.where((share >= 0) & (share <= 1), share, 0.0) * np.maximum(counts - 1, 0)
        lower = np.floor(rank).astype(np.intp)
        upper = np.minimum(np.maximum(counts - 1, 0), lower + 1)
        weight = rank - lower
        picked = [
            np.where(index < nans, np.nan, np.take_along_axis(keys, index[None], axis=0)[0]) for index in (lower, upper)
        ]
        result = picked[0] * (1 - weight) + picked[1] * weight
    result = np.where(share < 0, -np.inf, np.where(share > 1, np.inf, result))
    return np.where(np.isnan(share), np.nan, result)


def warn_of_quantile(warn: Callable[[str], None], q: Float64s) -> None:
    """Prometheus's warning about a quantile outside 0 to 1."""
    wrong = q[~((q >= 0) & (q <= 1))]
    if wrong.size:
        shown = format_plain(float(wrong[0]))
        warn(f"PromQL warning: quantile value should be between 0 and 1, got {shown}")
