"""From the stream to the store: once each, whoever drains, and only poison among the dead letters."""

from __future__ import annotations

import numpy as np
import pytest
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from app import jobs
from app.domain.labels import Matcher, MatchOp
from app.domain.samples import Batch
from app.domain.tenancy import TenantId
from app.tsdb import writer
from app.tsdb.catalog import series_places
from app.tsdb.reader import Reader
from ingest import shards, stream
from ingest.accept import accept
from tests.app.tsdb.test_catalog import keys_of
from tests.factories.cast import Cast
from workers.drain import LEASE, Drain, LeaseLost, queue_drains
from workers.sweep import sweep

T0 = 1_770_000_000_000


@pytest.fixture(autouse=True)
def own_servers(cast: Cast, valkey: Redis) -> None:
    """Each test has both, empty."""


def send(tenant: TenantId, *, count: int = 3, at: int = 0) -> None:
    places, _ = series_places(tenant, keys_of(count))
    ts_ms = np.full(count, T0 + at)
    stream.append(tenant, places, ts_ms=ts_ms, values=np.arange(count, dtype=float), source="test", request_id="r")


def times_of(tenant: TenantId) -> list[int]:
    matcher = Matcher("__name__", MatchOp.EQUAL, "m")
    blocks = Reader(tenant).select([matcher], start_ms=0, end_ms=2**42)
    return sorted(ts - T0 for block in blocks for ts in block.ts_ms.tolist())


def new_drain() -> Drain:
    drain = Drain()
    for shard in range(shards.DEFAULT):
        assert drain.take(shard)
    return drain


def test_what_was_sent_is_stored_and_forgotten(cast: Cast) -> None:
    for at in range(5):
        send(cast.acme, at=at)
        send(cast.globex, at=at + 10)
    assert new_drain().do_once() == 30
    assert times_of(cast.acme) == [0, 1, 2, 3, 4]
    assert times_of(cast.globex) == [10, 11, 12, 13, 14]
    assert sum(stream.waiting(shard) for shard in range(shards.DEFAULT)) == 0


def test_entries_at_or_below_the_offset_are_skipped_on_replay(cast: Cast, valkey: Redis) -> None:
    send(cast.acme, at=1)
    first = new_drain()
    done = stream.done
    try:
        stream.done = lambda shard, last: None  # the drain dies between commit and trim
        first.do_once()
    finally:
        stream.done = done
    first.release()
    send(cast.acme, at=2)
    assert new_drain().do_once() == 3
    assert times_of(cast.acme) == [1, 2]


def test_one_drain_at_a_time(cast: Cast) -> None:
    first = new_drain()
    assert not Drain().take(0)
    first.release()
    assert Drain().take(0)


def test_a_drain_that_slept_through_its_lease_stores_nothing(cast: Cast, valkey: Redis) -> None:
    sleeper = new_drain()
    for shard in range(shards.DEFAULT):
        valkey.delete(LEASE.format(shard=shard))
    other = new_drain()
    send(cast.acme, at=1)
    with pytest.raises(writer.FenceLost):
        sleeper.do_once()
    assert times_of(cast.acme) == []
    sleeper.tended_s = -100.0
    with pytest.raises(LeaseLost):
        sleeper.do_once()
    assert other.do_once() == 3
    assert times_of(cast.acme) == [1]


def test_poison_is_found_by_halving_and_alone_is_buried(cast: Cast) -> None:
    for at in range(7):
        send(cast.acme, at=at)
    bad_time = np.full(2, 2**62)
    places, _ = series_places(cast.acme, keys_of(2))
    stream.append(cast.acme, places, ts_ms=bad_time, values=np.ones(2), source="test", request_id="poison")
    send(cast.acme, at=7)
    shard = int(places[0] >> 8) % shards.DEFAULT
    drain = new_drain()
    drain.do_once()
    assert times_of(cast.acme) == list(range(8))
    ((entry, reason),) = stream.dead_letters(shard)
    assert stream.columns(entry).ts_ms.tolist() == bad_time.tolist()
    assert "Error" in reason
    assert stream.waiting(shard) == 0
    assert drain.do_once() == 0


def test_an_entry_that_cannot_be_read_is_buried_with_its_reason(cast: Cast, valkey: Redis) -> None:
    send(cast.acme, at=1)
    for shard in range(shards.DEFAULT):
        valkey.xadd(stream.STREAM.format(shard=shard), {"h": b"?", "b": b"?"})
    new_drain().do_once()
    assert times_of(cast.acme) == [1]
    for shard in range(shards.DEFAULT):
        ((_, reason),) = stream.dead_letters(shard)
        assert "unreadable" in reason
        assert stream.waiting(shard) == 0


def test_a_stream_that_lost_its_past_is_read_from_its_start(cast: Cast) -> None:
    _, fence = writer.take_shard(0)
    writer.write(empty_rows(), [writer.Advance(0, "99999999999999-0", fence)])
    places, _ = series_places(cast.acme, keys_of(2))
    for group in (2, 3):  # one of them is on shard 0
        stream.append(
            cast.acme, places % 256 + 256 * group, ts_ms=np.full(2, T0), values=np.ones(2), source="t", request_id="r"
        )
    assert new_drain().do_once() == 4


def empty_rows() -> writer.Rows:
    nothing = np.empty(0, dtype=np.int64)
    return writer.Rows(nothing.astype(np.int32), nothing, nothing, nothing.astype(float), nothing)


def test_screens_hear_of_new_samples_once_a_second(cast: Cast, valkey: Redis) -> None:
    listener = valkey.pubsub(ignore_subscribe_messages=True)
    listener.subscribe(f"live:{cast.acme}:samples")
    drain = new_drain()
    for at in range(3):
        send(cast.acme, at=at)
        drain.do_once()
    messages = [message for _ in range(6) if (message := listener.get_message(timeout=0.1))]
    assert len(messages) == 1
    listener.close()


def test_sweep_queues_what_nobody_drains(valkey: Redis) -> None:
    queue = Queue(jobs.DRAIN.queue, connection=valkey, serializer=JSONSerializer)
    sweep()
    assert [job.kwargs for job in queue.get_jobs()] == [{"shards": "0,1"}]
    sweep()
    assert len(queue) == 1
    queue.empty()
    drain = Drain()
    drain.take(0)
    sweep()
    assert [job.kwargs for job in queue.get_jobs()] == [{"shards": "1"}]


def test_a_drain_takes_over_what_nobody_holds(cast: Cast) -> None:
    drain = Drain()
    drain.take(0)
    for _ in range(2):
        drain.tended_s -= 10
        drain.unheld_s = {shard: since - 10 for shard, since in drain.unheld_s.items()}
        drain.do_once()
    assert set(drain.positions) == set(range(shards.DEFAULT))


def test_the_queue_gets_one_job_for_a_lone_worker(valkey: Redis) -> None:
    queue_drains([0, 1])
    queue = Queue(jobs.DRAIN.queue, connection=valkey, serializer=JSONSerializer)
    assert [job.kwargs for job in queue.get_jobs()] == [{"shards": "0,1"}]


def test_what_is_refused_does_not_reach_the_stream(cast: Cast) -> None:
    batch = Batch(
        keys=keys_of(2),
        series=np.array([0, 1, 0], dtype=np.int32),
        ts_ms=np.full(3, T0),
        values=np.array([1.0, 2.0, 3.0]),
    )
    assert accept(cast.acme, batch, source="test", request_id="r").rejected_count == 3  # T0 is long past
    assert [stream.newest(shard) for shard in range(shards.DEFAULT)] == [stream.START] * shards.DEFAULT
