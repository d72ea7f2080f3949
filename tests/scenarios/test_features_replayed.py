"""A day replayed: the features that forecasts see hour by hour are, to the bit, those that training makes of it later.

Online every hour is read as soon as its samples are stored, from hot rows or from rollups, whichever there are then.
Offline the whole past is read once, when all of it is rolled up, and cut where each hour ended.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from app.domain.forecast.base import filled
from app.domain.forecast.features import SEASONS, Features, features
from app.domain.samples import Float64s
from app.domain.tenancy import TenantId
from app.tsdb import hourly
from app.tsdb.hourly import HOUR_MS, Hours
from models.session import close_database, open_database, tenant_connection
from tests.app.tsdb.test_compact import compact_all, make_tenant
from tests.factories.rhythms import rhythms
from tests.factories.samples import store_all
from tests.factories.servers import SECRET_KEY

# A season of six hours: the same arithmetic as one of a day, on a quarter of the history.
SEASON, HORIZON = 6, 12
LEARNED_H = (SEASONS + 2) * SEASON
T0 = 1_770_000_000_000 // (24 * HOUR_MS) * 24 * HOUR_MS
STEP_MS = HOUR_MS // 2
SERIES = 4


@pytest.fixture
def acme(own_db: str) -> Iterator[TenantId]:
    """A tenant, in a database as workers see it."""
    close_database()
    open_database(own_db, role="worker", secret_key=SECRET_KEY)
    yield make_tenant("acme")


def network() -> dict[str, Float64s]:
    """Gauges and counters, a sample each half hour: one counter is reset in the replayed day, one gauge has holes."""
    gauges = rhythms(SERIES, 2 * (LEARNED_H + 24))
    counters = np.cumsum(np.round(rhythms(SERIES, 2 * (LEARNED_H + 24), seed=9) * 1e5), axis=1)
    counters[1, -20:] -= counters[1, -20]
    gauges[2, -31:-25] = np.nan
    return {"cpu_load": gauges, "octets_total": counters}


def store(tenant: TenantId, values: dict[str, Float64s], *, start_h: int, end_h: int) -> None:
    """The samples of (start, end]."""
    at = np.arange(2 * start_h, 2 * end_h)
    store_all(
        tenant,
        [
            (
                {"__name__": name, "device": f"r{row}"},
                [(T0 + STEP_MS * (i + 1), float(its[i])) for i in at.tolist() if np.isfinite(its[i])],
            )
            for name, rows in values.items()
            for row, its in enumerate(rows)
        ],
    )


def read(tenant: TenantId, *, start_h: int, end_h: int) -> Hours:
    with tenant_connection(tenant) as connection:
        groups = hourly.all_groups(connection, tenant)
        return hourly.read(connection, tenant, groups, start_ms=T0 + start_h * HOUR_MS, end_ms=T0 + end_h * HOUR_MS)


def seen(history: Float64s) -> Features:
    return features(filled(history, SEASON), horizon=HORIZON, season=SEASON)


def test_online_and_offline_are_equal_to_the_bit(acme: TenantId) -> None:
    values = network()
    store(acme, values, start_h=0, end_h=LEARNED_H)
    compact_all(acme, now_ms=T0 + (LEARNED_H - 1) * HOUR_MS)
    online: dict[int, tuple[bytes, ...]] = {}
    for hour in range(LEARNED_H + 1, LEARNED_H + 25):
        store(acme, values, start_h=hour - 1, end_h=hour)
        if hour == LEARNED_H + 13:
            compact_all(acme, now_ms=T0 + hour * HOUR_MS)
        now = read(acme, start_h=hour - LEARNED_H, end_h=hour)
        its = seen(now.values)
        online[hour] = (its.rows.tobytes(), its.naive.tobytes(), its.scale.tobytes())
    compact_all(acme, now_ms=T0 + (LEARNED_H + 60) * HOUR_MS)
    whole = read(acme, start_h=0, end_h=LEARNED_H + 24)
    assert len(whole.labels) == 2 * SERIES and whole.counters.sum() == SERIES
    known = filled(whole.values, SEASON)
    for hour, found in online.items():
        its = features(known[:, :hour], horizon=HORIZON, season=SEASON)
        assert (its.rows.tobytes(), its.naive.tobytes(), its.scale.tobytes()) == found, hour
    assert np.isfinite(its.rows).all()
