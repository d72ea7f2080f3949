"""Exponential smoothing per slot of the season, and the profile of the week: vectorised over series."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.domain.samples import Float64s

RECENT_SEASONS = 28


@dataclass(frozen=True)
class SeasonalSmoothing:
    """Each slot of the season is smoothed over the seasons with weight `alpha` on the newest."""

    alpha: float = 0.4
    name: str = "seasonal_smoothing"

    def fit_predict(self, history: Float64s, *, horizon: int, season: int) -> Float64s:
        """See Forecaster; NaN for a series shorter than two seasons."""
        n, t = history.shape
        seasons = min(t // season, RECENT_SEASONS)
        if seasons < 2:
            return np.full((n, horizon), np.nan)
        slots = history[:, t - seasons * season :].reshape(n, seasons, season)
        level = slots[:, 0]
        for at in range(1, seasons):
            level = np.where(np.isnan(level), slots[:, at], level + self.alpha * (slots[:, at] - level))
        return level[:, np.arange(horizon) % season]


@dataclass(frozen=True)
class WeekProfile:
    """The mean form of the last `weeks` weeks, moved to the level of the last season."""

    weeks: int = 3
    name: str = "week_profile"

    def fit_predict(self, history: Float64s, *, horizon: int, season: int) -> Float64s:
        """See Forecaster; NaN for a series shorter than two weeks of seven seasons."""
        n, t = history.shape
        week = 7 * season
        weeks = min(t // week, self.weeks)
        if weeks < 2:
            return np.full((n, horizon), np.nan)
        form = history[:, t - weeks * week :].reshape(n, weeks, week).mean(axis=1)
        moved = (history[:, -season:] - form[:, -season:]).mean(axis=1)
        return np.asarray(form[:, np.arange(horizon) % week] + moved[:, None])
