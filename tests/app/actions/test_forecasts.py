"""A tenant's series are foretold from its store, set right by what came, once for each hour, and for itself alone."""

from __future__ import annotations

import numpy as np
import pytest
from redis import Redis
from sqlalchemy import select, update

from app.actions import forecasts as actions
from app.actions.forecasts import Models
from app.domain.forecast.boosting import GlobalModel
from app.domain.forecast.families import Family
from app.domain.forecast.hourly import Served
from app.domain.forecast.outlook import HOUR_MS
from app.domain.tenancy import TenantId
from app.tsdb import forecasts, hourly
from app.tsdb.forecasts import GroupForecast
from models.forecasts import ForecastQualityRow, ForecastRow
from models.session import tenant_connection, tenant_session
from tests.factories.cast import Cast
from tests.factories.database import RolledBackDatabase
from tests.factories.samples import store_all

T0 = 1_770_000_000_000 // HOUR_MS * HOUR_MS
DAYS = 14
DEVICES = 4
MANY = 24  # enough for a model of their own


def load(hours: np.ndarray, device: int) -> np.ndarray:
    """A day between 20 and 80 %, of each device its own, with a little noise."""
    noise = np.random.default_rng(device).normal(0, 2, 2_000)[: len(hours)]
    return 50 + 30 * np.sin(2 * np.pi * (hours + device) / 24) + noise


def fill(tenant: TenantId, *, hours: int = DAYS * 24, first: int = 0, devices: int = DEVICES) -> int:
    """Store hours of gauges, a counter of the first device and one that never changes; answers the last hour's end."""
    count = np.arange(first + hours)
    series = []
    for device in range(devices):
        values = load(count, device)[first:]
        labels = {"__name__": "cpu_load", "device": f"d-{device}"}
        series.append((labels, [(T0 + (first + i) * HOUR_MS, float(its)) for i, its in enumerate(values)]))
    grown = np.cumsum(load(count, 0) * 3600)[first:]
    counter = {"__name__": "ifHCInOctets", "device": "d-0", "ifName": "xe-0"}
    series.append((counter, [(T0 + (first + i) * HOUR_MS, float(its)) for i, its in enumerate(grown)]))
    flat = {"__name__": "ifSpeed", "device": "d-0"}
    series.append((flat, [(T0 + (first + i) * HOUR_MS, 1e9) for i in range(hours)]))
    store_all(tenant, series)
    return T0 + (first + hours - 1) * HOUR_MS


def no_champion(tenant: TenantId, family: Family) -> GlobalModel | None:
    del tenant, family
    return None


def forecast(tenant: TenantId, made_ms: int) -> bool:
    return actions.run(tenant, Models(tenant, made_ms, no_champion), may_go_on=lambda: True)


def stored(tenant: TenantId, *, before_ms: int) -> dict[int, GroupForecast]:
    with tenant_connection(tenant) as connection:
        groups = [group.group_id for group in hourly.all_groups(connection, tenant)]
        return forecasts.newest(connection, tenant, groups, before_ms=before_ms)


def quality(tenant: TenantId, *, is_backtest: bool) -> dict[str, ForecastQualityRow]:
    with tenant_session(tenant) as session:
        rows = session.scalars(select(ForecastQualityRow).where(ForecastQualityRow.is_backtest == is_backtest))
        return {row.family: row for row in rows}


@pytest.fixture
def made_ms(cast: Cast, db: RolledBackDatabase, valkey: Redis) -> int:
    at_ms = fill(cast.acme)
    db.role = "worker"
    assert forecast(cast.acme, at_ms)
    return at_ms


def test_what_moves_is_foretold_and_what_rests_is_not(cast: Cast, made_ms: int) -> None:
    found = stored(cast.acme, before_ms=made_ms + 1)
    assert len(found) == DEVICES
    assert sorted(len(each.slots) for each in found.values()) == [1] * (DEVICES - 1) + [2]
    expected = load(np.arange(DAYS * 24, DAYS * 24 + 48), 3)
    mine = next(each for each in found.values() if _is_of(cast.acme, each, "d-3")).forecast()
    assert np.abs(mine.mean[0] - expected).mean() < 5
    assert ((mine.lo95 <= mine.lo80) & (mine.lo80 <= mine.mean) & (mine.mean <= mine.hi80)).all()


def test_a_counter_is_foretold_as_a_rate(cast: Cast, made_ms: int) -> None:
    found = stored(cast.acme, before_ms=made_ms + 1)
    mine = next(each for each in found.values() if len(each.slots) == 2)
    assert (mine.mean.mean(axis=1) < 100).all()


