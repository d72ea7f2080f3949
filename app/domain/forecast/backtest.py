"""Which forecaster continues a series best, judged at past origins, and the forecast that follows from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from app.domain.forecast import boosting, conformal
from app.domain.forecast.base import Forecast, Forecaster, filled
from app.domain.forecast.boosting import GlobalModel
from app.domain.forecast.errors_of_fit import TINY, scale_of
from app.domain.forecast.registry import FORECASTERS, NAIVE
from app.domain.samples import Float64s

ORIGINS: Final = 4
HELD_ORIGINS: Final = 5
FEWEST_SERIES: Final = 20
FEWEST_SEASONS: Final = 3
CLEARLY: Final = 0.85
MIXED: Final = "weighted"
Predict = Callable[[Float64s], Float64s]
NONE: Final[Mapping[str, Forecaster]] = {}


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What `choose` found: weights (n, f) of `names`, and the errors (n, r, h) the mixture made at past origins."""

    names: tuple[str, ...]
    weights: Float64s
    errors: Float64s

    def model_of(self, i: int) -> str:
        """The forecaster of series `i`: one name, or that several are mixed."""
        best = int(self.weights[i].argmax())
        return self.names[best] if self.weights[i, best] > 0.95 else MIXED


def errors_at_origins(predict: Predict, history: Float64s, *, horizon: int, origins: int, hop: int) -> Float64s:
    """Actual minus expected at past origins `hop` apart, the newest first, (n, origins, h); NaN where unknown."""
    n, t = history.shape
    errors = np.full((n, origins, horizon), np.nan)
    for back in range(origins):
        end = t - horizon - back * hop
        if end < 2:
            break
        errors[:, back] = history[:, end : end + horizon] - predict(history[:, :end])
    return errors


