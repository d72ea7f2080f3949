"""Entries of the stream: what goes in comes out, in order; what is damaged is known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from app.domain.tenancy import TenantId
from app.errors import DecodeError, Unavailable
from app.tsdb import entries
from app.valkey import use_valkey
from ingest import stream
from ingest.stream import START, EntryId

ACME = TenantId(7)


def put(count: int, *, group: int = 2, values: float = 1.0) -> None:
    places = (group << 8) + np.arange(count, dtype=np.int64) % 240
    ts_ms = np.arange(count, dtype=np.int64)
    stream.append(ACME, places, ts_ms=ts_ms, values=np.full(count, values), source="test", request_id="r")


def all_of(shard: int) -> list[stream.Entry]:
    return stream.read({shard: START}, count=100, block_ms=1)


@pytest.mark.parametrize("count", [1, 100, 5_000, stream.MOST_PER_ENTRY + 1])
def test_what_goes_in_comes_out(valkey: Redis, count: int) -> None:
    put(count)
    opened = [stream.columns(entry) for entry in all_of(0)]
    assert len(opened) == -(-count // stream.MOST_PER_ENTRY)
    assert {columns.tenant for columns in opened} == {ACME}
    assert np.concatenate([columns.ts_ms for columns in opened]).tolist() == list(range(count))
    assert np.concatenate([columns.places for columns in opened])[-1] == (2 << 8) + (count - 1) % 240


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2**38), st.integers(-(2**62), 2**62), st.floats(allow_nan=False)), max_size=600)
)
def test_encode_and_columns_are_inverse(samples: list[tuple[int, int, float]]) -> None:
    places, ts_ms, values = (
        (np.array(column) for column in zip(*samples, strict=True))
        if samples
        else (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0))
    )
    fields = entries.encode(ACME, places, ts_ms, values, source="s", request_id="r")
    columns = stream.columns(stream.Entry(0, EntryId("1-1"), fields))
    assert (columns.places == places).all()
    assert (columns.ts_ms == ts_ms).all()
    assert (columns.values == values).all()


@settings(deadline=None)
@given(st.binary(max_size=50), st.binary(max_size=50))
def test_garbage_raises_nothing_but_decode_error(header: bytes, body: bytes) -> None:
    for fields in ({b"h": header, b"b": body}, {b"h": header}, {}):
        with pytest.raises(DecodeError):
            stream.columns(stream.Entry(0, EntryId("1-1"), fields))


@pytest.mark.parametrize("count", [3, 3_000])
def test_a_damaged_body_is_known_by_its_checksum(valkey: Redis, count: int) -> None:
    put(count)
    (entry,) = all_of(0)
    body = bytearray(entry.fields[b"b"])
    body[len(body) // 2] ^= 1
    with pytest.raises(DecodeError, match="checksum"):
        stream.columns(dataclasses.replace(entry, fields={**entry.fields, b"b": bytes(body)}))


def test_a_group_keeps_to_its_shard_and_the_order(valkey: Redis) -> None:
    for value in range(5):
        put(3, group=4, values=value)
        put(3, group=5, values=value)
    for shard in (0, 1):
        assert [stream.columns(entry).values[0] for entry in all_of(shard)] == [0, 1, 2, 3, 4]


def test_what_is_done_is_forgotten_and_nothing_else(valkey: Redis) -> None:
    for _ in range(3):
        put(1)
    entries = all_of(0)
    stream.done(0, entries[1].entry_id)
    assert all_of(0) == entries[2:]
    assert stream.newest(0) == entries[2].entry_id
    assert stream.newest(1) == START


def test_dead_letters_are_buried_once(valkey: Redis) -> None:
    put(1)
    (entry,) = all_of(0)
    stream.bury(entry, "no such thing")
    stream.bury(entry, "no such thing")
    stream.done(0, entry.entry_id)
    assert stream.dead_letters(0) == [(entry, "no such thing")]
    assert all_of(0) == []


def test_a_server_that_is_away_is_unavailable(valkey: Redis) -> None:
    use_valkey(Redis(port=1))
    with pytest.raises(Unavailable):
        put(1)
    use_valkey(valkey)


def test_too_much_waiting_is_unavailable(valkey: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    put(10_000)
    monkeypatch.setattr(stream, "MOST_BACKLOG_BYTES", 1_000)
    monkeypatch.setattr(stream, "BACKLOG_AGE_S", 0.0)
    with pytest.raises(Unavailable):
        put(1)
