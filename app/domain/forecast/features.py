"""What the global model sees of a series: one definition, for training and for serving.

Everything is relative to the value a season before, in units of the series' own seasonal error, so that one model fits
series of every size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from app.domain.forecast.errors_of_fit import scale_of
from app.domain.samples import Float64s

VERSION: Final = 1
WEEK: Final = 7
SEASONS: Final = 21
NAMES: Final = (
    *(f"slot_{k}_before" for k in range(2, WEEK + 1)),
    *("week_before", "two_weeks_before", "three_weeks_before"),
    *("last_error", "error_before", "last_value", "slot_before", "slot_after"),
    *(f"day_mean_{k}_before" for k in range(1, WEEK + 1)),
    *("same_day_mean", "same_day_mean_2", "spread", "weekly_error", "size", "step", "slot"),
)


@dataclass(frozen=True, kw_only=True)
class Features:
    """Rows of all series and steps: `rows` (n·h, k) float32, `naive` (n, h), `scale` (n,)."""

    rows: np.ndarray[tuple[int, int], np.dtype[np.float32]]
    naive: Float64s
    scale: Float64s


def features(history: Float64s, *, horizon: int, season: int) -> Features:
    """The features of the next `horizon` steps of each series, from `history` (n, t), t >= season.

    Missing past is NaN. Only the last 22 seasons are read, so that the store need not give more.
    """
    window = (SEASONS + 1) * season
    n = len(history)
    past = np.full((n, window), np.nan)
    kept = min(window, history.shape[1])
    past[:, window - kept :] = history[:, history.shape[1] - kept :]
    scale = scale_of(past, season)
    step = np.arange(horizon)
    slot, day = step % season, step // season
    naive = past[:, window - season + slot]
    means = past.reshape(n, SEASONS + 1, season).mean(axis=2)
    weekly = _weekly(past, means, slot=slot, day=day, season=season)
    parts = [
        *(past[:, window - k * season + slot] - naive for k in range(2, WEEK + 1)),
        *weekly[:3],
        *(_column(past[:, -k] - past[:, -k - season], horizon) for k in (1, 2)),
        past[:, -1:] - naive,
        past[:, window - season + slot - 1] - naive,
        past[:, window - season + (slot + 1) % season] - naive,
        *(_column(means[:, -1] - means[:, -1 - k], horizon) for k in range(1, WEEK + 1)),
        *weekly[3:],
        _spread(past, slot, season),
        _column(scale_of(past, WEEK * season), horizon),
        _column(np.abs(means[:, -1]), horizon),
    ]
    rows = np.empty((n, horizon, len(NAMES)), np.float32)
    for at, part in enumerate(parts):
        rows[:, :, at] = np.clip(part / scale[:, None], -1e6, 1e6)
    rows[:, :, -2], rows[:, :, -1] = step, slot
    return Features(rows=rows.reshape(n * horizon, -1), naive=naive, scale=scale)


def _weekly(past: Float64s, means: Float64s, *, slot: np.ndarray, day: np.ndarray, season: int) -> list[Float64s]:
    """The value 1, 2 and 3 weeks before the step, and the mean of that day 1 and 2 weeks before, against the last."""
    window, seasons = past.shape[1], means.shape[1]
    naive, days = past[:, window - season + slot], day % WEEK
    values = [past[:, window + (days - k * WEEK) * season + slot] - naive for k in (1, 2, 3)]
    return values + [means[:, seasons + days - k * WEEK] - means[:, -1:] for k in (1, 2)]


def _spread(past: Float64s, slot: np.ndarray, season: int) -> Float64s:
    """Standard deviation of the slot over the last week of seasons."""
    week = past[:, -WEEK * season :].reshape(len(past), WEEK, season)
    return np.asarray(week.std(axis=1)[:, slot])


def _column(values: Float64s, horizon: int) -> Float64s:
    """One value a series, repeated for each step."""
    return np.repeat(values[:, None], horizon, axis=1)
