"""Stored forecasts as people and programs ask for them, and how good past ones were."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from sqlalchemy import select

from app.auth.permissions import require
from app.domain.forecast.outlook import HOUR_MS, Predicted, Quality
from app.domain.labels import Labels
from app.domain.samples import Float64s
from app.domain.tenancy import READ, Viewer
from app.promql.parse import parse_selector
from app.tsdb import forecasts
from app.tsdb.forecasts import GroupForecast
from app.tsdb.selection import select_series
from models.forecasts import ForecastQualityRow
from models.session import tenant_connection, tenant_session

NOUN: Final = "metrics"


@dataclass(frozen=True)
class FamilyQuality:
    """How good the forecasts of a family were that a run compared with what came; `is_backtest`: with its past.

    mase: mean absolute error against that of seasonal naive, below 1 is better than it.
    """

    family: str
    made_at: datetime
    is_backtest: bool
    series: int
    points: int
    coverage80: float | None
    coverage95: float | None
    mase: float | None


def newest_forecasts(viewer: Viewer, selector: str, *, now_ms: int, limit: int, offset: int = 0) -> list[Predicted]:
    """The newest stored forecast of each series, from `offset` on in the order of the labels.

    Hours that have passed are left out; a series of which nothing is foretold (it rests, or has ended) is not there.
    """
    require(viewer, READ, NOUN)
    with tenant_connection(viewer.tenant, read_only=True) as connection:
        groups = select_series(connection, viewer.tenant, parse_selector(selector))
        ids = [group.group_id for group in groups]
        found = forecasts.newest(connection, viewer.tenant, ids, before_ms=now_ms + 1)
    places: list[tuple[Labels, GroupForecast, int]] = []
    for group in groups:
        its = found.get(group.group_id)
        if its is not None:
            known = {*its.slots.tolist(), *its.lacking}
            places += [
                (labels, its, slot)
                for labels, slot in zip(group.labels, group.slots.tolist(), strict=True)
                if slot in known
            ]
    places.sort(key=lambda place: place[0])
    return [_predicted(labels, its, slot, now_ms) for labels, its, slot in places[offset : offset + limit]]


def quality(viewer: Viewer, *, since: datetime) -> list[FamilyQuality]:
    """How good forecasts were, by family and run, the newest first."""
    require(viewer, READ, NOUN)
    query = (
        select(ForecastQualityRow)
        .where(ForecastQualityRow.tenant_id == viewer.tenant, ForecastQualityRow.made_at >= since)
        .order_by(ForecastQualityRow.made_at.desc(), ForecastQualityRow.family, ForecastQualityRow.is_backtest)
    )
    with tenant_session(viewer.tenant) as session:
        return [_quality_of(row) for row in session.scalars(query)]


def _predicted(labels: Labels, its: GroupForecast, slot: int, now_ms: int) -> Predicted:
    if slot in its.lacking:
        return Predicted(dict(labels), lacking_h=its.lacking[slot], from_ts=its.made_ms)
    at = int(np.flatnonzero(its.slots == slot)[0])
    forecast = its.forecast().of(at)
    ends = its.made_ms + HOUR_MS * np.arange(1, its.mean.shape[1] + 1)
    ahead = ends > now_ms
    return Predicted(
        dict(labels),
        model=its.models[at],
        from_ts=its.made_ms,
        ts=ends[ahead].tolist(),
        mean=_short(forecast.mean[ahead]),
        lo80=_short(forecast.lo80[ahead]),
        hi80=_short(forecast.hi80[ahead]),
        lo95=_short(forecast.lo95[ahead]),
        hi95=_short(forecast.hi95[ahead]),
    )


def _short(values: Float64s) -> list[float]:
    return [float(f"{value:.6g}") for value in values.tolist()]


def _quality_of(row: ForecastQualityRow) -> FamilyQuality:
    counted = Quality(
        series=row.series,
        points=row.points,
        inside80=row.inside80,
        inside95=row.inside95,
        error=row.error,
        naive_error=row.naive_error,
    )
    return FamilyQuality(
        row.family,
        row.made_at,
        row.is_backtest,
        row.series,
        row.points,
        counted.coverage80,
        counted.coverage95,
        counted.mase,
    )
