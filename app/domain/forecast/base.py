"""What every forecaster takes and answers. Imports numpy only: queries and pages use these types.

A history is (n, t) float64: n series of one step and one season, the newest value last. A series that began later has
NaN at the left; a gap is NaN. A forecast is (n, h), or (h,) for one series.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from app.domain.samples import Float64s

LEVELS: Final = (0.80, 0.95)


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """Expected values with the ranges that hold 80 % and 95 % of what comes; (h,) or (n, h) each."""

    mean: Float64s
    lo80: Float64s
    hi80: Float64s
    lo95: Float64s
    hi95: Float64s
    model: str

    def of(self, i: int, *, model: str | None = None) -> Forecast:
        """Series `i` of a forecast of many."""
        mean, lo80, hi80, lo95, hi95 = (each[i] for each in (self.mean, self.lo80, self.hi80, self.lo95, self.hi95))
        return Forecast(mean=mean, lo80=lo80, hi80=hi80, lo95=lo95, hi95=hi95, model=model or self.model)


class Forecaster(Protocol):
    """A way to continue series from their own past alone."""

    @property
    def name(self) -> str:
        """The word for it in results, tables and logs."""
        ...

    def fit_predict(self, history: Float64s, *, horizon: int, season: int) -> Float64s:
        """The next `horizon` values of each series, (n, h); NaN where the history is too short for this way."""
        ...


def filled(history: Float64s, season: int) -> Float64s:
    """The history with each gap after a series' first value closed: by the value a season before, else the last one.

    What precedes the first value stays NaN. Infinite values count as gaps.
    """
    out = np.where(np.isfinite(history), history, np.nan)
    if not np.isnan(out).any():
        return out
    for at in range(1, out.shape[1]):
        gap = np.isnan(out[:, at])
        if gap.any():
            before = out[:, at - season] if at >= season else np.full(len(out), np.nan)
            out[gap, at] = np.where(np.isnan(before), out[:, at - 1], before)[gap]
    return out
