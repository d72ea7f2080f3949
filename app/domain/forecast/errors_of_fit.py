"""How wrong a forecast was: MASE, sMAPE, MSIS and coverage, one figure a series."""

from __future__ import annotations

import numpy as np

from app.domain.samples import Float64s

TINY = 1e-12


def scale_of(history: Float64s, season: int) -> Float64s:
    """Mean absolute error of seasonal naive in the history, (n,); the lag is 1 where a season does not fit.

    A constant series answers 1e-9 of its size (at least 1e-9), so that ratios stay finite.
    Source: Hyndman and Koehler, Another look at measures of forecast accuracy, 2006.
    """
    lag = season if history.shape[1] > season else 1
    steps = np.abs(history[:, lag:] - history[:, :-lag])
    count = (~np.isnan(steps)).sum(axis=1)
    mean = np.nansum(steps, axis=1) / np.maximum(count, 1)
    size = np.nanmax(np.abs(np.where(np.isnan(history), 0.0, history)), axis=1, initial=0.0)
    return np.asarray(np.maximum(mean, 1e-9 * np.maximum(size, 1.0)))


def mase(actual: Float64s, mean: Float64s, scale: Float64s) -> Float64s:
    """Mean absolute error in units of `scale` (n,)."""
    return np.asarray(np.abs(actual - mean).mean(axis=1) / scale)


def smape_pct(actual: Float64s, mean: Float64s) -> Float64s:
    """Symmetric mean absolute percentage error, 0 to 200."""
    size = np.abs(actual) + np.abs(mean)
    return np.asarray((200 * np.abs(actual - mean) / np.maximum(size, TINY)).mean(axis=1))


def coverage(actual: Float64s, low: Float64s, high: Float64s) -> Float64s:
    """Share of the actual values inside [low, high]."""
    return np.asarray(((actual >= low) & (actual <= high)).mean(axis=1))


def msis(actual: Float64s, low: Float64s, high: Float64s, scale: Float64s) -> Float64s:
    """Mean scaled interval score of a 95 % interval. Source: M4 competition, Makridakis et al. 2020."""
    below, above = np.maximum(low - actual, 0), np.maximum(actual - high, 0)
    return np.asarray((high - low + 40 * (below + above)).mean(axis=1) / scale)
