"""Functions of change over a range: rate and its like, resets, changes, regression.

Each takes the windows of one block and answers (steps, n), ABSENT where there is nothing to say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.domain.samples import Float64s, Int64s, absent_array
from app.errors import QueryError
from app.promql.vectors import Bools
from app.promql.windows import Edges, Slice, Windows


@dataclass(frozen=True)
class Ends:
    """What extrapolation needs of the windows: samples in each, the first of them, and when it and the last were."""

    edges: Edges
    counts: NDArray[np.intp] | Float64s
    first: Float64s
    first_ms: Int64s | Float64s
    last_ms: Int64s | Float64s


def rate(windows: Windows) -> Float64s:
    """Per-second increase of a counter, extrapolated to the range's edges."""
    return _extrapolated(windows, is_counter=True, is_rate=True)


def increase(windows: Windows) -> Float64s:
    """Increase of a counter over the range, extrapolated to its edges."""
    return _extrapolated(windows, is_counter=True, is_rate=False)


def delta(windows: Windows) -> Float64s:
    """Difference of a gauge between the range's edges, extrapolated to them."""
    return _extrapolated(windows, is_counter=False, is_rate=False)


def irate(windows: Windows) -> Float64s:
    """Per-second increase between the last two samples of a counter."""
    earlier = windows.at(windows.before_last_rows)
    elapsed_s = (windows.ts_ms[windows.last_rows] - windows.ts_ms[windows.before_last_rows]) / 1000
    with np.errstate(all="ignore"):
        # After a reset the counter has counted from zero up to its present value.
        grown = np.where(windows.last < earlier, windows.last, windows.last - earlier)
        return windows.only(grown / elapsed_s, least=2)


def idelta(windows: Windows) -> Float64s:
    """Difference between the last two samples."""
    with np.errstate(all="ignore"):
        return windows.only(windows.last - windows.at(windows.before_last_rows), least=2)


def changes(windows: Windows) -> Float64s:
    """How often the value changed within the range; from NaN to NaN is no change."""
    current, before, both = windows.pairs()
    changed = (current != before) & ~(np.isnan(current) & np.isnan(before)) & both
    return windows.only(windows.between_first_and_last(changed.astype(np.float64)))


def resets(windows: Windows) -> Float64s:
    """How often a counter fell within the range."""
    current, before, both = windows.pairs()
    with np.errstate(invalid="ignore"):
        fell = (current < before) & both
    return windows.only(windows.between_first_and_last(fell.astype(np.float64)))


def deriv(windows: Windows) -> Float64s:
    """Per-second slope of the least-squares line through the samples of the range."""
    result = absent_array(windows.shape)
    for window in windows.slices():
        result[window.step], _ = _regression(window, int(window.ts_ms[0]))
    return windows.only(result, least=2)


def predict_linear(windows: Windows, ahead_s: Float64s) -> Float64s:
    """The least-squares line of the range, `ahead_s` (steps,) seconds after the evaluation time."""
    result = absent_array(windows.shape)
    for window in windows.slices():
        slope, intercept = _regression(window, int(windows.edges.at_ms[window.step]))
        with np.errstate(all="ignore"):
            result[window.step] = slope * ahead_s[window.step] + intercept
    return windows.only(result, least=2)


def double_exponential_smoothing(windows: Windows, smoothing: Float64s, trend: Float64s) -> Float64s:
    """The last value of a double exponential smoothing over the range (Holt's linear method)."""
    _check_factor("smoothing", smoothing)
    _check_factor("trend", trend)
    result = absent_array(windows.shape)
    for window in windows.slices():
        result[window.step] = _smoothed(window, float(smoothing[window.step]), float(trend[window.step]))
    return windows.only(result, least=2)


def extrapolated(ends: Ends, grown: Float64s, *, is_counter: bool, is_rate: bool) -> Float64s:
    """What `grown` between the first and the last sample comes to over the whole range; (steps, n).

    Source: Prometheus's documentation of rate() and its extrapolation; a window reaches the range's edge if that
    is nearer than 1.1 mean sample distances, else half a distance; a counter never below zero.
    """
    edges = ends.edges
    with np.errstate(all="ignore"):
        sampled_s = (ends.last_ms - ends.first_ms) / 1000
        between_s = sampled_s / (ends.counts - 1)
        threshold_s = between_s * 1.1
        to_start_s = (ends.first_ms - (edges.end_ms - edges.range_ms)[:, None]) / 1000
        to_start_s = np.where(to_start_s >= threshold_s, between_s / 2, to_start_s)
        to_end_s = (edges.end_ms[:, None] - ends.last_ms) / 1000
        to_end_s = np.where(to_end_s >= threshold_s, between_s / 2, to_end_s)
        unit_s = edges.range_ms / 1000 if is_rate else 1.0
        result = grown * ((sampled_s + to_start_s + to_end_s) / sampled_s / unit_s)
        if is_counter:
            to_zero_s = sampled_s * (ends.first / grown)
            nearer = (to_zero_s < to_start_s) & (grown > 0) & (ends.first >= 0)
            # Few: where all series have the same times, the factor above is one number a step.
            if nearer.any():
                sampled_s, to_end_s = (np.broadcast_to(each, nearer.shape)[nearer] for each in (sampled_s, to_end_s))
                result[nearer] = grown[nearer] * ((sampled_s + to_zero_s[nearer] + to_end_s) / sampled_s / unit_s)
        return result


