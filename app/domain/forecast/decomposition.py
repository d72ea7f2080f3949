"""Level, day and week taken apart and put together again: for series whose day and week differ in kind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.domain.samples import Float64s

WEEK = 7
MOST_WEEKS = 5


@dataclass(frozen=True)
class Decomposition:
    """Level + form of the day + form of the week; the level goes on with its damped drift.

    The level is the mean of one week around each value, the forms are means of what is left, the day first, both with
    weight `recent` more on each newer week. After MSTL (Bandara, Hyndman and Bergmeir 2021), with moving means in place
    of loess so that thousands of series are one calculation.
    """

    damping: float = 0.5
    recent: float = 1.5
    name: str = "decomposition"

    def fit_predict(self, history: Float64s, *, horizon: int, season: int) -> Float64s:
        """See Forecaster; NaN for a series shorter than two weeks of seven seasons.

        >>> weeks = np.tile(np.arange(14.0), 4)[None]
        >>> Decomposition().fit_predict(weeks, horizon=3, season=2).round(6)
        array([[0., 1., 2.]])
        """
        n, t = history.shape
        length = WEEK * season
        out = np.full((n, horizon), np.nan)
        gaps = np.isnan(history)
        known = np.where(gaps.any(axis=1), gaps[:, ::-1].argmax(axis=1), t)
        weeks = np.minimum(known // length, MOST_WEEKS)
        for count in np.unique(weeks[weeks >= 2]).tolist():
            chosen = weeks == count
            out[chosen] = self._continued(history[chosen, t - count * length :], horizon=horizon, season=season)
        return out

    def _continued(self, kept: Float64s, *, horizon: int, season: int) -> Float64s:
        """The next values of series of whole weeks without a gap."""
        n, length = len(kept), WEEK * season
        weeks = kept.shape[1] // length
        level = _level(kept, length)
        rest = (kept - level).reshape(n, weeks, length)
        weight = self.recent ** np.arange(weeks)
        form = np.tensordot(rest, weight / weight.sum(), axes=(1, 0)).reshape(n, WEEK, season)
        day = form.mean(axis=1, keepdims=True)
        # What sets one day of the week apart is in part chance while few weeks are known.
        shown = (day + (form - day) * (weeks / (weeks + 1))).reshape(n, length)
        drift = (level[:, -1] - level[:, -1 - length // 2]) / (WEEK / 2)
        step = np.arange(1, horizon + 1) / season
        carried = self.damping * (1 - self.damping**step) / (1 - self.damping)
        return np.asarray(level[:, -1:] + drift[:, None] * carried + shown[:, np.arange(horizon) % length])


def _level(values: Float64s, length: int) -> Float64s:
    """The mean of the week that ends at each value; of the first week its own mean."""
    total = np.cumsum(values, axis=1)
    moved = (total[:, length:] - total[:, :-length]) / length
    first = np.repeat(total[:, length - 1 : length] / length, length, axis=1)
    return np.concatenate([first, moved], axis=1)
