"""Remote write requests that are like earlier ones: a sender's series come in the same order again and again.

What is kept is the bytes of series as they came, one behind the other. A request is compared with them a long run at a
time, all but times and values: a few passes over its bytes and no step for each series. What is unlike is left to
remote_write.py; nothing is believed that was not compared.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.domain.keys import hashes_of
from app.domain.samples import Int64s

# The tail of a series with one sample, and of one whose value is 0. Both end in the six bytes of the time; the eight
# of the value stand before those and a tag.
TAIL: Final = 18
TAIL_OF_ZERO: Final = 9
_TIME: Final = np.arange(-6, 0)
_VALUE: Final = np.arange(-15, -7)
# Series compared at once; each time all are equal, more the next time.
_FIRST_RUN: Final = 64
_LONGEST_RUN: Final = 4_096
# One series in so many can begin a run.
_ANCHOR_EVERY: Final = 8
# So many series may be unlike before the rest of a request is read as if it were all new; and one more for each of
# so many that were alike.
_MISSES: Final = 16
_ALIKE_FOR_A_MISS: Final = 16
_MOST_BYTES: Final = 32 * 1024 * 1024
_BYTES_OF_SERIES: Final = 64  # in the mean, at least
# How many requests in a row are learned in vain, and how many are passed over then before the next.
_MOST_CREDIT: Final = 512
_PASS_OVER: Final = 32


class Known(NamedTuple):
    """The series of a request that were like before; all (m,). `indexes` count series, `ends` are in its bytes."""

    indexes: NDArray[np.intp]
    ends: Int64s
    key_sizes: Int64s
    is_full: NDArray[np.bool_]
    hashes: Int64s


class Series(NamedTuple):
    """Series with one sample, as they stand in a request; all (m,)."""

    starts: Int64s  # of their labels
    label_ends: Int64s
    stops: Int64s


@dataclass(frozen=True)
class _Learned:
    """`size` series one behind the other as they came; the arrays are longer. `ends` begins with a 0."""

    size: int
    octets: NDArray[np.uint8]
    ends: Int64s
    key_sizes: NDArray[np.int32]
    is_full: NDArray[np.bool_]
    hashes: Int64s


class Recall:
    """What one tenant's requests were like. Many threads may use it."""

    def __init__(self) -> None:
        self._learning = Lock()
        self._credit = _MOST_CREDIT
        self._passed_over = 0
        self.learned = _with_room()
        self.anchors: dict[int, int] = {}

    def is_worth_learning(self, alike: int, unlike: int) -> bool:
        """Whether a request should be learned of which so many series were alike, and so many were not."""
        if unlike <= alike // 16:
            self._credit = min(_MOST_CREDIT, self._credit + 1)
            return False
        if self._credit > 0:
            self._credit -= 1
            return True
        self._passed_over += 1
        return self._passed_over % _PASS_OVER == 0

    def learn(self, body: bytes, series: Series) -> None:
        """Keep what a request was like."""
        if not len(series.starts):
            return
        # The tag and the length of one byte or two, which stand before a series.
        begins = series.starts - np.where(series.stops - series.starts < 0x80, 2, 3)
        spans = zip(begins.tolist(), series.stops.tolist(), strict=True)
        octets = np.frombuffer(b"".join([body[begin:stop] for begin, stop in spans]), dtype=np.uint8)
        keys = zip(series.starts.tolist(), series.label_ends.tolist(), strict=True)
        hashes = hashes_of((body[start:stop] for start, stop in keys), len(begins))
        with self._learning:
            if not self._has_room_for(len(octets), len(begins)):
                self.learned, self.anchors = _with_room(), {}
            if self._has_room_for(len(octets), len(begins)):
                self._append(octets, series, np.cumsum(series.stops - begins), hashes)

    def _has_room_for(self, octets: int, series: int) -> bool:
        learned = self.learned
        is_long_enough = learned.size + series <= len(learned.hashes)
        return is_long_enough and bool(learned.ends[learned.size] + octets <= len(learned.octets))

    def _append(self, octets: NDArray[np.uint8], series: Series, ends: Int64s, hashes: Int64s) -> None:
        """Write behind what there is, where nobody looks yet."""
        old = self.learned
        first, size, base = old.size, old.size + len(hashes), old.ends[old.size]
        old.octets[base : base + len(octets)] = octets
        old.ends[first + 1 : size + 1] = base + ends
        old.key_sizes[first:size] = series.label_ends - series.starts
        old.is_full[first:size] = series.stops - series.label_ends == TAIL
        old.hashes[first:size] = hashes
        self.learned = replace(old, size=size)
        self.anchors.update(zip(hashes[::_ANCHOR_EVERY].tolist(), range(first, size, _ANCHOR_EVERY), strict=True))


