"""When is it full: simulated paths of a daily figure, and what they say about reaching a threshold.

The daily 95th percentile of a link, disk or pool is seen as level + week + noise. The level wanders and drifts; how
much it wanders, whether it drifts at all and since when is not known, so every combination of a small grid is filtered
(a Kalman filter with Student's t for outliers) and weighed by how well it predicted each next day. Paths are then
drawn from the mixture. numpy only.

Sources: Harvey, Forecasting, Structural Time Series Models and the Kalman Filter (1989), 3.2 and 4.2 (local linear
trend); Hoeting et al., Bayesian Model Averaging (1999).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.domain.samples import Float64s

HORIZON_DAYS: Final = 365
LEAST_DAYS: Final = 30
PATHS: Final = 600
WEEK: Final = 7
# Wandering of the level, in its daily standard deviation as a share of the noise's.
_WANDER: Final = (0.0, 0.05, 0.12, 0.25, 0.5)
# Days before the end since when a drift may hold; 0 stands for all the days seen.
_SINCE: Final = (0, 120, 90, 60, 40, 25)
# A level whose drift is exactly none is as likely as one that drifts, before anything is seen.
_CHANCE_STILL: Final = 0.3
_CHANCE_CHANGED: Final = 0.1
# How far a drift may be from none, in hundredths of the threshold a day, before anything is seen.
_DRIFT_SD: Final = 0.12
_FREEDOM: Final = 5.0
# In hundredths of the threshold: figures that lie on a staircase are not exact to the last digit.
_LEAST_NOISE: Final = 0.1
# Paths wander more than things do: of links that fill the middle 66 % of them hold the day in some 82 of 100, the
# middle 92 % in 97 (bench/capacity.py). These are what is told as the ranges of 80 % and 95 %.
_QUANTILES: Final = (0.04, 0.17, 0.5, 0.83, 0.96)
# How often, per day, a drift changes or the level steps, before anything is seen.
_CHANGE_RATE: Final = 0.0006
_STEP_RATE: Final = 0.0003
_STEP_SD: Final = 5.0
# After so many days in a row that far (in standard deviations) to one side of what was expected, the level has moved:
# a disk was cleaned, a link got another half of the traffic.
_MOVED_DAYS: Final = 5
_MOVED_SD: Final = 4.0
# What moves more often than that grows in steps, and is a drift.
_MOVES: Final = 2
# A jump is a change from one day to the next of so many standard deviations after which the median of the days beside
# it is another one. Where the level fell so some times, it falls again, as far and after as long: logs are rotated,
# caches emptied. Jumps upwards and single ones foretell nothing.
_JUMP_SD: Final = 6.0
_JUMP_LEVEL_SD: Final = 4.0
_JUMP_BESIDE: Final = 5
_JUMP_KEPT: Final = 0.5  # of the change; a Monday after a quiet weekend is no jump
_JUMPS_LEAST: Final = 3
# A drift that changes is multiplied by something up to this.
_MOST_CHANGE: Final = 2.2


@dataclass(frozen=True)
class Outlook:
    """When a daily figure reaches its threshold.

    p30 … p180: the chance that it is full within so many days. d025 … d975: quantiles of the day on which it fills, 0 =
    the first day that is not over; None = beyond HORIZON_DAYS. `now` and `per_week` in the unit of the values.
    """

    p30: float
    p90: float
    p180: float
    d025: float | None
    d10: float | None
    d50: float | None
    d90: float | None
    d975: float | None
    now: float
    per_week: float
    chances: tuple[float, ...]  # that it is full within 0, 1, … HORIZON_DAYS - 1 days

    def chance_within(self, days: int) -> float:
        """The chance that it is full within so many days."""
        return self.chances[min(max(days, 0), HORIZON_DAYS - 1)]


@dataclass(frozen=True)
class Fan:
    """Where the weekly median goes: quantiles (h,) for each of the coming days, in the unit of the values."""

    low90: Float64s
    low50: Float64s
    middle: Float64s
    high50: Float64s
    high90: Float64s


def missing_days(daily: Float64s) -> int:
    """How many more days with a figure there must be before anything can be said of this one (t,); 0 = enough."""
    return max(0, LEAST_DAYS - int(np.isfinite(daily).sum()))


def outlooks(
    daily: Float64s, threshold: float, *, growth: float = 1.0, seeds: Sequence[int] = (), paths: int = PATHS
) -> list[Outlook]:
    """One outlook for each row of `daily` (n, t), days without a gap, the newest last; NaN = no figure that day.

    Full = the median of seven days is at or above `threshold`, in the unit of the values; `growth` multiplies every
    drift (what if it grew twice as fast). A row with the same seed draws the same paths, whatever stands beside it.
    Raises ValueError for fewer than LEAST_DAYS days, or a row with fewer figures (missing_days).
    """
    unit = threshold / 100
    model = _fit(_checked(daily) / unit)
    numbers = seeds or range(len(daily))
    return [
        _seen(model, i, growth, paths, unit=unit, threshold=threshold, seed=seed)[0] for i, seed in enumerate(numbers)
    ]


def outlook_and_fan(
    daily: Float64s, threshold: float, *, growth: float = 1.0, seed: int = 0, paths: int = PATHS
) -> tuple[Outlook, Fan]:
    """The outlook of one daily figure (t,) and where it goes, from the same paths; all as for outlooks()."""
    unit = threshold / 100
    model = _fit(_checked(daily[None]) / unit)
    outlook, weekly = _seen(model, 0, growth, paths, unit=unit, threshold=threshold, seed=seed)
    return outlook, Fan(*np.quantile(weekly, (0.05, 0.25, 0.5, 0.75, 0.95), axis=0))


def weekly_medians(daily: Float64s) -> Float64s:
    """(n, t) the median of the seven days up to each day; NaN for the first six. Days without a figure are bridged."""
    medians = np.full(daily.shape, np.nan)
    if daily.shape[1] >= WEEK:
        medians[:, WEEK - 1 :] = _median7(_filled(daily))
    return medians


def filled_after(weekly: Float64s, since: int, threshold: float) -> int | None:
    """Days from the day after `since` until one figure (t,), as weekly_medians() has it, was full; None = not yet."""
    full = np.flatnonzero(weekly[since + 1 :] >= threshold)
    return int(full[0]) if len(full) else None


def _checked(daily: Float64s) -> Float64s:
    if daily.shape[1] < LEAST_DAYS:
        raise ValueError(f"{LEAST_DAYS} days are needed, there are {daily.shape[1]}")
    if any(missing_days(row) for row in daily):
        raise ValueError(f"{LEAST_DAYS} days with a figure are needed")
    return daily


@dataclass(frozen=True)
class _Model:
    """What is known of n links after the last day, for m models each."""

    weights: Float64s  # (n, m)
    level: Float64s  # (n, m)
    drift: Float64s
    p_level: Float64s  # variances and covariance of level and drift (n, m)
    p_both: Float64s
    p_drift: Float64s
    wander: Float64s  # (n, m) standard deviation of the level's daily step
    noise: Float64s  # (n,)
    season: Float64s  # (n, 7) the week, the first for the day after the last
    recent: Float64s  # (n, 6) the last six days as they were
    jumps: Float64s  # (n, t) how far the level fell on each day seen, if again and again; 0 = not


def _grid() -> tuple[Float64s, NDArray[np.bool_], NDArray[np.int64], Float64s]:
    """The models: wandering (m,), whether there is a drift (m,), since how many days (m,), and their prior (m,)."""
    changed = _CHANCE_CHANGED / (len(_SINCE) - 1)
    chances = [(1 - _CHANCE_STILL) * (changed if since else 1 - _CHANCE_CHANGED) for since in _SINCE]
    each = 1 + len(_SINCE)
    share = np.repeat(_WANDER, each)
    drifts = np.tile([False] + [True] * len(_SINCE), len(_WANDER))
    since_days = np.tile([0, *_SINCE], len(_WANDER))
    prior = np.tile([_CHANCE_STILL, *chances], len(_WANDER)) / len(_WANDER)
    return share, drifts, since_days, prior


def _fit(daily: Float64s) -> _Model:
    n, days = daily.shape
    share, drifts, since, prior = _grid()
    season = _week(_filled(daily))
    phase = (np.arange(days) - days) % WEEK  # 0 for the day after the last
    y = _filled(daily) - season[:, phase]
    is_known = np.isfinite(daily)
    noise = _noise(y)
    m = len(share)
    level = np.repeat(np.median(y[:, :WEEK], axis=1)[:, None], m, axis=1)
    drift = np.zeros((n, m))
    pl = np.repeat((noise**2)[:, None], m, axis=1)
    pb = np.zeros((n, m))
    pd = np.where(drifts, _DRIFT_SD**2, 0.0)[None, :].repeat(n, axis=0)
    wander = share[None, :] * noise[:, None]
    q = wander**2
    r = (noise**2)[:, None]
    loglik = np.zeros((n, m))
    jumps = _jumps_seen(y, noise)
    aside = np.zeros((n, m))  # days in a row on one side; below 0: beneath
    moves = np.zeros((n, m), dtype=np.int64)
    for t in range(days):
        changes = drifts & (since == days - t) & (since > 0)
        if changes.any():
            pd[:, changes] += _DRIFT_SD**2
        level = level + drift + jumps[:, t, None]
        pl = pl + 2 * pb + pd + q + np.where(jumps[:, t, None] != 0, r, 0.0)
        pb = pb + pd
        error = y[:, t, None] - level
        known = is_known[:, t, None]
        s = pl + r
        z2 = error**2 / s
        loglik += np.where(known, -0.5 * np.log(s) - (_FREEDOM + 1) / 2 * np.log1p(z2 / _FREEDOM), 0.0)
        # An outlier counts as a noisier day: Student's t as a mixture of normals.
        s = pl + r * (_FREEDOM + z2) / (_FREEDOM + 1)
        kl, kd = np.where(known, pl / s, 0.0), np.where(known, pb / s, 0.0)
        aside = np.where(known, _aside(aside, error, z2), aside)
        has_moved = (np.abs(aside) >= _MOVED_DAYS) & (moves < _MOVES)
        moves += has_moved
        level, drift = level + np.where(has_moved, error, kl * error), drift + np.where(has_moved, 0.0, kd * error)
        pl, pb, pd = pl - kl * pl, pb - kl * pb, pd - np.where(has_moved, 0.0, kd * pb)
        pl, pb, aside = np.where(has_moved, r, pl), np.where(has_moved, 0.0, pb), np.where(has_moved, 0.0, aside)
    loglik += np.log(prior)
    weights = np.exp(loglik - loglik.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    return _Model(
        weights, level, drift, pl, pb, np.maximum(pd, 0), wander, noise, season, _filled(daily)[:, 1 - WEEK :], jumps
    )


def _jumps_seen(y: Float64s, noise: Float64s) -> Float64s:
    """(n, t) how far the level fell from the day before, where it falls again and again; 0 elsewhere."""
    jumps = np.zeros(y.shape)
    beside, days = _JUMP_BESIDE, y.shape[1]
    if days < 2 * beside:
        return jumps
    medians = np.median(np.lib.stride_tricks.sliding_window_view(y, beside, axis=1), axis=2)
    moved = medians[:, beside:] - medians[:, :-beside]  # from day `beside` on
    change = np.diff(y, axis=1)[:, beside - 1 : days - beside]
    is_jump = (np.abs(change) > _JUMP_SD * np.sqrt(2) * noise[:, None]) & (np.sign(change) == np.sign(moved))
    is_jump &= np.abs(moved) > np.maximum(_JUMP_LEVEL_SD * noise[:, None], _JUMP_KEPT * np.abs(change))
    jumps[:, beside : days - beside + 1] = np.where(is_jump & (change < 0), change, 0.0)
    for row in jumps:
        at = np.flatnonzero(row)
        if len(at) < _JUMPS_LEAST or np.diff(at).min() < beside:
            row[:] = 0.0
    return jumps


def _aside(aside: Float64s, error: Float64s, z2: Float64s) -> Float64s:
    """Days in a row far to one side, this one included; 0 = near."""
    goes_on = np.where(np.sign(aside) == np.sign(error), aside, 0.0) + np.sign(error)
    return np.where(z2 > _MOVED_SD**2, goes_on, 0.0)


def _week(daily: Float64s) -> Float64s:
    """(n, 7): what each weekday adds to the week's median, shrunk; the first column is the day after the last."""
    days = daily.shape[1]
    windows = np.lib.stride_tricks.sliding_window_view(daily, WEEK, axis=1)
    middle = np.median(windows, axis=2)
    rest = daily[:, 3 : days - 3] - middle
    phase = (np.arange(3, days - 3) - days) % WEEK
    season = np.stack([np.median(rest[:, phase == k], axis=1) for k in range(WEEK)], axis=1)
    return np.asarray(season - season.mean(axis=1, keepdims=True))


