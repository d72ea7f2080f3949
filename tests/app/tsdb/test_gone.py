"""Series of which nothing is left go, and whatever arrives meanwhile is stored once and found by its labels."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis
from sqlalchemy import text

from app.clock import utc_now
from app.domain.labels import Matcher, MatchOp, encode_labels, labels_of
from app.domain.samples import Batch, is_absent
from app.domain.tenancy import TenantId
from app.errors import Conflict
from app.tsdb import active, blocks, catalog, compact, dead_letters, detector_states, entries, gone
from app.tsdb.gone import Purged
from app.tsdb.reader import Reader
from app.tsdb.selection import Group, select_series
from app.tsdb.turns import turn_of
from ingest import stream
from ingest.accept import accept
from ingest.shards import FenceMoved
from models.session import close_database, open_database, platform_session, tenant_connection, tenant_session
from models.tenants import TenantRow
from tests.factories.database import RolledBackDatabase
from tests.factories.samples import store_all
from tests.factories.servers import SECRET_KEY, Servers
from workers.drain import Drain

UP = [Matcher("__name__", MatchOp.EQUAL, "up")]
STEPS = ["marked", "fenced", "stored", "deleted"]
T0 = int(datetime(2026, 1, 5, 6, 1, tzinfo=UTC).timestamp() * 1000)


@pytest.fixture
def worker(db: RolledBackDatabase, valkey: Redis) -> RolledBackDatabase:
    """The database as workers have it, and an empty Valkey."""
    db.role = "worker"
    return db


def tenant(name: str) -> TenantId:
    with platform_session() as session:
        row = TenantRow(name=name, title=name, accept_from=datetime(2026, 1, 1, tzinfo=UTC))
        session.add(row)
        session.flush()
        return TenantId(row.id)


def key(number: int) -> bytes:
    return encode_labels(labels_of({"__name__": "up", "device": "r1", "n": str(number)}))


def later() -> datetime:
    return utc_now() + timedelta(days=2)


def run(owner: TenantId) -> Purged:
    """A run of two days later: nothing counts as young or active."""
    active.drop_old(owner, later())
    return gone.purge(owner, later())


def fill(owner: TenantId, numbers: range = range(4)) -> None:
    store_all(
        owner,
        [({"__name__": "up", "device": "r1", "n": str(n)}, [(T0 + 60_000 * i, 1.0)]) for i, n in enumerate(numbers)],
    )


def lose(owner: TenantId, *numbers: int) -> None:
    """Take all samples of some series away, as retention would; of all series without any number."""
    kept = {
        labels: samples for labels, samples in held(owner).items() if numbers and int(dict(labels)["n"]) not in numbers
    }
    with tenant_connection(owner) as connection:
        for table in ("sample_hot", "sample_blocks", "sample_rollups"):
            connection.execute(text(f"delete from {table} where tenant_id = :tenant"), {"tenant": owner})
    if kept:
        store_all(owner, [(dict(labels), sorted(samples.items())) for labels, samples in kept.items()])


def held(owner: TenantId) -> dict[tuple[tuple[str, str], ...], dict[int, float]]:
    """What the store answers: samples by labels; one that is there twice is an error."""
    found: dict[tuple[tuple[str, str], ...], dict[int, float]] = {}
    for block in Reader(owner).select(UP, start_ms=T0 - 10**9, end_ms=T0 + 10**9):
        for column, labels in enumerate(block.labels):
            there = ~is_absent(block.values[:, column])
            its = dict(zip(block.ts_ms[there].tolist(), block.values[there, column].tolist(), strict=True))
            assert not its.keys() & found.get(labels, {}).keys()
            if its:
                found.setdefault(labels, {}).update(its)
    return found


def known(owner: TenantId) -> int:
    with tenant_connection(owner) as connection:
        return int(connection.scalar(text("select count(*) from series where tenant_id = :t"), {"t": owner}) or 0)


def batch(*numbers: int, ts_ms: int = T0, value: float = 2.0) -> Batch:
    size = len(numbers)
    return Batch([key(n) for n in numbers], np.arange(size, dtype=np.int32), np.full(size, ts_ms), np.full(size, value))


def drained() -> None:
    drain = Drain()
    for shard in (0, 1):
        assert drain.take(shard)
    while drain.do_once():
        pass
    drain.release()


def test_a_series_goes_when_nothing_is_left_of_it(worker: RolledBackDatabase) -> None:
    owner = tenant("t")
    fill(owner)
    with tenant_session(owner) as session:
        [group] = [group.group_id for group in _groups(owner)]
        detector_states.begin(session, owner, {group: T0})
    assert run(owner) == Purged()
    lose(owner, 1, 2)
    assert run(owner) == Purged(series=2)
    assert sorted(dict(labels)["n"] for labels in held(owner)) == ["0", "3"]
    assert (known(owner), len(Reader(owner).series([UP], start_ms=T0 - 1, end_ms=T0 + 10**9))) == (2, 2)
    lose(owner)
    assert run(owner) == Purged(series=2, groups=1)
    assert known(owner) == 0
    assert Reader(owner).series([UP], start_ms=T0 - 1, end_ms=T0 + 10**9) == []
    with tenant_connection(owner) as connection:
        assert detector_states.load(connection, owner, [group]) == {}
    assert run(owner) == Purged()


def _groups(owner: TenantId) -> list[Group]:
    with tenant_connection(owner) as connection:
        return select_series(connection, owner, UP)


def test_what_is_in_blocks_or_rollups_alone_stays(worker: RolledBackDatabase) -> None:
    owner = tenant("t")
    fill(owner)
    bucket_ms = blocks.bucket_of(T0)
    compact.compact_bucket(owner, bucket_ms, [group.group_id for group in _groups(owner)])
    assert run(owner) == Purged()
    for table in ("sample_blocks", "sample_rollups where tier < 86400", "sample_rollups"):
        where = " and " if "where" in table else " where "
        with tenant_connection(owner) as connection:
            connection.execute(text(f"delete from {table}{where}tenant_id = :t"), {"t": owner})
        assert run(owner).series == (4 if table == "sample_rollups" else 0)


def test_a_block_that_cannot_be_read_keeps_its_series(worker: RolledBackDatabase) -> None:
    owner = tenant("t")
    fill(owner)
    compact.compact_bucket(owner, blocks.bucket_of(T0), [group.group_id for group in _groups(owner)])
    with tenant_connection(owner) as connection:
        connection.execute(text("delete from sample_rollups where tenant_id = :t"), {"t": owner})
        connection.execute(text("update sample_blocks set checksum = 1 where tenant_id = :t"), {"t": owner})
    assert run(owner) == Purged()


def test_a_young_or_active_series_is_left_alone(worker: RolledBackDatabase) -> None:
    owner = tenant("t")
    fill(owner)
    lose(owner)
    assert gone.purge(owner, utc_now()) == Purged()  # young
    assert gone.purge(owner, later()) == Purged()  # active
    assert run(owner).series == 4


def test_a_place_is_never_given_again(worker: RolledBackDatabase) -> None:
    owner = tenant("t")
    fill(owner)
    before, _ = catalog.series_places(owner, [key(n) for n in range(4)])
    lose(owner, 1, 2)
    run(owner)
    accept(owner, batch(1, 9), source="t", request_id="t")
    after, _ = catalog.series_places(owner, [key(n) for n in (0, 1, 3, 9)])
    assert (after[0], after[2]) == (before[0], before[3])
    assert not {after[1], after[3]} & set(before.tolist())


def test_what_comes_back_before_it_is_gone_keeps_its_place(worker: RolledBackDatabase) -> None:
    owner = tenant("t")
    accept(owner, batch(1), source="t", request_id="t")
    drained()
    before, _ = catalog.series_places(owner, [key(1)])
    lose(owner)
    active.drop_old(owner, later())
    steps = gone.purge_steps(owner, later())
    assert [next(steps), next(steps)] == ["marked", "fenced"]
    accept(owner, batch(1, value=5.0), source="t", request_id="t")
    drained()
    assert list(steps) == ["stored", "deleted", Purged()]
    assert list(held(owner).values()) == [{T0: 5.0}]
    assert catalog.series_places(owner, [key(1)])[0].tolist() == before.tolist()


def test_what_waits_keeps_marked_series_until_the_next_run(worker: RolledBackDatabase) -> None:
    owner = tenant("t")
    accept(owner, batch(1), source="t", request_id="t")
    active.drop_old(owner, later())
    assert list(gone.purge_steps(owner, later(), wait_s=0)) == ["marked", "fenced", Purged(waits=1)]
    drained()
    assert run(owner) == Purged()
    assert list(held(owner).values()) == [{T0: 2.0}]


def test_a_dead_letter_keeps_its_series(worker: RolledBackDatabase, valkey: Redis) -> None:
    owner = tenant("t")
    places, _ = catalog.series_places(owner, [key(1), key(2)])
    fields = entries.encode(owner, places[:1], np.array([T0]), np.array([7.0]), source="t", request_id="t")
    valkey.xadd("ingest:dead:0", {**fields, b"reason": b"the disk was full"}, id="1770000000000-1")
    assert run(owner) == Purged(series=1)
    dead_letters.replay(owner, "0:1770000000000-1")
    drained()
    assert list(held(owner).values()) == [{T0: 7.0}]


def test_one_that_has_the_turn_keeps_others_waiting(own_db: str, valkey: Redis) -> None:
    owner, other = tenant("t"), tenant("u")
    with turn_of(owner, wait_s=1):
        with pytest.raises(Conflict, match="Try again"), turn_of(owner, wait_s=1):
            pass
        with turn_of(other, wait_s=1):
            pass
    with turn_of(owner, wait_s=1):
        pass


@dataclass
class Process:
    """What a process keeps of the catalogue, and a request that has its places and has not appended yet."""

    known: dict = field(default_factory=dict)
    fences: dict = field(default_factory=dict)
    request: tuple | None = None

    @contextmanager
    def at_work(self) -> Iterator[None]:
        before = dict(catalog._known), dict(catalog._fences)
        _refill(self.known, self.fences)
        yield
        self.known, self.fences = dict(catalog._known), dict(catalog._fences)
        _refill(*before)

    def resolve(self, owner: TenantId, number: int, ts_ms: int) -> None:
        with self.at_work():
            fence = catalog.fence(owner)
            places, reasons = catalog.series_places(owner, [key(number)])
            assert not reasons
            self.request = (number, ts_ms, fence, places)

    def append(self, owner: TenantId, acked: dict) -> None:
        """As accept() does: again with new places when the fence was moved."""
        while self.request is not None:
            number, ts_ms, fence, places = self.request
            samples = {"ts_ms": np.array([ts_ms]), "values": np.array([float(ts_ms)])}
            try:
                stream.append(owner, places, **samples, source="t", request_id="t", fence=fence)
            except FenceMoved:
                with self.at_work():
                    catalog.forget(owner)
                self.resolve(owner, number, ts_ms)
            else:
                acked[number, ts_ms] = float(ts_ms)
                self.request = None


def _refill(known: dict, fences: dict) -> None:
    for kept, wanted in ((catalog._known, known), (catalog._fences, fences)):
        kept.clear()
        kept.update(wanted)


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("resolve"), st.integers(0, 2), st.integers(0, 3)),
        st.tuples(st.just("append"), st.integers(0, 2), st.just(0)),
        st.tuples(st.just("steps"), st.just(0), st.integers(1, 5)),
        st.tuples(st.sampled_from(["drain", "lose", "kill"]), st.just(0), st.just(0)),
    ),
    max_size=40,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=OPERATIONS)
def test_whatever_arrives_while_series_go_is_found(
    worker: RolledBackDatabase, valkey: Redis, operations: list[tuple[str, int, int]]
) -> None:
    valkey.flushdb()
    owner = tenant(f"t{id(operations)}-{len(operations)}-{utc_now().timestamp()}")
    processes, acked = [Process() for _ in range(3)], {}
    steps: Iterator = iter(())
    for moment, (name, which, number) in enumerate(operations):
        process = processes[which]
        if name == "resolve" and process.request is None:
            process.resolve(owner, number, T0 + moment)
        elif name == "append":
            process.append(owner, acked)
        elif name == "drain":
            drained()
        elif name == "lose":
            drained()
            lose(owner)
            acked.clear()
        elif name == "kill":
            steps = iter(())
        elif name == "steps":
            active.drop_old(owner, later())
            steps = chain(steps, gone.purge_steps(owner, later(), wait_s=0))
            for _ in range(number):
                next(steps, None)
    for process in processes:
        process.append(owner, acked)
    drained()
    found = {(int(dict(labels)["n"]), ts_ms): v for labels, its in held(owner).items() for ts_ms, v in its.items()}
    assert found == acked
    for _ in range(2):
        run(owner)
    assert known(owner) == len({number for number, _ in acked})
    assert {(int(dict(labels)["n"]), ts): v for labels, its in held(owner).items() for ts, v in its.items()} == acked


@pytest.mark.parametrize("last", [pytest.param(step, id=f"killed after {step}") for step in ["", *STEPS]])
def test_a_process_killed_between_two_steps_loses_nothing(
    own_db: str, servers: Servers, valkey: Redis, last: str
) -> None:
    close_database()
    open_database(own_db, role="worker", secret_key=SECRET_KEY)
    owner = tenant("t")
    fill(owner)
    lose(owner, 1, 2)
    before = held(owner)
    active.drop_old(owner, later())
    run_until(own_db, servers.redis_url, owner, last)
    assert held(owner) == before
    accept(owner, batch(1), source="t", request_id="t")
    drained()
    assert held(owner) == before | {labels_of({"__name__": "up", "device": "r1", "n": "1"}): {T0: 2.0}}
    run(owner)
    assert known(owner) == 3
    assert len(held(owner)) == 3


def run_until(url: str, redis_url: str, owner: TenantId, last: str) -> None:
    """Purge in a process that kills itself after the step `last`; "": right at the start."""
    program = f"""
import os, signal
from datetime import datetime
from redis import Redis
from app.tsdb import gone
from app.valkey import use_valkey
from models.session import open_database
open_database(os.environ["URL"], role="worker", secret_key={SECRET_KEY!r})
use_valkey(Redis.from_url({redis_url!r}))
if {last!r}:
    for step in gone.purge_steps({owner}, datetime.fromisoformat("{later().isoformat()}")):
        if step == {last!r}:
            break
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program], env={**os.environ, "URL": url}, check=False)
    assert done.returncode == -signal.SIGKILL
