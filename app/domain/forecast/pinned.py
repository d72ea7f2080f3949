"""Series that somebody wants auto_arima for: seconds each, so they are few, and done in a queue of their own.

Imports pmdarima: workers alone load this file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.domain.forecast import backtest, conformal
from app.domain.forecast.arima import AutoArima
from app.domain.forecast.base import Forecaster, filled
from app.domain.forecast.outlook import HORIZON_H, SEASON_H
from app.domain.forecast.registry import FORECASTERS, NAIVE
from app.domain.samples import Float64s

# Of so many past origins, one horizon apart, its errors are measured: each is a search for orders.
ORIGINS = 2


@dataclass(frozen=True)
class Pinned:
    """Forecasts of n series: mean (n, h), half widths (levels, n, h), floor (n,).

    `is_better` (n,): whether it beats seasonal naive at the past origins; what does not is not shown.
    `ratio` (n,): its mean absolute error there in units of seasonal naive's, NaN where either could not speak.
    `orders`: of each series as `(2,1,1)(0,1,0)[24]`, "" where no orders fit or no time was left.
    """

    mean: Float64s
    widths: Float64s
    floor: Float64s
    is_better: NDArray[np.bool_]
    ratio: Float64s
    orders: tuple[str, ...]


def foretell(history: Float64s, *, may_go_on: Callable[[], bool]) -> Pinned:
    """The next hours of series (n, t) by auto_arima; what there was no more time for is not better."""
    past = filled(history, SEASON_H)
    arima = AutoArima(may_go_on)
    errors, naive = (_errors(forecaster, past) for forecaster in (arima, FORECASTERS[NAIVE]))
    mean, orders = arima.continued(past, horizon=HORIZON_H, season=SEASON_H)
    own, naives = (np.abs(each).mean(axis=(1, 2)) for each in (errors, naive))
    # One that could not speak has NaN here, and NaN is never less.
    is_better = own < naives
    return Pinned(
        mean=mean,
        widths=backtest.widths_of(past, errors, season=SEASON_H),
        floor=conformal.floor_of(past),
        is_better=is_better & np.isfinite(mean).all(axis=1),
        ratio=np.divide(own, naives, out=np.full(len(own), np.nan), where=naives > 0),
        orders=tuple(orders),
    )


def _errors(forecaster: Forecaster, past: Float64s) -> Float64s:
    return backtest.errors_at_origins(
        lambda seen: forecaster.fit_predict(seen, horizon=HORIZON_H, season=SEASON_H),
        past,
        horizon=HORIZON_H,
        origins=ORIGINS,
        hop=HORIZON_H,
    )