def test_the_backtest_is_published_at_once_and_what_came_with_the_next_run(cast: Cast, made_ms: int) -> None:
    assert not quality(cast.acme, is_backtest=False)
    first = quality(cast.acme, is_backtest=True)
    assert first["cpu"].series == DEVICES
    assert first["cpu"].error < first["cpu"].naive_error
    later_ms = fill(cast.acme, first=DAYS * 24, hours=6)
    assert forecast(cast.acme, later_ms)
    lived = quality(cast.acme, is_backtest=False)["cpu"]
    assert (lived.series, lived.points) == (DEVICES, DEVICES * 6)
    assert lived.inside95 > 0.8 * lived.points
    assert lived.error < lived.naive_error


def test_ranges_widen_after_misses(cast: Cast, made_ms: int) -> None:
    """Every device jumps far out of its ranges for 6 hours."""
    before = stored(cast.acme, before_ms=made_ms + 1)
    jumped = [
        ({"__name__": "cpu_load", "device": f"d-{n}"}, [(made_ms + (i + 1) * HOUR_MS, 500.0 + i) for i in range(6)])
        for n in range(DEVICES)
    ]
    store_all(cast.acme, jumped)
    assert forecast(cast.acme, made_ms + 6 * HOUR_MS)
    after = stored(cast.acme, before_ms=made_ms + 7 * HOUR_MS)
    assert all((before[group].factors == 1).all() for group in before)
    assert all((after[group].factors[:, 0] > 1.3).all() for group in after if len(after[group].slots) == 1)


def test_a_run_is_made_once_and_the_next_one_waits(cast: Cast, made_ms: int) -> None:
    assert forecast(cast.acme, made_ms)
    with tenant_session(cast.acme) as session:
        assert len(session.scalars(select(ForecastRow)).all()) == DEVICES
    assert quality(cast.acme, is_backtest=True)["cpu"].series == DEVICES
    now_ms = made_ms + actions.SETTLE_MS
    assert actions.due(cast.acme, now_ms) is None
    # Of the first runs history may still arrive: they follow hour by hour, later ones every six.
    assert actions.due(cast.acme, now_ms + HOUR_MS) == made_ms + HOUR_MS


def test_a_run_that_was_cut_short_goes_on(cast: Cast, db: RolledBackDatabase, valkey: Redis) -> None:
    at_ms = fill(cast.acme, hours=80, devices=3)
    db.role = "worker"
    models = Models(cast.acme, at_ms, no_champion)
    assert not actions.run(cast.acme, models, may_go_on=lambda: False)
    assert actions.due(cast.acme, at_ms + actions.SETTLE_MS) == at_ms
    assert actions.run(cast.acme, models, may_go_on=lambda: True)
    assert len(stored(cast.acme, before_ms=at_ms + 1)) == 3


def test_too_little_history_is_said_in_hours(cast: Cast, db: RolledBackDatabase, valkey: Redis) -> None:
    at_ms = fill(cast.acme, hours=50, devices=2)
    db.role = "worker"
    assert forecast(cast.acme, at_ms)
    found = stored(cast.acme, before_ms=at_ms + 1)
    assert sorted(hours for each in found.values() for hours in each.lacking.values()) == [22, 22, 23]
    assert all(len(each.slots) == 0 for each in found.values())


def test_a_broken_row_is_left_out(cast: Cast, db: RolledBackDatabase, made_ms: int) -> None:
    with tenant_session(cast.acme) as session:
        session.execute(update(ForecastRow).values(checksum=1))
    assert not stored(cast.acme, before_ms=made_ms + 1)


def test_another_tenant_has_none_of_it(cast: Cast, made_ms: int) -> None:
    with tenant_connection(cast.acme) as connection:
        groups = [group.group_id for group in hourly.all_groups(connection, cast.acme)]
    with tenant_connection(cast.globex) as connection:
        assert not forecasts.newest(connection, cast.globex, groups, before_ms=made_ms + 1)
        assert forecasts.newest_run(connection, cast.globex) is None


def _is_of(tenant: TenantId, its: GroupForecast, device: str) -> bool:
    with tenant_connection(tenant) as connection:
        groups = hourly.all_groups(connection, tenant)
    labels = next(dict(group.labels[0]) for group in groups if group.group_id == its.group_id)
    return labels["device"] == device


def test_many_series_train_a_model_where_the_registry_has_none(
    cast: Cast, db: RolledBackDatabase, valkey: Redis
) -> None:
    at_ms = fill(cast.acme, devices=MANY)
    db.role = "worker"
    models = Models(cast.acme, at_ms, no_champion)
    assert actions.run(cast.acme, models, may_go_on=lambda: True)
    assert models.trained is not None
    model = models.trained[Family.CPU]
    assert model is not None
    assert models.trained[Family.TRAFFIC] is None
    names = {name for each in stored(cast.acme, before_ms=at_ms + 1).values() for name in each.models}
    assert "global_boosting" in names
    champion = Models(cast.acme, at_ms, lambda tenant, family: model)
    assert champion.of(Family.LATENCY, []) == Served(model, has_seen=True)
