"""Active series: those that got samples lately, counted by bits that are written with the samples."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from app.clock import utc_now
from app.domain.labels import encode_labels, labels_of
from app.domain.tenancy import TenantId
from app.tsdb import active, catalog
from app.tsdb.cardinality import cardinality
from app.tsdb.catalog import AT_LIMIT, series_places
from app.tsdb.series_counts import series_counts
from models.session import platform_session, tenant_connection
from tests.factories.cast import Cast
from tests.factories.samples import store, store_all

NOW = utc_now()


@pytest.fixture(autouse=True)
def nothing_noted() -> None:
    active._noted = active._Noted(-1, -1)


def keys_of(*numbers: int) -> list[bytes]:
    return [encode_labels(labels_of({"__name__": "m", "device": "r1", "n": str(n)})) for n in numbers]


def age(tenant: TenantId, hours: int) -> None:
    """What was noted becomes some hours older."""
    with tenant_connection(tenant) as connection:
        moved = "update series_active set hour = hour - make_interval(hours => :hours) where tenant_id = :tenant"
        connection.execute(text(moved), {"tenant": tenant, "hours": hours})
    active._noted = active._Noted(-1, -1)


def limit(tenant: TenantId, most: int) -> None:
    with platform_session() as session:
        session.execute(text("update tenants set active_series = :most where id = :id"), {"most": most, "id": tenant})
    catalog._full_s.clear()


@pytest.mark.parametrize("hours, counted", [(0, 3), (1, 3), (2, 3), (3, 0)])
def test_the_last_two_to_three_hours_count(cast: Cast, hours: int, counted: int) -> None:
    store_all(cast.acme, [({"__name__": "m", "device": "r1", "n": str(n)}, [(0, 1.0), (1, 2.0)]) for n in range(3)])
    age(cast.acme, hours)
    assert (active.count(cast.acme), active.count(cast.globex)) == (counted, 0)
    assert cardinality(cast.acme, NOW, limit=1).active == counted
    assert (series_counts(cast.acme, 1).series, cardinality(cast.acme, NOW, limit=1).series) == (counted, 3)


def test_each_sample_is_noted_once_an_hour(cast: Cast) -> None:
    labels = [{"__name__": "m", "device": f"r{n % 3}", "n": str(n)} for n in range(30)]
    store_all(cast.acme, [(each, [(0, 1.0)]) for each in labels[:20]])
    with tenant_connection(cast.acme) as connection:
        assert not len(active.note(connection, *_of(cast.acme, labels[:20])).places)
        assert len(active.note(connection, *_of(cast.acme, labels[10:])).places) == 10
    age(cast.acme, 3)
    store(cast.acme, labels[0], [(0, 1.0)])
    assert active.count(cast.acme) == 1


def _of(tenant: TenantId, labels: list[dict[str, str]]) -> tuple:
    places, _ = series_places(tenant, [encode_labels(labels_of(each)) for each in labels])
    return places * 0 + tenant, places


def test_the_limit_is_of_active_series(cast: Cast) -> None:
    limit(cast.acme, 3)
    assert not series_places(cast.acme, keys_of(0, 1, 2))[1]
    assert series_places(cast.acme, keys_of(3))[1] == {0: AT_LIMIT}
    age(cast.acme, 3)
    catalog._full_s.clear()
    assert not series_places(cast.acme, keys_of(3, 4))[1]
    store(cast.acme, {"__name__": "m", "device": "r1", "n": "0"}, [(0, 1.0)])  # known: it is always taken
    assert active.count(cast.acme) == 3
    assert series_places(cast.acme, keys_of(5))[1] == {0: AT_LIMIT}


def test_the_catalogue_has_a_bound_as_well(cast: Cast) -> None:
    limit(cast.acme, 1)
    for number in range(10):
        assert not series_places(cast.acme, keys_of(number))[1]
        active.drop_old(cast.acme, utc_now() + timedelta(hours=3))
    assert series_places(cast.acme, keys_of(10))[1] == {0: AT_LIMIT}


def test_bits_of_hours_that_do_not_count_are_dropped(cast: Cast) -> None:
    store(cast.acme, {"__name__": "m"}, [(0, 1.0)])
    active.drop_old(cast.acme, utc_now())
    assert active.count(cast.acme) == 1
    active.drop_old(cast.acme, utc_now() + timedelta(hours=3))
    assert active.count(cast.acme) == 0
