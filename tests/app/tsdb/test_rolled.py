"""Rollups say what samples say, and stand in for them when they are gone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from sqlalchemy import text

from app.domain.samples import is_absent
from app.domain.tenancy import TenantId
from app.promql.engine import query_range
from app.promql.result import Matrix
from app.promql.rollups import FROM_ROLLUPS
from app.tsdb import compact, rolled
from app.tsdb.blocks import BLOCK_MS
from app.tsdb.reader import Reader
from models.session import close_database, open_database, tenant_connection
from tests.app.tsdb.test_compact import NOW, compact_all, make_tenant
from tests.factories.samples import store, store_all
from tests.factories.servers import SECRET_KEY

DAY_MS = 86_400_000
T0 = 1_770_000_000_000 // (30 * DAY_MS) * 30 * DAY_MS
HOUR_MS = 3_600_000


class Samples:
    """A reader that is asked for nothing but samples."""

    def __init__(self, tenant: TenantId) -> None:
        self.select = Reader(tenant).select


@pytest.fixture
def acme(own_db: str) -> Iterator[TenantId]:
    """A tenant, in a database as workers see it."""
    close_database()
    open_database(own_db, role="worker", secret_key=SECRET_KEY)
    yield make_tenant("acme")


def store_days(tenant: TenantId, days: int = 3) -> None:
    """A counter with resets, a gauge, one with gaps; samples exactly on the buckets' edges, and beside them."""
    grid = T0 + 60_000 * np.arange(1, days * 1440 + 1)
    counter = np.cumsum(np.arange(len(grid)) % 50 * 7.0)
    counter[1000:] -= counter[1000]
    gauge = np.round(np.sin(grid / 7e6) * 50, 2)
    shifted = grid + 17_321
    device = {"device": "sw-1"}
    store_all(
        tenant,
        [
            ({"__name__": "octets", **device}, list(zip(grid.tolist(), counter.tolist(), strict=True))),
            ({"__name__": "temp", **device}, list(zip(grid.tolist(), gauge.tolist(), strict=True))),
            ({"__name__": "gappy", **device}, list(zip(grid[::7].tolist(), counter[::7].tolist(), strict=True))),
            ({"__name__": "shifted", "n": "1"}, list(zip(shifted.tolist(), counter.tolist(), strict=True))),
        ],
    )


def both(tenant: TenantId, expr: str, *, step_ms: int, days: int = 3) -> tuple[Matrix, Matrix]:
    span = {"start_ms": T0 + step_ms, "end_ms": T0 + days * DAY_MS, "step_ms": step_ms}
    return query_range(Reader(tenant), expr, **span), query_range(Samples(tenant), expr, **span)


def assert_same(one: Matrix, other: Matrix, why: str = "") -> None:
    assert list(one.labels) == list(other.labels), why
    assert (is_absent(one.values) == is_absent(other.values)).all(), why
    there = ~is_absent(one.values)
    np.testing.assert_allclose(one.values[there], other.values[there], rtol=1e-12, err_msg=why)


def test_every_function_says_what_samples_say(acme: TenantId) -> None:
    store_days(acme)
    compact_all(acme)
    store(acme, {"__name__": "temp", "device": "sw-1"}, [(T0 + DAY_MS + 30_000, 999.0)])  # late, and not compacted
    for name in FROM_ROLLUPS:
        for window, step_ms, tier_ms in (("5m", 300_000, 300_000), ("2h", HOUR_MS, HOUR_MS), ("1d", DAY_MS, DAY_MS)):
            expr = f'{name}({{__name__=~"octets|temp|gappy|shifted"}}[{window}])'
            if not FROM_ROLLUPS[name].keeps_name:
                expr = f"{name}(octets[{window}]) or {name}(temp[{window}]) or {name}(gappy[{window}]) + 0"
            rolled_up, sampled = both(acme, expr, step_ms=step_ms)
            assert rolled_up.account.tier_ms == tier_ms
            assert sampled.account.tier_ms == 0
            assert_same(rolled_up, sampled, expr)


def test_what_is_compacted_late_is_rolled_up_again(acme: TenantId) -> None:
    store_days(acme)
    compact_all(acme)
    store(acme, {"__name__": "temp", "device": "sw-1"}, [(T0 + DAY_MS + 30_000, 999.0)])
    compact_all(acme)
    rolled_up, sampled = both(acme, "max_over_time(temp[1d])", step_ms=DAY_MS)
    assert rolled_up.values[0, 1] == 999.0
    assert_same(rolled_up, sampled)


def test_what_was_read_is_not_sent_again_until_it_changes(acme: TenantId) -> None:
    store_days(acme)
    compact_all(acme)
    span = {"start_ms": T0 + DAY_MS, "end_ms": T0 + 3 * DAY_MS, "step_ms": DAY_MS}
    first = query_range(Reader(acme), "max_over_time(temp[1d])", **span)
    store(acme, {"__name__": "temp", "device": "sw-1"}, [(T0 + DAY_MS + 30_000, 999.0)])
    compact_all(acme)
    changed = query_range(Reader(acme), "max_over_time(temp[1d])", **span)
    assert (first.values[0, 1], changed.values[0, 1]) == (first.values.max(), 999.0)
    # Whoever would be sent a row now could not read it.
    with tenant_connection(acme) as connection:
        connection.execute(text("update sample_rollups set blob = '' where tier = 86400"))
    assert_same(query_range(Reader(acme), "max_over_time(temp[1d])", **span), changed)
    assert not len(query_range(Reader(acme), "max_over_time(octets[1d])", **span).labels)


