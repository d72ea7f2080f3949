"""Tier 1: how far an hour is from what was forecast for it, of series whose days are alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from app.domain.forecast.base import Forecast
from app.domain.samples import Float64s

# So many half widths of the 95 % range off the mean is the boundary: one hour in twenty is one half width off.
BOUNDARY: Final = 2.5
# A season is strong when the forecast swings by so many half widths: else tier 0 says as much.
STRONG: Final = 2.0


@dataclass(frozen=True)
class Residuals:
    """What the forecast says of one hour, all (n,): score (1.0 is the boundary), the 95 % range and the mean.

    The score is NaN where the season is weak or the hour's value is missing.
    """

    score: Float64s
    expected_lo: Float64s
    expected_hi: Float64s
    mean: Float64s


def judge(values: Float64s, forecast: Forecast, *, hour: int) -> Residuals:
    """Judge values (n,) of the forecast's hour number `hour`, counted from 0."""
    mean, low, high = forecast.mean[:, hour], forecast.lo95[:, hour], forecast.hi95[:, hour]
    half = (forecast.hi95 - forecast.lo95).mean(axis=1) / 2
    swing = forecast.mean.max(axis=1) - forecast.mean.min(axis=1)
    width = np.where(values > mean, high - mean, mean - low)
    is_judged = (swing >= STRONG * half) & (width > 0) & np.isfinite(values)
    score = np.full(len(values), np.nan)
    score[is_judged] = np.abs(values - mean)[is_judged] / (BOUNDARY * width[is_judged])
    return Residuals(score, low, high, mean)
