"""auto_arima of pmdarima on seasonal differences. Costs up to seconds a series, so it is never the default.

Only for short series of low frequency (a week of days), or for series that somebody asks it for; with a time budget.
Imports pmdarima: workers alone load this file.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import pmdarima
from threadpoolctl import threadpool_limits

from app.domain.samples import Float64s

LONGEST: Final = 336
# So many differences at least: an order is searched for, which fewer do not tell.
FEWEST: Final = 10


@dataclass(frozen=True)
class AutoArima:
    """ARIMA(p, d, q)(0, 1, 0) over the last `LONGEST` values, its orders those of the best AIC in a stepwise search.

    Orders of the season are not searched for: that costs minutes a series. `may_go_on` is asked before each series;
    once it says no, the rest are NaN.
    Source: Hyndman and Khandakar, Automatic time series forecasting: the forecast package for R, 2008.
    """

    may_go_on: Callable[[], bool] = lambda: True
    name: str = "auto_arima"

    def fit_predict(self, history: Float64s, *, horizon: int, season: int) -> Float64s:
        """See Forecaster; NaN for a series with fewer than FEWEST seasonal differences, and when time is over."""
        return self.continued(history, horizon=horizon, season=season)[0]

    def continued(self, history: Float64s, *, horizon: int, season: int) -> tuple[Float64s, list[str]]:
        """What fit_predict answers, and the orders of each series: `(2,1,1)(0,1,0)[24]`; "" where there are none."""
        out, orders = np.full((len(history), horizon), np.nan), [""] * len(history)
        for i, values in enumerate(history):
            gaps = np.flatnonzero(~np.isfinite(values))
            known = values[gaps[-1] + 1 if len(gaps) else 0 :][-LONGEST:]
            if len(known) >= season + FEWEST and self.may_go_on():
                out[i], orders[i] = _continued(known, horizon=horizon, season=season)
        return out, orders


def _continued(known: Float64s, *, horizon: int, season: int) -> tuple[Float64s, str]:
    """The seasonal difference goes on as an ARIMA, on top of the last season; NaN where no orders fit."""
    changes = known[season:] - known[:-season]
    repeated = known[len(known) - season + np.arange(horizon) % season]
    seasons = np.arange(horizon) // season + 1
    if np.ptp(changes) <= 1e-9 * max(1.0, float(np.abs(known).max())):
        return np.asarray(repeated + changes[-1] * seasons), _words((0, 0, 0), season)
    # Threads that wait for each other spin, and matrices of a few rows are no work to share.
    with warnings.catch_warnings(), threadpool_limits(limits=1):
        # Orders that do not converge are part of the search.
        warnings.simplefilter("ignore")
        try:
            model = pmdarima.auto_arima(
                changes, seasonal=False, max_d=1, max_p=3, max_q=3, max_order=5, maxiter=30, error_action="ignore",
                suppress_warnings=True,
            )  # fmt: skip
        except ValueError:
            # None of the orders that were tried could be fitted.
            return np.full(horizon, np.nan), ""
        grown = np.asarray(model.predict(n_periods=horizon), dtype=np.float64)
    # What changes in one season is there in all that follow: the differences of a slot add up.
    slots = np.concatenate([grown, np.zeros(-horizon % season)]).reshape(-1, season).cumsum(axis=0).ravel()
    return np.asarray(repeated + slots[:horizon]), _words(model.order, season)


def _words(order: tuple[int, int, int], season: int) -> str:
    return f"({','.join(map(str, order))})(0,1,0)[{season}]"