class Matching:
    """One request being compared, from its beginning to its end; `octets` are its bytes, and some more behind them."""

    def __init__(self, recall: Recall, body: bytes, octets: NDArray[np.uint8]) -> None:
        self.learned, self.anchors = recall.learned, recall.anchors
        self.body, self.octets = body, octets
        self.runs: list[tuple[int, int, int, int]] = []  # index of the first series, place, learned series from, to
        self.alike = self.misses = 0
        self.expected = -1

    @property
    def is_hopeful(self) -> bool:
        """Whether it makes sense to go on comparing."""
        return self.learned.size > 0 and self.misses <= _MISSES + self.alike // _ALIKE_FOR_A_MISS

    def run_at(self, at: int, index: int) -> tuple[int, int]:
        """Compare what stands at `at`, which is the request's series `index`; answers both for the first unlike one."""
        first = self._candidate(at)
        run = _FIRST_RUN
        while first >= 0:
            size, wanted = self._alike_from(first, at, run)
            if size:
                self.runs.append((index, at, first, first + size))
                self.alike += size
                at += int(self.learned.ends[first + size] - self.learned.ends[first])
                index += size
                first += size
            if size < wanted or size < run:
                break
            run = min(4 * run, _LONGEST_RUN)
        # Of a series whose value became 0 (or is no longer) the length is another; behind it all is as it was.
        self.expected = first + 1 if first >= 0 else -1
        self.misses += 1
        return at, index

    def known(self) -> Known:
        """All that was alike."""
        learned = self.learned
        sizes = np.array([stop - first for _, _, first, stop in self.runs], dtype=np.int64)
        which = _joined([np.arange(first, stop) for _, _, first, stop in self.runs])
        indexes = _joined([np.arange(index, index + stop - first) for index, _, first, stop in self.runs])
        shifts = np.array([at - learned.ends[first] for _, at, first, _ in self.runs], dtype=np.int64)
        return Known(
            indexes,
            learned.ends[which + 1] + np.repeat(shifts, sizes),
            learned.key_sizes[which].astype(np.int64),
            learned.is_full[which],
            learned.hashes[which],
        )

    def _candidate(self, at: int) -> int:
        """The learned series that probably stands at `at`; -1 when there is none."""
        if 0 <= self.expected < self.learned.size and self._alike_from(self.expected, at, 1)[0]:
            return self.expected
        body = self.body
        if body[at : at + 1] != b"\x0a":
            return -1
        start = at + 2 + (self.octets[at + 1] >= 0x80)
        end = start
        while body[end : end + 1] == b"\x0a":
            size = body[end + 1] if end + 1 < len(body) else 0
            if size >= 0x80:
                return -1
            end += 2 + size
        anchor = self.anchors.get(hash(body[start:end]) or 1, -1)
        return anchor if anchor < self.learned.size else -1  # another thread may have learned since

    def _alike_from(self, first: int, at: int, most: int) -> tuple[int, int]:
        """How many series from `first` on stand at `at`, of at most how many."""
        learned = self.learned
        base = learned.ends[first]
        ends = learned.ends[first + 1 : min(first + most, learned.size) + 1] - base
        wanted = int(np.searchsorted(ends, len(self.body) - at, side="right"))
        if not wanted:
            return 0, 0
        ends = ends[:wanted]
        size = ends[-1]
        differs = self.octets[at : at + size] != learned.octets[base : base + size]
        differs[ends[:, None] + _TIME] = False
        differs[ends[learned.is_full[first : first + wanted]][:, None] + _VALUE] = False
        place = int(differs.argmax())
        return (int(np.searchsorted(ends, place, side="right")) if differs[place] else wanted), wanted


def _with_room() -> _Learned:
    """Nothing yet, and room for all that may be kept: memory that takes none until it is written to."""
    series = _MOST_BYTES // _BYTES_OF_SERIES
    return _Learned(
        0,
        _untouched(_MOST_BYTES, np.uint8),
        _untouched(series + 1, np.int64),
        _untouched(series, np.int32),
        _untouched(series, np.bool_),
        _untouched(series, np.int64),
    )


def _untouched(count: int, dtype: type[Any]) -> NDArray[Any]:
    """Zeros. An array that grew instead would leave holes behind it that are never given back."""
    return np.frombuffer(mmap.mmap(-1, count * np.dtype(dtype).itemsize), dtype=dtype)


def _joined(arrays: Sequence[NDArray[np.intp]]) -> NDArray[np.intp]:
    return np.concatenate(arrays) if arrays else np.empty(0, dtype=np.intp)