def choose(
    history: Float64s,
    *,
    horizon: int,
    season: int,
    held_model: GlobalModel | None = None,
    origins: int = ORIGINS,
    more: Mapping[str, Forecaster] = NONE,
) -> Choice:
    """Weigh the forecasters on past origins of each series of (n, t).

    With `held_model` (a global model which did not see the origins) it keeps each series unless another is at least
    15 % better there on average and better at each origin (3 % and most origins, tried first, cost 0.08 MASE on M4);
    without, the local ones are weighted by inverse square error. One that does not beat seasonal naive gets nothing.
    """
    history = filled(history, season)
    hop = horizon if held_model is None else max(horizon // 2, 1)
    errors = {
        name: errors_at_origins(predict, history, horizon=horizon, origins=origins, hop=hop)
        for name, predict in _predictors(horizon, season, held_model, more).items()
    }
    names = tuple(errors)
    losses = np.stack([_loss(each) for each in errors.values()])
    weights = _weights(losses, names) if held_model is None else _keep_champion(losses, names)
    stacked = np.stack(list(errors.values()))
    used = weights.T[:, :, None, None]
    return Choice(names=names, weights=weights, errors=(np.where(used > 0, stacked, 0.0) * used).sum(axis=0))


def forecast(
    history: Float64s, *, horizon: int, season: int, more: Mapping[str, Forecaster] = NONE
) -> tuple[Forecast, list[str]]:
    """The next `horizon` values of each series of (n, t) with ranges, and the name of each series' forecaster.

    Many series with enough past train a global model of their own: first without the last origins, to judge it and to
    measure its errors, then with all. Few or short ones have local forecasters alone. `more` take part
    besides those of the registry.
    """
    history = filled(history, season)
    known = (~np.isnan(history)).sum(axis=1)
    hold_back = horizon + (HELD_ORIGINS - 1) * max(horizon // 2, 1)
    long = known >= FEWEST_SEASONS * season + hold_back + horizon
    if season > 1 and long.sum() >= FEWEST_SERIES:
        held = GlobalModel.fit(history, horizon=horizon, season=season, hold_back=hold_back)
        choice = choose(history, horizon=horizon, season=season, held_model=held, origins=HELD_ORIGINS, more=more)
        model = GlobalModel.fit(history, horizon=horizon, season=season)
    else:
        choice, model = choose(history, horizon=horizon, season=season, more=more), None
    mean = mixture(history, choice.weights, horizon=horizon, season=season, model=model, more=more)
    return ranged(history, mean, choice.errors, season=season), [choice.model_of(i) for i in range(len(history))]


def mixture(
    history: Float64s,
    weights: Float64s,
    *,
    horizon: int,
    season: int,
    model: GlobalModel | None,
    more: Mapping[str, Forecaster] = NONE,
) -> Float64s:
    """The weighted mean of the forecasters, (n, h); the last value where none can speak."""
    total, used = np.zeros((len(history), horizon)), np.zeros((len(history), horizon))
    for at, predict in enumerate(_predictors(horizon, season, model, more).values()):
        wanted = weights[:, at] > 0
        if wanted.any():
            values = predict(history[wanted])
            share = np.where(np.isnan(values), 0.0, weights[wanted, at][:, None])
            total[wanted] += np.nan_to_num(values) * share
            used[wanted] += share
    return np.where(used > 0, total / np.maximum(used, 1e-300), np.nan_to_num(history[:, -1:]))


def ranged(history: Float64s, mean: Float64s, errors: Float64s, *, season: int, model: str = MIXED) -> Forecast:
    """The forecast with ranges from its past errors (n, r, h); a random walk's where there are none."""
    widths = widths_of(history, errors, season=season)
    return conformal.banded(mean, widths, history=history, model=model)


def widths_of(history: Float64s, errors: Float64s, *, season: int) -> Float64s:
    """Half widths (levels, n, h) from past errors (n, r, h); a random walk's where there are none."""
    widths = conformal.half_widths(errors, scale_of(history, season))
    none = np.isnan(errors).all(axis=(1, 2))
    if none.any():
        widths[:, none] = conformal.stepwise(history[none], errors.shape[2])
    return widths


def _predictors(
    horizon: int, season: int, model: GlobalModel | None, more: Mapping[str, Forecaster]
) -> Mapping[str, Predict]:
    """Each forecaster as a function of the history alone; the global one first, when there is one."""
    local = {
        name: lambda past, each=each: each.fit_predict(past, horizon=horizon, season=season)
        for name, each in {**FORECASTERS, **more}.items()
    }
    return local if model is None else {boosting.NAME: lambda past: model.predict_batch(past, horizon), **local}


def _loss(errors: Float64s) -> Float64s:
    """Mean absolute error at each origin, (n, r); NaN where a forecaster could not speak."""
    return np.asarray(np.abs(errors).mean(axis=2))


def _weights(losses: Float64s, names: tuple[str, ...]) -> Float64s:
    """Inverse square error over the origins where each could speak, (n, f); the last value where nobody could."""
    known = ~np.isnan(losses)
    could = np.asarray(known.any(axis=2))
    mean = np.where(known, losses, 0).sum(axis=2) / np.maximum(known.sum(axis=2), 1)
    best = np.where(could, mean, np.inf).min(axis=0)
    naive = np.where(could, mean, np.inf)[names.index(NAIVE)]
    fits = could & (mean <= np.minimum(naive, 2 * best + TINY))
    best = np.where(np.isfinite(best), best, 0.0)
    inverse = np.where(fits, (best + TINY) / (mean + TINY), 0.0) ** 2
    inverse[names.index("last_value"), inverse.sum(axis=0) == 0] = 1.0
    return np.asarray((inverse / inverse.sum(axis=0)).T)


def _keep_champion(losses: Float64s, names: tuple[str, ...]) -> Float64s:
    """All weight on the global model, or on the one that beats it clearly; by inverse square error where it is mute."""
    mean = np.where(np.isnan(losses).any(axis=2), np.inf, losses.mean(axis=2))
    rival = mean[1:].argmin(axis=0) + 1
    series = np.arange(losses.shape[1])
    wins = (losses[rival, series] < losses[0]).sum(axis=1)
    beaten = (mean[rival, series] < CLEARLY * mean[0]) & (wins == losses.shape[2])
    weights = np.zeros((losses.shape[1], len(names)))
    weights[series, np.where(beaten, rival, 0)] = 1.0
    mute = ~np.isfinite(mean[0])
    if mute.any():
        weights[mute] = np.concatenate([np.zeros((int(mute.sum()), 1)), _weights(losses[1:, mute], names[1:])], axis=1)
    return weights