def _extrapolated(windows: Windows, *, is_counter: bool, is_rate: bool) -> Float64s:
    first_ms, last_ms = windows.ts_ms[windows.first_rows], windows.ts_ms[windows.last_rows]
    with np.errstate(all="ignore"):
        grown = windows.last - windows.first
        if is_counter:
            grown = _add_resets(windows, grown)
    ends = Ends(windows.edges, windows.counts, windows.first, first_ms, last_ms)
    return windows.only(extrapolated(ends, grown, is_counter=is_counter, is_rate=is_rate), least=2)


def _add_resets(windows: Windows, grown: Float64s) -> Float64s:
    """What the counter had reached at each reset inside the window was counted too."""
    current, before, both = windows.pairs()
    fell = (current < before) & both
    if not fell.any():
        return grown
    lost = np.where(fell, before, 0.0)
    endless = np.isinf(lost)
    if not endless.any():
        return grown + windows.between_first_and_last(lost)
    # An infinite value would stay in the running sum for ever, so those resets are counted apart.
    grown = grown + windows.between_first_and_last(np.where(endless, 0.0, lost))
    hit = windows.between_first_and_last(endless.astype(np.float64)) > 0
    return np.where(hit, grown + np.inf, grown)


def _regression(window: Slice, intercept_ms: int) -> tuple[Float64s, Float64s]:
    """Slope and intercept (n,) of the least-squares line; sums carry extra digits as Kahan's would."""
    x = ((window.ts_ms - intercept_ms) / 1000)[:, None]
    y = window.values
    present = window.present
    first = y[np.argmax(present, axis=0), np.arange(y.shape[1])]
    with np.errstate(all="ignore"):
        n = present.sum(axis=0).astype(np.float64)
        sum_x, sum_y = _long_sum(x, present), _long_sum(y, present)
        sum_xy, sum_xx = _long_sum(x * y, present), _long_sum(x * x, present)
        covariance = sum_xy - sum_x * sum_y / n
        slope = covariance / (sum_xx - sum_x * sum_x / n)
        intercept = sum_y / n - slope * sum_x / n
        is_constant = ((y == first) | ~present).all(axis=0)
        level = np.where(np.isinf(first), np.nan, first)
    return (
        np.where(is_constant, np.where(np.isinf(first), np.nan, 0.0), slope),
        np.where(is_constant, level, intercept),
    )


def _long_sum(amounts: Float64s, present: Bools) -> Float64s:
    wide = np.broadcast_to(amounts, present.shape)
    total: Float64s = wide.sum(axis=0, where=present, dtype=np.longdouble).astype(np.float64)
    return total


def _check_factor(name: str, factors: Float64s) -> None:
    wrong = factors[~((factors > 0) & (factors < 1))]
    if wrong.size:
        symbol = name[0] + "f"
        raise QueryError(f"invalid {name} factor. Expected: 0 < {symbol} < 1, got: {wrong[0]:f}", kind="execution")


def _smoothed(window: Slice, smoothing: float, trend: float) -> Float64s:
    count = np.zeros(window.values.shape[1], dtype=np.intp)
    level_before = np.zeros(window.values.shape[1])
    level = np.zeros(window.values.shape[1])
    slope = np.zeros(window.values.shape[1])
    with np.errstate(all="ignore"):
        for value, present in zip(window.values, window.present, strict=True):
            # The first sample is the level, the second gives the first slope.
            slope = np.where(
                present & (count == 1),
                value - level,
                np.where(present & (count > 1), trend * (level - level_before) + (1 - trend) * slope, slope),
            )
            following = np.where(count == 0, value, smoothing * value + (1 - smoothing) * (level + slope))
            level_before = np.where(present & (count > 0), level, level_before)
            level = np.where(present, following, level)
            count = count + present
    return level
