"""Forecasts of given values, of stored series, or of an expression: what the inference service answers.

Imports the trees: for ml workers. Stored series go by the hour, as the runs of every tenant do, by the same functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from app.clock import monotonic_s
from app.domain.forecast import conformal
from app.domain.forecast import hourly as foretelling
from app.domain.forecast.backtest import forecast as forecast_of_its_own
from app.domain.forecast.base import Forecast
from app.domain.forecast.families import Family, family_of
from app.domain.forecast.hourly import Served
from app.domain.forecast.outlook import (
    HISTORY_H,
    HOUR_MS,
    MOST_POINTS,
    MOST_SERIES,
    SEASON_H,
    Column,
    Predicted,
    PredictQuestion,
    lacking_h,
)
from app.domain.labels import METRIC, Labels, value_of
from app.domain.samples import Float64s, Int64s, is_absent
from app.domain.tenancy import TenantId
from app.errors import InvalidInput
from app.promql.engine import query_range
from app.promql.limits import Limits
from app.promql.parse import parse_selector
from app.tsdb import hourly
from app.tsdb.reader import Reader
from app.tsdb.selection import select_series
from models.session import tenant_connection

MOST_SECONDS: Final = 20.0
ModelOf = Callable[[Family], Served]


def predict(tenant: TenantId, wanted: PredictQuestion, model_of: ModelOf) -> list[Predicted]:
    """What is asked, in the order of the series. Raises InvalidInput for more series than are answered at once."""
    if wanted.series:
        return [_of_values(column, horizon=wanted.horizon, season=wanted.season) for column in wanted.series]
    labels, history = _asked(tenant, wanted) if wanted.expr else _stored(tenant, wanted)
    found: dict[int, Predicted] = {}
    lacking = lacking_h(history)
    for i in np.flatnonzero(lacking).tolist():
        found[i] = Predicted(dict(labels[i]), lacking_h=int(lacking[i]))
    families = [Family(wanted.family) if wanted.family else family_of(value_of(each, METRIC)) for each in labels]
    for family in sorted(set(families)):
        rows = np.array([i for i, its in enumerate(families) if its == family and not lacking[i]], dtype=np.intp)
        if len(rows):
            its = _hourly(history[rows], [labels[i] for i in rows], wanted, served=model_of(family))
            found |= dict(zip(rows.tolist(), its, strict=True))
    return [found[i] for i in range(len(labels))]


def _hourly(history: Float64s, labels: Sequence[Labels], wanted: PredictQuestion, *, served: Served) -> list[Predicted]:
    """The forecast of hourly values; before it, in pieces of a day, what was expected when each began."""
    pieces: list[Forecast] = []
    names: list[str] = []
    for back in range(-(-wanted.back_h // SEASON_H), -1, -1):
        past = history[:, : history.shape[1] - back * SEASON_H]
        if back and (lacking_h(past) > 0).any():
            continue
        made = foretelling.foretell(past, served, horizon=wanted.horizon if back == 0 else SEASON_H)
        pieces.append(conformal.bounded(made.mean, made.widths, floor=made.floor, model=""))
        names = made.models
    past_h = SEASON_H * (len(pieces) - 1)
    ts = [wanted.end_ms + (k + 1 - past_h) * HOUR_MS for k in range(past_h + wanted.horizon)]
    return [
        _predicted(dict(each), [piece.of(i) for piece in pieces], names[i], ts=ts, from_ts=wanted.end_ms)
        for i, each in enumerate(labels)
    ]


def _of_values(column: Column, *, horizon: int, season: int) -> Predicted:
    """A series that the caller brings, on its own step: the median distance of its times."""
    ts_ms, values = np.array(column.ts, dtype=np.int64), np.array(column.values, dtype=np.float64)
    lacking = max(0, 2 * season - int(np.isfinite(values).sum()))
    if lacking:
        return Predicted(column.labels, lacking_h=lacking)
    history, step_ms = _on_a_grid(ts_ms, values)
    found, models = forecast_of_its_own(history[None], horizon=horizon, season=season)
    ts = [int(ts_ms[-1]) + (k + 1) * step_ms for k in range(horizon)]
    return _predicted(column.labels, [found.of(0)], models[0], ts=ts, from_ts=int(ts_ms[-1]))


def _on_a_grid(ts_ms: Int64s, values: Float64s) -> tuple[Float64s, int]:
    step_ms = max(1, int(np.median(np.diff(ts_ms)))) if len(ts_ms) > 1 else 1
    back = np.rint((ts_ms[-1] - ts_ms) / step_ms).astype(np.int64)
    if back[0] >= MOST_POINTS:
        raise InvalidInput("series", "its times are too far apart for their step")
    history = np.full(int(back[0]) + 1, np.nan)
    history[-1 - back] = values
    return history, step_ms


def _predicted(
    labels: Mapping[str, str], pieces: Sequence[Forecast], model: str, *, ts: list[int], from_ts: int
) -> Predicted:
    def joined(name: str) -> list[float]:
        return [float(f"{value:.6g}") for piece in pieces for value in getattr(piece, name).tolist()]

    return Predicted(
        labels,
        model=model,
        from_ts=from_ts,
        ts=ts,
        mean=joined("mean"),
        lo80=joined("lo80"),
        hi80=joined("hi80"),
        lo95=joined("lo95"),
        hi95=joined("hi95"),
    )


def _stored(tenant: TenantId, wanted: PredictQuestion) -> tuple[list[Labels], Float64s]:
    start_ms = wanted.end_ms - HISTORY_H * HOUR_MS
    with tenant_connection(tenant, read_only=True) as connection:
        groups = select_series(connection, tenant, parse_selector(wanted.selector))
        if sum(len(group.slots) for group in groups) > MOST_SERIES:
            raise InvalidInput("selector", f"selects more than {MOST_SERIES} series")
        hours = hourly.read(connection, tenant, groups, start_ms=start_ms, end_ms=wanted.end_ms)
    return list(hours.labels), hours.values


def _asked(tenant: TenantId, wanted: PredictQuestion) -> tuple[list[Labels], Float64s]:
    """An expression at each full hour."""
    start_ms = wanted.end_ms - (HISTORY_H - 1) * HOUR_MS
    late_s = monotonic_s() + MOST_SECONDS
    matrix = query_range(
        Reader(tenant),
        wanted.expr,
        start_ms=start_ms,
        end_ms=wanted.end_ms,
        step_ms=HOUR_MS,
        limits=Limits(expired=lambda: monotonic_s() > late_s),
    )
    only = {tuple(sorted(each.items())) for each in wanted.only}
    rows = [i for i, each in enumerate(matrix.labels) if not only or tuple(sorted(each)) in only]
    if len(rows) > MOST_SERIES:
        raise InvalidInput("expr", f"gives more than {MOST_SERIES} series")
    values = matrix.values[rows]
    return [matrix.labels[i] for i in rows], np.where(is_absent(values) | ~np.isfinite(values), np.nan, values)
