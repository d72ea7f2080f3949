"""What the codec packs comes back to the bit, whatever the samples are."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from app.domain.samples import ABSENT_BITS, STALE_BITS, Float64s, Int64s, absent_array, is_absent
from app.errors import DecodeError
from app.tsdb import codec

T0 = 1_770_000_000_000


def bits_of(number: float) -> int:
    return int(np.array([number]).view(np.uint64)[0])


BITS = st.one_of(
    st.integers(0, 2**64 - 1),
    st.sampled_from([ABSENT_BITS, STALE_BITS, 0x7FF8000000000000, 0x7FF0000000000000, 0xFFF0000000000001, 1 << 63, 0]),
)
VALUES = st.one_of(
    BITS,
    st.integers(0, 2**53 + 9).map(lambda number: bits_of(float(number))),
    st.integers(-(10**6), 10**6).map(lambda number: bits_of(number / 100)),
    st.floats(allow_nan=True, width=64).map(bits_of),
)


def same(one: Float64s, other: Float64s) -> bool:
    return one.shape == other.shape and bool((one.view(np.uint64) == other.view(np.uint64)).all())


def trimmed(ts_ms: Int64s, matrix: Float64s) -> tuple[Int64s, Float64s]:
    """Without what decode() leaves out: empty rows, and empty columns at the end."""
    there = ~is_absent(matrix)
    if not there.any():
        return np.empty(0, dtype=np.int64), absent_array((0, 0))
    rows = there.any(axis=1)
    return ts_ms[rows], np.ascontiguousarray(matrix[rows, : 1 + np.flatnonzero(there.any(axis=0)).max()])


@st.composite
def matrices(draw: st.DrawFn) -> tuple[Int64s, Float64s]:
    """Odd time grids; columns of one nature each, with holes."""
    rows, width = draw(st.integers(1, 12)), draw(st.integers(1, 6))
    steps = draw(st.lists(st.integers(1, 10**9), min_size=rows, max_size=rows))
    cells = draw(arrays.arrays(np.uint64, (rows, width), elements=VALUES))
    holes = draw(arrays.arrays(np.bool_, (rows, width), elements=st.booleans()))
    cells = np.where(holes, np.uint64(ABSENT_BITS), cells) if draw(st.booleans()) else cells
    return T0 + np.cumsum(np.array(steps, dtype=np.int64)), cells.view(np.float64)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(matrices())
def test_any_bits_come_back(made: tuple[Int64s, Float64s]) -> None:
    ts_ms, matrix = codec.decode(codec.encode(*made))
    wanted_ts, wanted = trimmed(*made)
    assert (ts_ms == wanted_ts).all()
    assert same(matrix, wanted)


@settings(max_examples=60, deadline=None)
@given(matrices(), st.sets(st.integers(0, 6)))
def test_chosen_slots_are_those_of_the_whole(made: tuple[Int64s, Float64s], slots: set[int]) -> None:
    blob = codec.encode(*made)
    whole = {
        (int(s), p.ts_ms.tobytes()): p.values[:, i] for p in codec.decode_parts(blob) for i, s in enumerate(p.slots)
    }
    chosen = codec.decode_parts(blob, np.array(sorted(slots), dtype=np.intp))
    found = {(int(s), p.ts_ms.tobytes()): p.values[:, i] for p in chosen for i, s in enumerate(p.slots)}
    assert found.keys() == {key for key in whole if key[0] in slots}
    assert all(same(np.ascontiguousarray(found[key]), np.ascontiguousarray(whole[key])) for key in found)


@pytest.mark.parametrize(
    ("reality", "column"),
    [
        ("a counter", np.cumsum(np.arange(500.0) % 7)),
        ("a counter beyond 2^53", 2.0**53 + 2 * np.arange(500.0)),
        ("a counter that is reset", np.concatenate([np.arange(300.0) * 1e9, np.arange(200.0)])),
        ("a gauge of two decimals", np.round(np.sin(np.arange(500.0)) * 40, 2) + 0.0),
        ("a ratio", np.sin(np.arange(500.0))),
        ("a status", np.ones(500)),
        ("negative zero", np.where(np.arange(500) % 2, 0.0, -0.0)),
        ("infinities", np.where(np.arange(500) % 3, 5.0, -np.inf)),
        ("the ends of float64", np.where(np.arange(500) % 2, 1.7976931348623157e308, 5e-324)),
    ],
)
def test_what_devices_say_comes_back(reality: str, column: Float64s) -> None:
    ts_ms = T0 + 60_000 * np.arange(500)
    matrix = np.stack([column, column[::-1]], axis=1)
    found_ts, found = codec.decode(codec.encode(ts_ms, matrix))
    assert (found_ts == ts_ms).all(), reality
    assert same(found, matrix), reality


def test_a_stale_marker_in_a_counter_costs_little() -> None:
    matrix = np.cumsum(np.ones((360, 8)), axis=0)
    before = len(codec.encode(T0 + 60_000 * np.arange(360), matrix))
    matrix.view(np.uint64)[-1, 3] = STALE_BITS
    blob = codec.encode(T0 + 60_000 * np.arange(360), matrix)
    assert same(codec.decode(blob)[1], matrix)
    assert len(blob) < before + 60


def test_series_that_never_meet_cost_no_matrix() -> None:
    rows, width = 24_000, 240
    matrix = absent_array((rows, width))
    matrix[np.arange(rows), np.arange(rows) % width] = np.arange(rows)
    blob = codec.encode(T0 + np.arange(rows), matrix)
    assert sum(part.values.size for part in codec.decode_parts(blob)) == rows
    assert same(codec.decode(blob)[1], matrix)


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=200))
def test_garbage_is_a_decode_error(garbage: bytes) -> None:
    with pytest.raises(DecodeError):
        codec.decode(garbage)


@settings(max_examples=80, deadline=None)
@given(matrices(), st.data())
def test_a_damaged_block_is_seen(made: tuple[Int64s, Float64s], data: st.DataObject) -> None:
    blob = codec.encode(*made)
    at = data.draw(st.integers(0, len(blob) - 1))
    damaged = blob[:at] + bytes([blob[at] ^ data.draw(st.integers(1, 255))]) + blob[at + 1 :]
    assert codec.checksum(damaged) != codec.checksum(blob)


def test_one_slot_of_many_is_that_slot() -> None:
    rng = np.random.default_rng(3)
    matrix = np.concatenate(
        [np.cumsum(rng.integers(0, 2**width, (50, 8)), axis=0) * 1.0 for width in range(1, 48)], axis=1
    )
    matrix = np.concatenate([matrix, rng.normal(size=(50, 8)), np.ones((50, 8))], axis=1)
    blob = codec.encode(T0 + 1000 * np.arange(50), matrix)
    for slot in range(matrix.shape[1]):
        (part,) = codec.decode_parts(blob, np.array([slot]))
        assert same(np.ascontiguousarray(part.values[:, 0]), np.ascontiguousarray(matrix[:, slot])), slot


def test_a_few_bytes_that_claim_billions_of_cells_are_refused() -> None:
    for rows, width in ((2**32 - 1, 1), (2**26, 2), (2**32 - 1, 0)):
        claimed = struct.pack("<IIHI", 1, rows, width, 0) + bytes(40)
        with pytest.raises(DecodeError, match="not possible"):
            codec.decode_parts(zstandard.compress(claimed))


def test_what_is_read_some_columns_at_a_time_is_whole() -> None:
    rng = np.random.default_rng(4)
    matrix = np.concatenate([rng.normal(size=(3_601, 40)), np.cumsum(rng.integers(0, 99, (3_601, 80)), axis=0)], axis=1)
    assert matrix.size > 4 * codec._CELLS_AT_ONCE
    blob = codec.encode(T0 + 1000 * np.arange(3_601), matrix)
    assert same(codec.decode(blob)[1], matrix)
    (part,) = codec.decode_parts(blob, np.arange(3, 120, 2))
    assert same(np.ascontiguousarray(part.values), np.ascontiguousarray(matrix[:, 3::2]))


def test_a_broken_block_does_not_spoil_the_next() -> None:
    blob = codec.encode(T0 + 1000 * np.arange(50), np.ones((50, 3)))
    for end in (len(blob) // 2, len(blob) - 1):
        with pytest.raises(DecodeError):
            codec.decode(blob[:end])
        assert same(codec.decode(blob)[1], np.ones((50, 3)))