def test_other_windows_are_read_from_samples(acme: TenantId) -> None:
    store_days(acme)
    compact_all(acme)
    for expr in ("rate(octets[7m])", "quantile_over_time(0.9, temp[1h])", "rate(octets[1h] offset 30s)", "temp"):
        rolled_up, sampled = both(acme, expr, step_ms=HOUR_MS)
        assert rolled_up.account.tier_ms == 0, expr
        assert_same(rolled_up, sampled, expr)


def test_a_years_maximum_is_that_of_the_samples(acme: TenantId) -> None:
    # Of every eighth day some hours.
    grid = (T0 + HOUR_MS // 2 + DAY_MS * np.arange(0, 365, 8)[:, None] + HOUR_MS * np.arange(1, 12)).ravel()
    values = np.round(np.random.default_rng(5).normal(50, 10, len(grid)), 3)
    store(acme, {"__name__": "load", "device": "sw-1"}, list(zip(grid.tolist(), values.tolist(), strict=True)))
    for due in compact.due(acme, T0 + 500 * DAY_MS):
        compact.compact_bucket(acme, due.bucket_ms, due.groups)
    span = {"start_ms": T0 + 365 * DAY_MS, "end_ms": T0 + 365 * DAY_MS, "step_ms": DAY_MS}
    found = query_range(Reader(acme), "max_over_time(load[365d])", **span)
    assert found.account.tier_ms == DAY_MS
    assert found.values[0, 0] == values.max()


def gone(tenant: TenantId, table: str, condition: str, before_ms: int) -> None:
    with tenant_connection(tenant) as connection:
        connection.execute(
            text(f"delete from {table} where {condition} and bucket < :before"),
            {"before": compact.moment(before_ms)},
        )


def test_the_finest_tier_that_is_left_stands_in_for_samples(acme: TenantId) -> None:
    store_days(acme, 4)
    compact_all(acme)
    hourly = {"start_ms": T0 + HOUR_MS, "end_ms": T0 + 4 * DAY_MS, "step_ms": HOUR_MS}
    before, highest = (
        query_range(Samples(acme), "temp", **hourly),
        both(acme, "max_over_time(temp[1d])", step_ms=DAY_MS),
    )
    gone(acme, "sample_blocks", "true", T0 + 2 * DAY_MS)
    assert not [b for b in Reader(acme).select([], start_ms=T0, end_ms=T0 + DAY_MS) if not b.tier_ms]
    found = query_range(Reader(acme), "temp", **hourly)
    assert found.account.tier_ms == 300_000
    assert_same(found, before)
    gone(acme, "sample_rollups", "tier = 300", T0 + DAY_MS)
    found = query_range(Reader(acme), "temp", **hourly)
    assert found.account.tier_ms == HOUR_MS
    assert_same(found, before)
    found = query_range(Reader(acme), "last_over_time(temp[5m])", **(hourly | {"step_ms": 300_000}))
    assert found.account.tier_ms == HOUR_MS
    # Whole buckets are as exact as ever.
    assert_same(both(acme, "max_over_time(temp[1d])", step_ms=DAY_MS)[0], highest[1])


def test_samples_later_than_the_blocks_are_added_to_the_rollups(acme: TenantId) -> None:
    store_days(acme)
    compact_all(acme)
    store(acme, {"__name__": "temp", "device": "sw-1"}, [(T0 + DAY_MS + 30_000, 999.0)])
    wanted = {name: both(acme, f"{name}(temp[1d])", step_ms=DAY_MS)[1] for name in ("count_over_time", "max_over_time")}
    gone(acme, "sample_blocks", "true", T0 + 5 * DAY_MS)
    compact_all(acme)
    for name, one in wanted.items():
        assert_same(both(acme, f"{name}(temp[1d])", step_ms=DAY_MS)[0], one, name)
    hourly, finest = (
        both(acme, f"count_over_time(temp[{w}])", step_ms=s)[0] for w, s in (("1h", HOUR_MS), ("5m", 300_000))
    )
    assert hourly.values.sum() == finest.values.sum() == 3 * 1440 + 1


def test_the_other_tenant_sees_nothing(acme: TenantId) -> None:
    globex = make_tenant("globex")
    store_days(acme)
    compact_all(acme)
    assert not len(both(globex, "max_over_time(temp[1d])", step_ms=DAY_MS)[0])
    assert len(both(acme, "max_over_time(temp[1d])", step_ms=DAY_MS)[0])


def test_the_coarsest_tier_that_is_exact() -> None:
    cases = {300_000: 300, 600_000: 300, HOUR_MS: 3600, 2 * HOUR_MS: 3600, DAY_MS: 86_400, 60_000: None, 0: None}
    assert {unit: rolled.tier_for(unit) for unit in cases} == cases
    assert BLOCK_MS % 300_000 == 0
    assert NOW > T0