def _noise(y: Float64s) -> Float64s:
    """(n,) standard deviation of a day around its week, robust."""
    change = np.diff(y, axis=1)
    spread = np.median(np.abs(change), axis=1) * 1.4826 / np.sqrt(2)
    return np.asarray(np.maximum(spread, _LEAST_NOISE))


def _filled(daily: Float64s) -> Float64s:
    """The days without a figure, from a straight line between their neighbours."""
    days = np.arange(daily.shape[1])
    filled = daily.copy()
    for i in np.flatnonzero(np.isnan(daily).any(axis=1)):
        known = np.isfinite(daily[i])
        if not known.any():
            continue
        filled[i, ~known] = np.interp(days[~known], days[known], daily[i, known])
    return filled


def _seen(
    model: _Model, i: int, growth: float, paths: int, *, unit: float, threshold: float, seed: int
) -> tuple[Outlook, Float64s]:
    """The outlook of one row, and the paths (paths, HORIZON_DAYS) of its weekly median that it comes from."""
    weekly = _weekly(model, i, growth, paths, np.random.default_rng(seed)) * unit
    is_full = weekly >= threshold
    day = np.where(is_full.any(axis=1), is_full.argmax(axis=1).astype(float), np.inf)
    return _outlook(model, i, day, unit), weekly


