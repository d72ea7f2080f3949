"""Devices of one role side by side: one that is unlike the others is one anomaly, however long and how often looked."""

from __future__ import annotations

import pytest
from redis import Redis
from sqlalchemy import select

from app import clock
from app.actions.peers import compare_peers
from app.domain.tenancy import TenantId
from app.queries import anomalies
from app.queries.anomalies import AnomalyFilter
from models.anomalies import AnomalyRow
from models.inventory import DeviceRow
from models.session import tenant_session
from tests.factories.cast import Cast
from tests.factories.database import RolledBackDatabase
from tests.factories.samples import store_all

HOUR = 3_600_000


@pytest.fixture
def now_ms(cast: Cast, db: RolledBackDatabase, valkey: Redis) -> int:
    """Five switches with the load of eight hours; the last is four times as busy, another one has another role."""
    now_ms = clock.now_ms() // HOUR * HOUR + 10 * 60_000
    with tenant_session(cast.acme) as session:
        for number in range(5):
            row = DeviceRow(tenant_id=cast.acme, name=f"sw-{number}", address=f"192.0.2.{number}", role="access")
            session.add(row)
        session.add(DeviceRow(tenant_id=cast.acme, name="core", address="192.0.2.9", role="core"))
    loads = {f"sw-{number}": 0.2 for number in range(4)} | {"sw-4": 0.9, "core": 0.9}
    series = [
        (
            {"__name__": "cpu_utilisation_ratio", "device": device, "cpu": "0"},
            [(now_ms - (480 - i) * 60_000, load + 0.01 * (i % 3)) for i in range(0, 480, 5)],
        )
        for device, load in loads.items()
    ]
    store_all(cast.acme, series)
    return now_ms


def _found(tenant: TenantId) -> list[AnomalyRow]:
    with tenant_session(tenant) as session:
        return list(session.scalars(select(AnomalyRow)))


def test_one_device_is_unlike_its_peers(cast: Cast, now_ms: int) -> None:
    assert compare_peers(cast.acme, now_ms=now_ms) == 1
    assert compare_peers(cast.acme, now_ms=now_ms) == 1
    (row,) = _found(cast.acme)
    assert (row.device_name, row.source, row.points) == ("sw-4", "peers", 1)
    (seen,) = anomalies.anomalies(cast.vera, AnomalyFilter(device="sw-4"))
    assert "other devices of its role" in seen.why
    assert seen.nearest == pytest.approx(0.21, abs=0.01)


def test_the_next_hour_goes_on_with_the_same_anomaly(cast: Cast, now_ms: int) -> None:
    compare_peers(cast.acme, now_ms=now_ms - HOUR)
    compare_peers(cast.acme, now_ms=now_ms)
    (row,) = _found(cast.acme)
    assert row.points == 2


def test_the_devices_of_acme_are_no_peers_of_globex(cast: Cast, now_ms: int) -> None:
    assert compare_peers(cast.globex, now_ms=now_ms) == 0
    assert anomalies.anomalies(cast.charlie, AnomalyFilter(least_score=0)) == []
