"""Places by the hash of a key."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from app.tsdb.known import KnownSeries

PAIRS = st.lists(st.lists(st.tuples(st.binary(max_size=2), st.integers(0, 2**40)), max_size=60), max_size=6)


@given(PAIRS)
def test_it_is_a_dictionary(rounds: list[list[tuple[bytes, int]]]) -> None:
    known, wanted = KnownSeries(), {}
    for pairs in rounds:
        known.update(pairs)
        wanted.update(pairs)
    assert len(known) == len(wanted)
    asked = [*wanted, b"never"]
    assert known.places(asked).tolist() == [*wanted.values(), -1]
    assert all(known.get(key) == place for key, place in wanted.items())
    assert b"never" not in known


def test_many_series_take_little_memory() -> None:
    count = 100_000
    tracemalloc.start()
    known = KnownSeries((f"series {number}".encode(), number) for number in range(count))
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept / count <= 48
    assert known.places([b"series 0", b"series 99999", b"series 100000"]).tolist() == [0, 99_999, -1]