def _outlook(model: _Model, i: int, day: Float64s, unit: float) -> Outlook:
    """What the days (paths,) on which the paths fill come to."""
    d025, d10, d50, d90, d975 = (_quantile(day, q) for q in _QUANTILES)
    counts = np.bincount(day[np.isfinite(day)].astype(np.intp), minlength=HORIZON_DAYS)
    chances = np.cumsum(counts) / len(day)
    p30, p90, p180 = (float(chances[within]) for within in (30, 90, 180))
    weights = model.weights[i]
    return Outlook(
        p30=p30,
        p90=p90,
        p180=p180,
        d025=d025,
        d10=d10,
        d50=d50,
        d90=d90,
        d975=d975,
        now=float(weights @ model.level[i]) * unit,
        per_week=float(weights @ model.drift[i]) * WEEK * unit,
        chances=tuple(chances.tolist()),
    )


def _weekly(model: _Model, i: int, growth: float, paths: int, rng: np.random.Generator) -> Float64s:
    """(paths, HORIZON_DAYS) medians of the seven days up to each coming day."""
    recent = np.broadcast_to(model.recent[i], (paths, WEEK - 1))
    return _median7(np.concatenate([recent, _paths(model, i, growth, paths, rng)], axis=1))


def _paths(model: _Model, i: int, growth: float, paths: int, rng: np.random.Generator) -> Float64s:
    """(paths, HORIZON_DAYS) daily values from the day after the last."""
    chosen = rng.choice(len(model.weights[i]), size=paths, p=model.weights[i])
    pl, pb, pd = model.p_level[i][chosen], model.p_both[i][chosen], model.p_drift[i][chosen]
    drift = model.drift[i][chosen] + np.sqrt(pd) * rng.standard_normal(paths)
    tied = np.where(pd > 0, pb / np.where(pd > 0, pd, 1), 0)
    level = model.level[i][chosen] + tied * (drift - model.drift[i][chosen])
    level += np.sqrt(np.maximum(pl - tied * pb, 0)) * rng.standard_normal(paths)
    drifts = np.repeat((drift * growth)[:, None], HORIZON_DAYS, axis=1)
    changes = rng.exponential(1 / _CHANGE_RATE, paths)
    factor = rng.uniform(0, _MOST_CHANGE, paths)
    drifts *= np.where(np.arange(HORIZON_DAYS) > changes[:, None], factor[:, None], 1.0)
    steps = drifts + model.wander[i][chosen][:, None] * rng.standard_normal((paths, HORIZON_DAYS))
    steps += _jumps(paths, rng) + _jumps_again(model.jumps[i], paths, rng)
    days = np.arange(HORIZON_DAYS)
    noise = model.noise[i] * rng.standard_t(_FREEDOM, (paths, HORIZON_DAYS)) * np.sqrt((_FREEDOM - 2) / _FREEDOM)
    return np.asarray(level[:, None] + np.cumsum(steps, axis=1) + model.season[i][days % WEEK] + noise)


