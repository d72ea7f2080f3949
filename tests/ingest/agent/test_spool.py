"""The spool keeps its order, its size, and what it had before the process died."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ingest.agent.spool import Spool


def contents(spool: Spool) -> list[bytes]:
    return [content for _, content in spool.oldest(10_000)]


def test_first_in_first_out(tmp_path: Path):
    spool = Spool(tmp_path, most_bytes=1000)
    for number in range(12):
        spool.put(b"%d" % number)
    first = spool.oldest(3)
    assert [content for _, content in first] == [b"0", b"1", b"2"]
    spool.remove(name for name, _ in first)
    assert contents(spool) == [b"%d" % number for number in range(3, 12)]
    assert (len(spool), spool.dropped) == (9, 0)


def test_when_it_is_full_the_oldest_go_and_are_counted(tmp_path: Path):
    spool = Spool(tmp_path, most_bytes=10)
    for letter in (b"aaaa", b"bbbb", b"cccc"):
        spool.put(letter)
    assert contents(spool) == [b"bbbb", b"cccc"]
    assert (spool.size_bytes, spool.dropped) == (8, 1)


def test_an_entry_larger_than_the_spool_is_dropped_alone(tmp_path: Path):
    spool = Spool(tmp_path, most_bytes=10)
    spool.put(b"kept")
    spool.put(b"x" * 11)
    assert contents(spool) == [b"kept"]
    assert spool.dropped == 1


def test_it_survives_its_process_and_goes_on_counting(tmp_path: Path):
    Spool(tmp_path, most_bytes=100).put(b"before")
    (tmp_path / "0000000000000009.json.new").write_bytes(b"half writ")
    again = Spool(tmp_path, most_bytes=100)
    again.put(b"after")
    assert contents(again) == [b"before", b"after"]
    assert list(tmp_path.glob("*.new")) == []


def test_an_entry_removed_twice_does_not_matter(tmp_path: Path):
    spool = Spool(tmp_path, most_bytes=100)
    spool.put(b"one")
    [(name, _)] = spool.oldest(1)
    spool.remove([name, name, "0000000000000042.json"])
    assert contents(spool) == []


@given(st.lists(st.binary(min_size=1, max_size=8), max_size=20))
def test_it_holds_a_tail_of_what_was_put_within_its_size(tmp_path_factory, entries):
    spool = Spool(tmp_path_factory.mktemp("spool"), most_bytes=20)
    for entry in entries:
        spool.put(entry)
    kept = contents(spool)
    assert kept == entries[len(entries) - len(kept) :]
    assert sum(map(len, kept)) <= 20
    assert len(kept) + spool.dropped == len(entries)
