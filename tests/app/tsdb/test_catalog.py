"""The catalogue gives each series one place, whoever asks, however often, and at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from app.domain.labels import encode_label, encode_labels, labels_of
from app.domain.tenancy import TenantId
from app.tsdb import catalog
from app.tsdb.catalog import AT_LIMIT, SLOTS_PER_GROUP, group_key, series_places
from models.session import platform_session, tenant_connection
from models.tenants import TenantRow
from tests.factories.cast import Cast
from tests.factories.database import RolledBackDatabase

READ = text(
    "select coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) from pg_stat_xact_user_tables"
    " where relname = 'series'"
)


def keys_of(count: int, **more: str) -> list[bytes]:
    return [encode_labels(labels_of({"__name__": "m", "device": "core-1", "n": str(n), **more})) for n in range(count)]


def test_a_series_keeps_its_place(cast: Cast) -> None:
    first, _ = series_places(cast.acme, keys_of(3))
    again, reasons = series_places(cast.acme, keys_of(5))
    assert again[:3].tolist() == first.tolist()
    assert len(set(again.tolist())) == 5
    assert not reasons


def test_places_come_from_the_table_and_not_from_the_process(cast: Cast) -> None:
    first, _ = series_places(cast.acme, keys_of(3))
    catalog._known.clear()
    assert series_places(cast.acme, keys_of(3))[0].tolist() == first.tolist()


def test_to_register_a_few_reads_no_more_of_a_large_tenant(db: RolledBackDatabase, cast: Cast) -> None:
    if not isinstance(db, RolledBackDatabase):
        pytest.skip("what a transaction has read is known within it alone")
    # Nobody has told the server yet how many these are.
    series_places(cast.acme, [key for n in range(10) for key in keys_of(200, device=f"old-{n}")])
    before = db.outer.scalar(READ)
    places, _ = series_places(cast.acme, keys_of(20, device="new"))
    assert (places >= 0).all()
    assert db.outer.scalar(READ) - before < 200


def test_a_group_holds_so_many_slots_and_then_another_begins(cast: Cast) -> None:
    places, _ = series_places(cast.acme, keys_of(2 * SLOTS_PER_GROUP + 1))
    groups, slots = places >> 8, places & 0xFF
    assert len(set(places.tolist())) == len(places)
    assert sorted((groups == group).sum() for group in set(groups.tolist())) == [1, SLOTS_PER_GROUP, SLOTS_PER_GROUP]
    assert slots.max() == SLOTS_PER_GROUP - 1
    more, _ = series_places(cast.acme, keys_of(2 * SLOTS_PER_GROUP + 3))
    assert sorted((more >> 8 == group).sum() for group in set((more >> 8).tolist()))[0] == 3


def test_charlie_of_globex_has_series_of_his_own(cast: Cast) -> None:
    acme, _ = series_places(cast.acme, keys_of(3))
    globex, _ = series_places(cast.globex, keys_of(3))
    assert not set(acme.tolist()) & set(globex.tolist())
    with tenant_connection(cast.globex) as connection:
        assert connection.scalar(text("select count(*) from series")) == 3


def test_an_unusual_key_is_the_same_series(cast: Cast) -> None:
    usual = encode_labels(labels_of({"__name__": "m", "a": "1"}))
    unsorted = encode_label(b"a", b"1") + encode_label(b"__name__", b"m") + encode_label(b"empty", b"")
    places, reasons = series_places(cast.acme, [usual, unsorted])
    assert places[0] == places[1]
    assert not reasons


def test_what_cannot_be_a_series_is_told_by_its_index(cast: Cast) -> None:
    keys = [keys_of(1)[0], b"garbage", encode_labels((("device", "core-1"),)), encode_label(b"\xff", b"1")]
    places, reasons = series_places(cast.acme, keys)
    assert places[0] >= 0
    assert places[1:].tolist() == [-1, -1, -1]
    assert reasons[1].startswith("malformed labels")
    assert reasons[2] == "no metric name"
    assert reasons[3].startswith("malformed labels")


def test_the_tenants_limit_of_series(cast: Cast) -> None:
    with platform_session() as session:
        session.get_one(TenantRow, cast.acme).active_series = 4
    places, reasons = series_places(cast.acme, keys_of(6))
    assert sorted(places.tolist())[:2] == [-1, -1]
    assert set(reasons.values()) == {AT_LIMIT}
    assert (series_places(cast.acme, keys_of(6))[0] >= 0).sum() == 4


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        pytest.param({"device": "core-1"}, "device core-1", id="a polled device"),
        pytest.param(
            {"job": "node", "instance": "a:9100", "device": "sda"}, "target node a:9100", id="a scrape target"
        ),
        pytest.param({"job": "batch"}, "metric m", id="neither"),
    ],
)
def test_what_arrives_together(labels: dict[str, str], expected: str) -> None:
    assert group_key(labels_of({"__name__": "m", **labels})) == expected


def test_many_processes_may_meet_the_same_series_at_once(own_db: str) -> None:
    with platform_session() as session:
        tenant = TenantRow(name="acme", title="Acme")
        session.add(tenant)
        session.flush()
        acme = TenantId(tenant.id)
    keys = keys_of(700)
    fresh = {key: labels_of(catalog.decode_labels(key)) for key in keys}

    def register(offset: int) -> dict[bytes, int]:
        known: dict[bytes, int] = {}  # a process of its own has a cache of its own
        part = dict(list(fresh.items())[offset : offset + 500])
        catalog._register(acme, known, part)
        return known

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(register, [0, 200, 100, 0, 200, 50, 150, 0]))
    places: dict[bytes, set[int]] = {}
    for known in answers:
        for key, place in known.items():
            places.setdefault(key, set()).add(place)
    assert all(len(each) == 1 for each in places.values())
    assert len({place for each in places.values() for place in each}) == 700
