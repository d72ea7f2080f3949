"""Forecasts of hourly values: what is foretold online, how much past it takes, and how good it was afterwards.

Imports the trees: for ml workers. What others need of it (lengths, names) is in outlook.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.domain.forecast import backtest, conformal
from app.domain.forecast.base import LEVELS, filled
from app.domain.forecast.boosting import GlobalModel
from app.domain.forecast.errors_of_fit import scale_of
from app.domain.forecast.outlook import HORIZON_H, SEASON_H, Quality
from app.domain.samples import Float64s

# Of so many past origins the errors are looked at; the model that is trained here has not seen them.
ORIGINS = 3
HELD_BACK_H = HORIZON_H + (ORIGINS - 1) * HORIZON_H // 2
TRAINED_ON = 14
FEWEST_SERIES = backtest.FEWEST_SERIES
# A series that was flat until now has a scale of next to nothing; it must not outweigh all others.
MOST_ERROR = 50.0


# By so much ranges are widened whose model has seen the origins that they are made from. On M4 (five weeks of each
# series) they held 72 / 90 % of what came, those of a model which had not seen them 77 / 92 %.
SEEN_WIDER = 1.15


@dataclass(frozen=True)
class Served:
    """The model of a family, if there is one, and whether it was trained on all hours, the newest too."""

    model: GlobalModel | None = None
    has_seen: bool = False


@dataclass(frozen=True, kw_only=True)
class Made:
    """Forecasts of n series: mean (n, h), half widths (levels, n, h), floor (n,), model names, and their backtest."""

    mean: Float64s
    widths: Float64s
    floor: Float64s
    models: list[str]
    quality: Quality


def trained(history: Float64s) -> GlobalModel | None:
    """A global model of a family, fitted on (n, t) without the hours that it is judged on; None for too few series."""
    known = np.isfinite(history).sum(axis=1)
    long = history[known >= backtest.FEWEST_SEASONS * SEASON_H + HELD_BACK_H + HORIZON_H]
    if len(long) < FEWEST_SERIES:
        return None
    return GlobalModel.fit(long, horizon=HORIZON_H, season=SEASON_H, origins=TRAINED_ON, hold_back=HELD_BACK_H)


def foretell(history: Float64s, served: Served, *, horizon: int = HORIZON_H) -> Made:
    """The next hours of series of one family, (n, t), each with at least LEAST_H known hours.

    A model keeps each series unless a local forecaster is clearly better; without one, those are weighted.
    """
    model = served.model
    past = filled(history, SEASON_H)
    choice = backtest.choose(past, horizon=horizon, season=SEASON_H, held_model=model, origins=ORIGINS)
    mean = backtest.mixture(past, choice.weights, horizon=horizon, season=SEASON_H, model=model)
    widths = backtest.widths_of(past, choice.errors, season=SEASON_H) * (SEEN_WIDER if served.has_seen else 1.0)
    return Made(
        mean=mean,
        widths=widths,
        floor=conformal.floor_of(past),
        models=[choice.model_of(i) for i in range(len(past))],
        quality=_of_backtest(past, choice.errors, widths),
    )


def judged(mean: Float64s, widths: Float64s, history: Float64s, *, hours: int) -> tuple[Quality, Float64s]:
    """How a forecast did that was made before the last `hours` of `history` (n, t), and the shares inside, (levels, n).

    `mean` (n, h) and `widths` (levels, n, h) begin with the first of these hours. NaN where nothing came.
    """
    came = history[:, history.shape[1] - hours :]
    missed = np.abs(came - mean[:, :hours])
    inside = missed <= widths[:, :, :hours]
    known = np.isfinite(missed)
    count = known.sum(axis=1)
    held = np.where(count > 0, (inside & known).sum(axis=2) / np.maximum(count, 1), np.nan)
    before = history[:, : history.shape[1] - hours]
    naive = np.abs(came - before[:, before.shape[1] - SEASON_H + np.arange(hours) % SEASON_H])
    return _counted(missed, inside, naive, scale_of(before, SEASON_H)), np.asarray(held)


def recalibrated(factors: Float64s, held: Float64s) -> Float64s:
    """The factors on the widths (levels, n) after the shares `held` (levels, n) that the old ranges held."""
    return np.stack([conformal.recalibrated(factors[at], held[at], level=level) for at, level in enumerate(LEVELS)])


def _of_backtest(past: Float64s, errors: Float64s, widths: Float64s) -> Quality:
    """The newest past origin against ranges that are made of all of them."""
    missed = np.abs(errors[:, 0])
    horizon = missed.shape[1]
    came, before = past[:, -horizon:], past[:, :-horizon]
    if before.shape[1] < SEASON_H:
        return Quality()
    naive = np.abs(came - before[:, before.shape[1] - SEASON_H + np.arange(horizon) % SEASON_H])
    return _counted(missed, missed <= widths, naive, scale_of(before, SEASON_H))


def _counted(missed: Float64s, inside: NDArray[np.bool_], naive: Float64s, scale: Float64s) -> Quality:
    known = np.isfinite(missed) & np.isfinite(naive)
    capped = np.minimum(np.where(known, missed, 0.0) / scale[:, None], MOST_ERROR)
    naive = np.minimum(np.where(known, naive, 0.0) / scale[:, None], MOST_ERROR)
    return Quality(
        series=int(known.any(axis=1).sum()),
        points=int(known.sum()),
        inside80=int((inside[0] & known).sum()),
        inside95=int((inside[1] & known).sum()),
        error=float(capped.sum()),
        naive_error=float(naive.sum()),
    )
