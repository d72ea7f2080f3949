"""Compaction changes where samples lie and nothing of what is read."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from sqlalchemy import text

from app.domain.labels import Matcher, MatchOp
from app.domain.samples import STALE, is_absent
from app.domain.tenancy import TenantId
from app.tsdb import compact, rollups
from app.tsdb.blocks import BLOCK_MS
from app.tsdb.reader import Reader
from models.session import close_database, open_database, platform_session, tenant_connection
from models.tenants import TenantRow
from tests.factories.samples import store, store_all
from tests.factories.servers import SECRET_KEY

T0 = 1_770_000_000_000 // BLOCK_MS * BLOCK_MS
NOW = T0 + 100 * BLOCK_MS
CPU = {"__name__": "cpu", "device": "core-1"}
SEEN = dict[tuple[tuple[str, str], ...], list[tuple[int, bytes]]]


@pytest.fixture
def acme(own_db: str) -> Iterator[TenantId]:
    """A tenant, in a database as workers see it."""
    close_database()
    open_database(own_db, role="worker", secret_key=SECRET_KEY)
    yield make_tenant("acme")


def make_tenant(name: str) -> TenantId:
    with platform_session() as session:
        row = TenantRow(name=name, title=name)
        session.add(row)
        session.flush()
        return TenantId(row.id)


def seen(tenant: TenantId, name: str = "", *, start_ms: int = 0, end_ms: int = 2**42) -> SEEN:
    """Every sample to the bit, by series."""
    matcher = Matcher("__name__", MatchOp.EQUAL, name) if name else Matcher("__name__", MatchOp.NOT_EQUAL, "")
    found: SEEN = {}
    for block in Reader(tenant).select([matcher], start_ms=start_ms, end_ms=end_ms):
        for column, labels in enumerate(block.labels):
            rows = np.flatnonzero(~is_absent(block.values)[:, column])
            its = [(int(block.ts_ms[row]), block.values[row, column].tobytes()) for row in rows]
            found[labels] = sorted(found.get(labels, []) + its)
    return {labels: its for labels, its in found.items() if its}


def compact_all(tenant: TenantId, now_ms: int = NOW) -> int:
    return sum(compact.compact_bucket(tenant, due.bucket_ms, due.groups).samples for due in compact.due(tenant, now_ms))


def count(tenant: TenantId, table: str) -> int:
    with tenant_connection(tenant) as connection:
        return connection.scalar(text(f"select count(*) from {table}")) or 0


def store_all_sorts(tenant: TenantId) -> None:
    """A dense group over two buckets, holes, marks, series that never meet, corrections."""
    grid = [T0 + 60_000 * index for index in range(1, 721)]
    store_all(
        tenant,
        [
            (
                {"__name__": "octets", "device": "sw-1", "ifName": str(port)},
                [(ts, float(ts // 7 * port)) for ts in grid],
            )
            for port in range(6)
        ],
    )
    store(tenant, {"__name__": "temp", "device": "sw-1"}, [(ts, ts % 777 / 100) for ts in grid[::3]])
    store(tenant, {"__name__": "up", "device": "sw-1"}, [(grid[5], float("nan")), (grid[6], STALE), (grid[7], -0.0)])
    lonely = [
        ({"__name__": "lonely", "n": str(n)}, [(T0 + 1000 * n + 10**6 * k, n / 3) for k in range(3)]) for n in range(90)
    ]
    store_all(tenant, lonely)
    store(tenant, {"__name__": "octets", "device": "sw-1", "ifName": "1"}, [(grid[9], 5.0), (grid[400], 6.0)])


def test_what_is_read_stays_the_same(acme: TenantId) -> None:
    store_all_sorts(acme)
    before, part = seen(acme), seen(acme, "octets", start_ms=T0 + 123_456, end_ms=T0 + BLOCK_MS + 60_000)
    assert compact_all(acme) == sum(len(its) for its in before.values())
    assert count(acme, "sample_hot") == 0
    assert count(acme, "sample_blocks") > 0
    assert seen(acme) == before
    assert seen(acme, "octets", start_ms=T0 + 123_456, end_ms=T0 + BLOCK_MS + 60_000) == part
    window = {"start_ms": T0, "end_ms": T0 + BLOCK_MS}
    assert "ifName" in Reader(acme).label_names([], **window)
    assert len(Reader(acme).series([[Matcher("__name__", MatchOp.EQUAL, "lonely")]], **window)) == 90


def test_late_samples_make_the_next_version(acme: TenantId) -> None:
    store(acme, CPU, [(T0 + 60_000 * index, 1.0) for index in range(1, 100)])
    compact_all(acme)
    store(acme, CPU, [(T0 + 60_000, 7.0), (T0 + 30_000, 8.0)])
    before = seen(acme)
    assert before[tuple(sorted(CPU.items()))][:2] == [
        (T0 + 30_000, np.float64(8.0).tobytes()),
        (T0 + 60_000, np.float64(7.0).tobytes()),
    ]
    compact_all(acme)
    assert seen(acme) == before
    with tenant_connection(acme) as connection:
        assert connection.scalar(text("select version from sample_blocks")) == 2


def test_open_and_busy_buckets_wait(acme: TenantId) -> None:
    store(acme, CPU, [(T0 + 60_000, 1.0), (T0 + BLOCK_MS, 2.0), (T0 + BLOCK_MS + 1, 3.0)])
    assert compact_all(acme, T0 + BLOCK_MS + compact.GRACE_MS - 1) == 0
    assert compact_all(acme, T0 + BLOCK_MS + compact.GRACE_MS) == 2
    assert count(acme, "sample_hot") == 1
    assert not list(compact.due(acme, T0 + BLOCK_MS + compact.GRACE_MS))


def test_empty_partitions_go(acme: TenantId) -> None:
    store(acme, CPU, [(T0 + 60_000, 1.0), (T0 + 3 * BLOCK_MS, 2.0)])
    compact.compact_bucket(acme, T0, [due.groups[0] for due in compact.due(acme, NOW)][:1])
    before = count(acme, "sample_partitions")
    assert compact.drop_empty_partitions(acme, compact.moment(NOW)) == before - 1
    store(acme, CPU, [(T0 + 120_000, 9.0)])  # late: the partition is made again
    assert len(seen(acme)[tuple(sorted(CPU.items()))]) == 3


def test_the_other_tenant_sees_nothing(acme: TenantId) -> None:
    globex = make_tenant("globex")
    store(acme, CPU, [(T0 + 60_000, 1.0)])
    assert not list(compact.due(globex, NOW))
    groups = next(compact.due(acme, NOW)).groups
    assert compact.compact_bucket(globex, T0, groups).samples == 0
    compact_all(acme)
    assert seen(globex) == {}
    assert count(globex, "sample_blocks") == count(globex, "sample_rollups") == 0
    assert seen(acme)


def test_a_broken_block_is_named_and_left_out(acme: TenantId, caplog: pytest.LogCaptureFixture) -> None:
    store(acme, CPU, [(T0 + 60_000, 1.0), (T0 + BLOCK_MS + 60_000, 2.0)])
    compact_all(acme)
    with tenant_connection(acme) as connection:
        connection.execute(text("update sample_blocks set blob = '\\x00' where bucket = :b"), {"b": compact.moment(T0)})
    with caplog.at_level(logging.ERROR):
        left = seen(acme)
    assert [ts for ts, _ in left[tuple(sorted(CPU.items()))]] == [T0 + BLOCK_MS + 60_000]
    assert compact.moment(T0).isoformat() in caplog.text
    # Compaction destroys neither the broken block nor the late samples.
    store(acme, CPU, [(T0 + 90_000, 3.0)])
    due = next(compact.due(acme, NOW))
    assert compact.compact_bucket(acme, T0, due.groups).broken == due.groups
    assert count(acme, "sample_hot") == 1


def test_what_a_drain_stores_meanwhile_is_not_lost(acme: TenantId) -> None:
    store(acme, CPU, [(T0 + 60_000, 1.0)])
    due = next(compact.due(acme, NOW))

    def late(step: str) -> None:
        if step == "blocks written":
            store(acme, CPU, [(T0 + 120_000, 2.0)])

    compact.compact_bucket(acme, T0, due.groups, at_step=late)
    assert len(seen(acme)[tuple(sorted(CPU.items()))]) == 2
    compact_all(acme)
    assert len(seen(acme)[tuple(sorted(CPU.items()))]) == 2


STEPS = (
    "locked",
    "read",
    "taken",
    "blocks written",
    *(f"rollups of {tier} s written" for tier in rollups.TIERS),
    "committed",
)
# Asked for a step it makes a child that kills itself there.
DIES = """
import os, signal, sys
from app.tsdb import compact
from models.session import open_database
url, key, tenant, bucket, groups = sys.argv[1:]
for line in sys.stdin:
    child = os.fork()
    if not child:
        open_database(url, role="worker", secret_key=key)
        die = lambda step: os.kill(os.getpid(), signal.SIGKILL) if step == line.strip() else None
        compact.compact_bucket(int(tenant), int(bucket), [int(g) for g in groups.split(",")], at_step=die)
    print(os.waitpid(child, 0)[1], flush=True)
"""


def test_killed_between_any_two_steps_nothing_is_lost_or_doubled(acme: TenantId, own_db: str) -> None:
    store_all_sorts(acme)
    before = seen(acme)
    first = next(compact.due(acme, NOW))
    arguments = [own_db, SECRET_KEY, str(acme), str(first.bucket_ms), ",".join(map(str, first.groups))]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", DIES, *arguments], **pipes) as killed:
        assert killed.stdin
        assert killed.stdout
        for step in STEPS:
            print(step, file=killed.stdin, flush=True)
            assert int(killed.stdout.readline()) == signal.SIGKILL, step
            assert seen(acme) == before, step
            assert (count(acme, "sample_blocks") > 0) == (step == "committed"), step
    compact_all(acme)
    assert seen(acme) == before