def _jumps(paths: int, rng: np.random.Generator) -> Float64s:
    return (rng.random((paths, HORIZON_DAYS)) < _STEP_RATE) * _STEP_SD * rng.standard_normal((paths, HORIZON_DAYS))


def _jumps_again(jumps: Float64s, paths: int, rng: np.random.Generator) -> Float64s:
    """(paths, HORIZON_DAYS) falls as they came before, or none.

    How long it takes from one to the next is drawn from what was seen; of few gaps little is known, so that each path
    has its own mean of them.
    """
    ahead = np.zeros((paths, HORIZON_DAYS))
    days = np.flatnonzero(jumps)
    if not len(days):
        return ahead
    gaps = np.diff(days)
    count = int(HORIZON_DAYS / gaps.mean() * 2) + 2
    unsure = np.exp(rng.normal(0, 0.5 / np.sqrt(len(gaps)), (paths, 1)))
    drawn = rng.choice(gaps, (paths, count)) * unsure
    since = len(jumps) - 1 - days[-1]
    # The first is due after what is left of its gap.
    drawn[:, 0] = np.maximum(drawn[:, 0] - since - 1, 0)
    at = np.cumsum(drawn, axis=1).astype(np.intp)
    sizes = rng.choice(jumps[days], (paths, count))
    rows, columns = np.nonzero(at < HORIZON_DAYS)
    np.add.at(ahead, (rows, at[rows, columns]), sizes[rows, columns])
    return ahead


def _median7(values: Float64s) -> Float64s:
    windows = np.lib.stride_tricks.sliding_window_view(values, WEEK, axis=1)
    return np.asarray(np.partition(windows, 3, axis=2)[:, :, 3])


def _quantile(day: Float64s, q: float) -> float | None:
    """The q-quantile of the day it fills; None beyond the horizon."""
    value = float(np.quantile(day, q, method="inverted_cdf"))
    return value if np.isfinite(value) else None
