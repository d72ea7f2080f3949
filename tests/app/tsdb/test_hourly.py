"""Hourly values: means and rates, the same whether hours were rolled up or not, and blind to what comes later."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from app.domain.samples import Float64s
from app.domain.tenancy import TenantId
from app.tsdb import hourly
from app.tsdb.hourly import HOUR_MS
from models.session import close_database, open_database, tenant_connection
from tests.app.tsdb.test_compact import compact_all, make_tenant
from tests.factories.samples import store
from tests.factories.servers import SECRET_KEY

T0 = 1_770_000_000_000 // (24 * HOUR_MS) * 24 * HOUR_MS
MINUTE = 60_000
OCTETS = {"__name__": "ifHCInOctets", "device": "a"}
TEMP = {"__name__": "temp", "device": "a"}


@pytest.fixture
def acme(own_db: str) -> Iterator[TenantId]:
    """A tenant, in a database as workers see it."""
    close_database()
    open_database(own_db, role="worker", secret_key=SECRET_KEY)
    yield make_tenant("acme")


def hours(tenant: TenantId, name: str, *, start: int, end: int) -> Float64s:
    with tenant_connection(tenant) as connection:
        groups = hourly.all_groups(connection, tenant)
        found = hourly.read(connection, tenant, groups, start_ms=T0 + start * HOUR_MS, end_ms=T0 + end * HOUR_MS)
    assert found.values.shape == (len(found.labels), end - start)
    (row,) = [i for i, labels in enumerate(found.labels) if dict(labels)["__name__"] == name]
    return found.values[row]


def fill(tenant: TenantId, n: int = 30 * 12) -> None:
    """Thirty hours in steps of five minutes: 100/s, reset after ten hours, silent in the twentieth."""
    count = np.cumsum(np.full(n, 100.0 * 300))
    count[120:] -= count[119]
    times = T0 + 5 * MINUTE * np.arange(1, n + 1)
    there = (np.arange(n) < 19 * 12) | (np.arange(n) >= 20 * 12)
    store(tenant, OCTETS, list(zip(times[there].tolist(), count[there].tolist(), strict=True)))
    store(tenant, TEMP, list(zip(times.tolist(), np.sin(np.arange(n)).tolist(), strict=True)))


def test_gauges_are_means_and_counters_rates_over_resets_and_gaps(acme: TenantId) -> None:
    fill(acme)
    means = np.sin(np.arange(360)).reshape(30, 12).mean(axis=1)
    assert hours(acme, "temp", start=0, end=30) == pytest.approx(means)
    rates = hours(acme, "ifHCInOctets", start=0, end=30)
    assert np.flatnonzero(np.isnan(rates)).tolist() == [19]
    assert rates[~np.isnan(rates)] == pytest.approx(np.full(29, 100.0))


def test_rolled_up_hours_say_the_same_to_the_bit(acme: TenantId) -> None:
    fill(acme)
    before = [hours(acme, name, start=2, end=28) for name in ("temp", "ifHCInOctets")]
    compact_all(acme, now_ms=T0 + 40 * HOUR_MS)
    after = [hours(acme, name, start=2, end=28) for name in ("temp", "ifHCInOctets")]
    assert [each.tobytes() for each in before] == [each.tobytes() for each in after]


def test_an_hour_needs_no_later_one_and_no_earlier_start(acme: TenantId) -> None:
    fill(acme)
    whole = hours(acme, "ifHCInOctets", start=0, end=30)
    for end in (5, 11, 21):
        assert hours(acme, "ifHCInOctets", start=end - 3, end=end).tobytes() == whole[end - 3 : end].tobytes()
