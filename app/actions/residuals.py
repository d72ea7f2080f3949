"""Comparing the last full hour of each series with what was forecast for it, before it began."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from app.domain.anomaly.base import View
from app.domain.anomaly.residual import judge
from app.domain.tenancy import TenantId
from app.tsdb import forecasts, found_anomalies, hourly
from app.tsdb.forecasts import GroupForecast
from app.tsdb.found_anomalies import Point
from app.tsdb.hourly import HOUR_MS, Hours
from models.session import tenant_connection, tenant_session

# What came less than this before now may still be on its way to the store.
SETTLE_MS: Final = 120_000


def compare_with_forecasts(tenant: TenantId, *, now_ms: int) -> int:
    """Judge the last full hour; answers how many series were off. An hour that was judged before changes nothing."""
    end_ms = (now_ms - SETTLE_MS) // HOUR_MS * HOUR_MS
    points: list[Point] = []
    with tenant_connection(tenant) as connection:
        for groups in hourly.chunks(hourly.all_groups(connection, tenant)):
            ids = [group.group_id for group in groups]
            # Made when the hour had not begun yet.
            made = forecasts.newest(connection, tenant, ids, before_ms=end_ms - HOUR_MS + 1)
            known = [group for group in groups if group.group_id in made]
            if known:
                hours = hourly.read(connection, tenant, known, start_ms=end_ms - HOUR_MS, end_ms=end_ms)
                points += _off(hours, made, end_ms)
    with tenant_session(tenant) as session:
        found_anomalies.write(session, tenant, points)
    return len(points)


def _off(hours: Hours, made: dict[int, GroupForecast], end_ms: int) -> Iterator[Point]:
    """A point for each series whose hour is beyond the boundary."""
    for group_id, its in made.items():
        hour = (end_ms - its.made_ms) // HOUR_MS - 1
        if not len(its.slots) or hour >= its.mean.shape[1]:
            continue
        rows = np.flatnonzero(hours.groups == group_id)
        row_of = {int(hours.slots[row]): int(row) for row in rows}
        at = np.array([row_of.get(int(slot), -1) for slot in its.slots])
        values = np.where(at >= 0, hours.values[at, -1], np.nan)
        found = judge(values, its.forecast(), hour=int(hour))
        for place in np.flatnonzero(found.score >= 1.0).tolist():
            row = int(at[place])
            yield Point(
                group_id=group_id,
                slot=int(its.slots[place]),
                labels=hours.labels[row],
                ts_ms=end_ms,
                score=float(found.score[place]),
                value=float(values[place]),
                is_rate=bool(hours.counters[row]),
                expected_lo=float(found.expected_lo[place]),
                expected_hi=float(found.expected_hi[place]),
                nearest=float(found.mean[place]),
                view=View.RESIDUAL,
            )
