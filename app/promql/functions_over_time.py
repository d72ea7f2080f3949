"""The *_over_time functions: one number for all samples of a range.

Each takes the windows of one block and answers (steps, n), ABSENT where the range is empty.
"""

from __future__ import annotations

import numpy as np

from app.domain.samples import ABSENT, Float64s, absent_array
from app.promql.quantile import quantile_of_columns
from app.promql.sums import Rows, add_segments, reduce_segments
from app.promql.windows import Slice, Windows


def sum_over_time(windows: Windows) -> Float64s:
    """The sum of the samples."""
    return windows.only(_sums(windows, 1.0))


def avg_over_time(windows: Windows) -> Float64s:
    """The mean of the samples."""
    with np.errstate(all="ignore"):
        means = _sums(windows, 1.0) / windows.counts
        if np.isinf(means).any():
            # Either an infinite sample, or a sum that overflowed although the mean does not.
            scale = float(2.0 ** -np.ceil(np.log2(len(windows.ts_ms) + 1)))
            means = np.where(np.isinf(means), _sums(windows, scale) / windows.counts / scale, means)
    return windows.only(means)


def count_over_time(windows: Windows) -> Float64s:
    """How many samples there are."""
    return windows.only(windows.counts.astype(np.float64))


def min_over_time(windows: Windows) -> Float64s:
    """The smallest sample; NaN only if all are."""
    return windows.only(reduce_segments(np.fmin, _or_nan(windows), _bounds(windows)))


def max_over_time(windows: Windows) -> Float64s:
    """The largest sample; NaN only if all are."""
    return windows.only(reduce_segments(np.fmax, _or_nan(windows), _bounds(windows)))


def last_over_time(windows: Windows) -> Float64s:
    """The most recent sample."""
    return windows.only(windows.last.copy())


def first_over_time(windows: Windows) -> Float64s:
    """The oldest sample."""
    return windows.only(windows.first.copy())


def present_over_time(windows: Windows) -> Float64s:
    """1 wherever there is any sample."""
    return windows.only(np.ones(windows.shape))


def ts_of_first_over_time(windows: Windows) -> Float64s:
    """When the oldest sample was taken, in seconds."""
    return windows.only(windows.ts_ms[windows.first_rows] / 1000)


def ts_of_last_over_time(windows: Windows) -> Float64s:
    """When the most recent sample was taken, in seconds."""
    return windows.only(windows.ts_ms[windows.last_rows] / 1000)


def ts_of_max_over_time(windows: Windows) -> Float64s:
    """When the largest sample was taken (the last of equals), in seconds."""
    return _time_of(windows, -np.inf, 1.0)


def ts_of_min_over_time(windows: Windows) -> Float64s:
    """When the smallest sample was taken (the last of equals), in seconds."""
    return _time_of(windows, np.inf, -1.0)


def stddev_over_time(windows: Windows) -> Float64s:
    """The population standard deviation of the samples."""
    variances = stdvar_over_time(windows)
    with np.errstate(invalid="ignore"):
        return windows.only(np.sqrt(variances))


def stdvar_over_time(windows: Windows) -> Float64s:
    """The population variance of the samples."""
    result = absent_array(windows.shape)
    for window in windows.slices():
        with np.errstate(all="ignore"):
            count = window.present.sum(axis=0)
            # Around some sample of the window: equal samples then differ by exactly nothing.
            reference = np.fmax.reduce(window.values, axis=0, where=window.present, initial=-np.inf)
            shifted = window.values - reference
            mean = shifted.sum(axis=0, where=window.present) / count
            result[window.step] = ((shifted - mean) ** 2).sum(axis=0, where=window.present) / count
    return windows.only(result)


def quantile_over_time(windows: Windows, q: Float64s) -> Float64s:
    """The q-quantile of the samples; `q` is (steps,)."""
    result = absent_array(windows.shape)
    for window in windows.slices():
        result[window.step] = quantile_of_columns(float(q[window.step]), window.values, window.present)
    return windows.only(result)


def mad_over_time(windows: Windows) -> Float64s:
    """The median absolute deviation of the samples; NaN as soon as one of them is."""
    result = absent_array(windows.shape)
    for window in windows.slices():
        result[window.step] = _median_deviation(window)
    return windows.only(result)


def _median_deviation(window: Slice) -> Float64s:
    with np.errstate(all="ignore"):
        median = quantile_of_columns(0.5, window.values, window.present)
        deviation = quantile_of_columns(0.5, np.abs(window.values - median), window.present)
    return np.where((np.isnan(window.values) & window.present).any(axis=0), np.nan, deviation)


def _bounds(windows: Windows) -> Rows:
    return np.stack([windows.begin, windows.end], axis=1)


def _sums(windows: Windows, scale: float) -> Float64s:
    values = windows.values if windows.present is None else np.where(windows.present, windows.values, 0.0)
    return add_segments(values if scale == 1.0 else values * scale, _bounds(windows))


def _or_nan(windows: Windows) -> Float64s:
    return windows.values if windows.present is None else np.where(windows.present, windows.values, np.nan)


def _time_of(windows: Windows, worst: float, sign: float) -> Float64s:
    result = np.full(windows.shape, ABSENT)
    for window in windows.slices():
        numbers = window.present & ~np.isnan(window.values)
        keys = sign * np.where(numbers, window.values, worst)
        # NaN counts only where there is nothing else: then the last sample is the one.
        among = np.where(numbers.any(axis=0), numbers & (keys == keys.max(axis=0)), window.present)
        last_of_best = len(among) - 1 - np.argmax(among[::-1], axis=0)
        result[window.step] = window.ts_ms[last_of_best] / 1000
    return windows.only(result)
