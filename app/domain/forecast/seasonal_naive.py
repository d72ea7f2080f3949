"""The season before, once more: what every other forecaster has to beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.domain.samples import Float64s


@dataclass(frozen=True)
class SeasonalNaive:
    """Repeats the last `seasons` seasons (1 = yesterday, 7 = the last week)."""

    seasons: int
    name: str

    def fit_predict(self, history: Float64s, *, horizon: int, season: int) -> Float64s:
        """See Forecaster; NaN for a series shorter than what is repeated."""
        length = self.seasons * season
        if history.shape[1] < length:
            return np.full((len(history), horizon), np.nan)
        return history[:, history.shape[1] - length + np.arange(horizon) % length]


class LastValue:
    """The last value, unchanged: right for what has no season."""

    name = "last_value"

    def fit_predict(self, history: Float64s, *, horizon: int, season: int) -> Float64s:
        """See Forecaster."""
        return np.repeat(history[:, -1:], horizon, axis=1)
