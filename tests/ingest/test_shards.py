"""The shards of the stream: changed while writers write, with every later sample behind every earlier one."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from app.domain.labels import Matcher, MatchOp
from app.domain.samples import Int64s
from app.domain.tenancy import TenantId
from app.errors import InvalidInput
from app.tsdb import layout
from app.tsdb.catalog import series_places
from app.tsdb.reader import Reader
from ingest import shards, stream
from tests.app.tsdb.test_catalog import keys_of
from tests.factories.cast import Cast
from workers.drain import Drain
from workers.sweep import sweep

T0 = 1_770_000_000_000


@pytest.fixture(autouse=True)
def own_servers(cast: Cast, valkey: Redis) -> None:
    """Each test has both, empty."""


def send(value: float, *, group: int = 5, tenant: TenantId | None = None) -> None:
    append(tenant or TenantId(1), np.array([group << 8]), value)


def append(tenant: TenantId, places: Int64s, value: float) -> None:
    size = len(places)
    stream.append(tenant, places, ts_ms=np.full(size, T0), values=np.full(size, value), source="test", request_id="r")


def entries() -> list[tuple[tuple[int, int], float]]:
    """All that waits, ascending by entry id."""
    after = dict.fromkeys(shards.waiting(), stream.START)
    read = stream.read(after, count=1000, block_ms=1)
    return sorted((stream.parts_of(entry.entry_id), float(stream.columns(entry).values[0])) for entry in read)


def drain_all() -> int:
    drain, stored = Drain(), 0
    for shard in shards.active():
        assert drain.take(shard)
    while samples := drain.do_once():
        stored += samples
    drain.release()
    return stored


def test_a_later_sample_has_a_greater_id_whatever_the_shards_and_the_clock(valkey: Redis) -> None:
    # A shard whose ids are ahead of the clock, as after a clock that was set back.
    valkey.xadd(shards.STREAM.format(shard=1), {"h": b"", "b": b""}, id="99999999999999-7")
    valkey.xtrim(shards.STREAM.format(shard=1), maxlen=0)
    order = [2, 8, 1, 64, 3, 2, 5]
    for n, count in enumerate(order):
        shards.lay_out(count)
        send(float(n))
        send(n + 0.5)
    ids, values = zip(*entries(), strict=True)
    assert list(values) == [n / 2 for n in range(2 * len(order))]
    # As parts, which are what the store compares.
    parts = [ms * 65_536 + sequence for ms, sequence in ids]
    assert all(earlier < later for earlier, later in pairwise(parts))


def test_a_writer_that_knows_another_number_adds_nothing_and_learns(valkey: Redis) -> None:
    send(1.0)
    valkey.set(shards.LAYOUT, "8")
    fields = {b"h": b"", b"b": b""}
    assert not shards.append(2, [(1, fields)], answer=None)
    assert shards.expected() == 8
    assert shards.waiting()[1] == 1
    send(2.0)
    assert shards.waiting()[5] == 1


def test_a_shard_that_is_left_over_is_drained_and_then_given_up(cast: Cast) -> None:
    shards.lay_out(8)
    places, _ = series_places(cast.acme, keys_of(8))
    for group in range(8):
        send(1.0, group=int(places[0] >> 8) + group, tenant=cast.acme)
    shards.lay_out(1)
    assert shards.active() == list(range(8))
    drain = Drain()
    for shard in shards.active():
        assert drain.take(shard)
    assert drain.do_once() == 8
    drain.tended_s -= 10
    drain.do_once()
    assert set(drain.positions) == {0} == set(shards.active())


def test_of_samples_for_one_time_the_later_is_read_across_a_change(cast: Cast) -> None:
    places, _ = series_places(cast.acme, keys_of(1))
    for n, count in enumerate((2, 7, 3, 64, 1)):
        shards.lay_out(count)
        append(cast.acme, places, float(n))
    assert drain_all() == 5
    (block,) = Reader(cast.acme).select([Matcher("__name__", MatchOp.EQUAL, "m")], start_ms=0, end_ms=2**42)
    assert block.values.tolist() == [[4.0]]
    # The other tenant sees nothing of it.
    assert not Reader(cast.globex).select([Matcher("__name__", MatchOp.EQUAL, "m")], start_ms=0, end_ms=2**42)


def test_what_waited_in_a_left_over_shard_does_not_hide_behind_what_came_later(cast: Cast) -> None:
    places, _ = series_places(cast.acme, keys_of(3))
    shards.lay_out(64)
    append(cast.acme, places, 1.0)  # stays behind, as when nobody drains its shard
    left_over = int(places[0] >> 8) % 64
    group = int(places[0] >> 8)
    now = next(count for count in range(1, 64) if group % count != left_over)
    shards.lay_out(now)
    now = group % now
    append(cast.acme, places[:2], 2.0)
    drain = Drain()
    drain.take(now)
    assert drain.do_once() == 2
    append(cast.acme, places[:1], 3.0)
    drain.take(left_over)
    assert drain.do_once() == 4
    (block,) = Reader(cast.acme).select([Matcher("__name__", MatchOp.EQUAL, "m")], start_ms=0, end_ms=2**42)
    assert block.values.tolist() == [[3.0, 2.0, 1.0]]


def test_what_came_by_one_shard_twice_does_not_hide_what_came_by_another_between(cast: Cast) -> None:
    places, _ = series_places(cast.acme, keys_of(3))
    group = int(places[0] >> 8)
    first, then = next((a, b) for a in range(2, 64) for b in range(1, a) if group % a != group % b)
    shards.lay_out(first)
    append(cast.acme, places, 1.0)
    shards.lay_out(then)
    append(cast.acme, places[:2], 2.0)
    shards.lay_out(first)
    append(cast.acme, places[:1], 3.0)
    # Each by a drain of its own; that of the first shard stores what came before and after as one bundle.
    for shard, size in ((group % then, 2), (group % first, 4)):
        drain = Drain()
        assert drain.take(shard)
        assert drain.do_once() == size
        drain.release()
    (block,) = Reader(cast.acme).select([Matcher("__name__", MatchOp.EQUAL, "m")], start_ms=0, end_ms=2**42)
    assert block.values.tolist() == [[3.0, 2.0, 1.0]]


def test_the_sweep_makes_the_stream_as_the_table_says(valkey: Redis) -> None:
    layout.save_shards(8)
    assert shards.count() == shards.DEFAULT
    sweep()
    assert shards.count() == 8 == layout.load_shards()
    valkey.flushdb()  # a server that lost its data is told again
    sweep()
    assert shards.count() == 8


@pytest.mark.parametrize("count", [0, 65, -1])
def test_there_are_1_to_64_shards(count: int) -> None:
    with pytest.raises(InvalidInput):
        layout.save_shards(count)
    with pytest.raises(ValueError, match="shards"):
        shards.lay_out(count)


@given(groups=st.lists(st.integers(0, 2**31 - 1), min_size=1), count=st.integers(1, 64))
def test_a_group_has_one_shard(groups: list[int], count: int) -> None:
    places = np.array(groups, dtype=np.int64) << 8
    of = shards.shards_of(places, count)
    assert ((of >= 0) & (of < count)).all()
    assert (of == shards.shards_of(places + 239, count)).all()
