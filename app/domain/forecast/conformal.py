"""Ranges that hold what they say: widths from a model's own past errors, moved by what it hit and missed since.

Source: split conformal prediction (Lei et al. 2018) on rolling origins; adaptive conformal inference (Gibbs and
Candès 2021).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from app.domain.forecast.base import LEVELS, Forecast
from app.domain.samples import Float64s

OWN_SHARE: Final = 0.8
# Errors of overlapping origins are not independent: so many count in the finite-sample correction.
INDEPENDENT: Final = 100
NORMAL: Final = (1.2816, 1.96)
FEW_SERIES: Final = 8
RATE: Final = 0.1
WIDEST: Final = 4.0


def half_widths(errors: Float64s, scale: Float64s) -> Float64s:
    """Half the width of the range at each level, (levels, n, h).

    `errors` (n, r, h) are actual minus expected at r past origins, NaN where unknown; `scale` (n,) as in errors_of_fit.
    A series' own quantile (steps pooled, after the family's growth with the step is taken out) is drawn to the
    family's; a family of few series has the own one alone. NaN where a series has no error and no family.
    """
    size = np.abs(errors) / scale[:, None, None]
    growth = _growth(size)
    flat = (size / growth).reshape(len(size), -1)
    flat = np.where(
        np.isnan(flat).all(axis=1, keepdims=True), np.nanmedian(flat) if np.isfinite(flat).any() else 0, flat
    )
    share = OWN_SHARE if len(flat) >= FEW_SERIES else 1.0
    out = np.empty((len(LEVELS), *errors[:, 0].shape))
    for at, level in enumerate(LEVELS):
        own = np.maximum(np.nanquantile(flat, min(1.0, level * (1 + 1 / INDEPENDENT)), axis=1), 1e-9)
        family = max(float(np.nanmedian(own)), 1e-9)
        out[at] = (own**share * family ** (1 - share) * scale)[:, None] * growth
    return out


def stepwise(history: Float64s, horizon: int) -> Float64s:
    """Half widths of a random walk with the history's own steps, for what is too short to look back; (levels, n, h)."""
    moves = np.diff(history, axis=1)
    spread = np.sqrt(np.nansum(moves**2, axis=1) / np.maximum((~np.isnan(moves)).sum(axis=1), 1))
    return np.asarray(np.multiply.outer(np.array(NORMAL), spread[:, None] * np.sqrt(np.arange(1, horizon + 1))))


def floor_of(history: Float64s) -> Float64s:
    """What no series of (n, t) is expected to fall below, (n,): 0 where it was never negative, else -inf."""
    return np.where(np.nanmin(np.where(np.isnan(history), np.inf, history), axis=1) >= 0, 0.0, -np.inf)


def banded(mean: Float64s, widths: Float64s, *, history: Float64s, model: str) -> Forecast:
    """The forecast with its ranges; where the history (n, t) was never negative, neither are they."""
    return bounded(mean, widths, floor=floor_of(history), model=model)


def bounded(mean: Float64s, widths: Float64s, *, floor: Float64s, model: str) -> Forecast:
    """The forecast with its ranges, mean (n, h), half widths (levels, n, h); nothing is below its floor (n,)."""
    floor = floor[:, None]
    low80, high80, low95, high95 = (mean - widths[0], mean + widths[0], mean - widths[1], mean + widths[1])
    centre, low80, high80 = np.maximum(mean, floor), np.maximum(low80, floor), np.maximum(high80, floor)
    low95, high95 = np.maximum(np.minimum(low95, low80), floor), np.maximum(high95, high80)
    return Forecast(mean=centre, lo80=low80, hi80=high80, lo95=low95, hi95=high95, model=model)


def recalibrated(factor: Float64s, held: Float64s, *, level: float) -> Float64s:
    """The factor on the widths after `held` (share of new values inside, NaN = none came): wider after misses."""
    moved = factor * np.exp(RATE * (level - held) / (1 - level))
    return np.where(np.isnan(held), factor, np.clip(moved, 1 / WIDEST, WIDEST))


def _growth(size: Float64s) -> Float64s:
    """How the family's error grows with the step, (h,), mean 1, smoothed over neighbouring steps."""
    horizon = size.shape[2]
    known = ~np.isnan(size)
    capped = np.minimum(np.where(known, size, 0.0), 20.0)
    raw = np.sqrt(capped).sum(axis=(0, 1)) / np.maximum(known.sum(axis=(0, 1)), 1)
    reach = max(1, horizon // 8)
    padded = np.pad(raw, reach, mode="edge")
    smooth = np.convolve(padded, np.full(2 * reach + 1, 1 / (2 * reach + 1)), mode="valid") ** 2
    if len(size) < FEW_SERIES or smooth.mean() <= 0:
        return np.ones(horizon)
    return np.asarray(np.maximum(smooth / smooth.mean(), 0.1))
