"""The frozen backtest: a model's errors at past origins of values that no training saw.

Each scored origin has its ranges from the errors of the origins before it, as a forecast in service has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from app.domain.forecast import backtest, conformal
from app.domain.forecast.base import filled
from app.domain.forecast.errors_of_fit import coverage, mase, msis, scale_of, smape_pct
from app.domain.forecast.registry import FORECASTERS, NAIVE
from app.domain.mlmodels.gate import Figures
from app.domain.samples import Float64s

Predict = Callable[[Float64s], Float64s]
# Scored are the newest origin and the one two hops before; each is calibrated by the five origins that ended before it.
SCORED: Final = (0, 2)
CALIBRATED_BY: Final = 5
ORIGINS: Final = max(SCORED) + 2 + CALIBRATED_BY


def hours_needed(*, horizon: int, season: int) -> int:
    """How long a history must be for the oldest origin to have three seasons before it."""
    return horizon + (ORIGINS - 1) * (horizon // 2) + 3 * season


def figures(predict: Predict, values: Float64s, *, horizon: int, season: int) -> Figures:
    """How good `predict` (history (n, t) -> (n, horizon)) is on values (n, t); scored where all was measured.

    Raises ValueError where nothing can be scored.
    """
    known = filled(values, season)
    hop = horizon // 2
    errors = backtest.errors_at_origins(predict, known, horizon=horizon, origins=ORIGINS, hop=hop)
    naive = FORECASTERS[NAIVE]
    plain = backtest.errors_at_origins(
        lambda past: naive.fit_predict(past, horizon=horizon, season=season),
        known,
        horizon=horizon,
        origins=ORIGINS,
        hop=hop,
    )
    measured = np.where(np.isfinite(values), known, np.nan)
    found = [_at(known, measured, errors, plain, back, horizon=horizon, season=season) for back in SCORED]
    table = np.concatenate(found, axis=1)
    if not np.isfinite(table[0]).any():
        raise ValueError("no series is known for long enough to judge on")
    means = np.nanmean(table, axis=1).tolist()
    days = int(np.isfinite(table[0]).sum()) * max(horizon // season, 1)
    return Figures(**dict(zip(_NAMES, means, strict=True)), series=len(values), days=days)


_NAMES: Final = ("mase", "naive_mase", "smape_pct", "coverage_80", "coverage_95", "msis")


def _at(
    known: Float64s,
    measured: Float64s,
    errors: Float64s,
    plain: Float64s,
    back: int,
    *,
    horizon: int,
    season: int,
) -> Float64s:
    """The figures of each series at one origin, (6, n); NaN where the model could not speak or a value is missing."""
    end = known.shape[1] - horizon - back * (horizon // 2)
    past, actual = known[:, :end], known[:, end : end + horizon]
    scale = scale_of(past, season)
    mean = actual - errors[:, back]
    widths = conformal.half_widths(errors[:, back + 2 : back + 2 + CALIBRATED_BY], scale)
    ranged = conformal.banded(mean, widths, history=past, model="")
    naive = actual - plain[:, back]
    table = np.stack(
        [
            mase(actual, ranged.mean, scale),
            mase(actual, naive, scale),
            smape_pct(actual, ranged.mean),
            coverage(actual, ranged.lo80, ranged.hi80),
            coverage(actual, ranged.lo95, ranged.hi95),
            msis(actual, ranged.lo95, ranged.hi95, scale),
        ]
    )
    whole = np.isfinite(measured[:, end : end + horizon]).all(axis=1) & np.isfinite(mean).all(axis=1)
    return np.where(whole, table, np.nan)
