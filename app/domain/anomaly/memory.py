"""What detection knows of the series of one tenant: a detector over all of them, and where each group stands in it.

A group's series stand side by side, so that they are saved and loaded as one. Counters are scored as rates: what a
series was last is kept here; a counter that fell was reset or has wrapped, and there is no rate over that.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.domain.anomaly.base import Detector, Scores
from app.domain.anomaly.rates import without_jitter
from app.domain.anomaly.zones import UTC, offsets_ms
from app.domain.samples import Float64s, Int64s

# Between readings further apart than this nobody knows how a counter went.
LONGEST_GAP_MS: Final = 3_600_000
_HEAD: Final = struct.Struct("<4sH")
_MAGIC: Final = b"WFD1"


@dataclass(frozen=True)
class Entrant:
    """A group that comes in: which of its series are counters, and the zone of the wall clock where it is measured."""

    group_id: int
    is_counter: NDArray[np.bool_]
    zone: str = UTC


@dataclass
class Place:
    """Where a group stands: series first ... first + size - 1; how far it is scored, and saved."""

    first: int
    size: int
    scored_to_ms: int
    saved_to_ms: int


@dataclass(frozen=True)
class Rows:
    """What is scored, and what came of it; all arrays (n,). `values` of counters are rates per second."""

    series: NDArray[np.int32]
    ts_ms: Int64s
    values: Float64s
    kept: NDArray[np.intp]  # which of the samples these are: a counter's first has no rate
    scores: Scores


class Memory:
    """A detector with its places. Series are numbered in the order in which groups came."""

    def __init__(self, detector: type[Detector]) -> None:
        self.detector = detector.empty(0)
        self.places: dict[int, Place] = {}
        self._count = 0
        self._is_counter = np.empty(0, dtype=bool)
        self._zones = [UTC]
        self._zone = np.empty(0, dtype=np.intp)
        self._last_ms = np.empty(0, dtype=np.int64)
        self._last = np.empty(0)

    def add(self, groups: Sequence[Entrant], starts_ms: dict[int, int]) -> None:
        """Make room for groups. One that grew moves to where there is room."""
        moved = {}
        fresh = self._count
        for its in groups:
            old = self.places.get(its.group_id)
            start_ms = starts_ms.get(its.group_id, 0) if old is None else old.scored_to_ms
            if old is not None:
                moved[its.group_id] = self.save(its.group_id)
            self.places[its.group_id] = Place(fresh, len(its.is_counter), start_ms, 0)
            fresh += len(its.is_counter)
        self._grow(fresh)
        for its in groups:
            place = self.places[its.group_id]
            if its.zone not in self._zones:
                self._zones.append(its.zone)
            self._is_counter[place.first : place.first + place.size] = its.is_counter
            self._zone[place.first : place.first + place.size] = self._zones.index(its.zone)
        for group_id, saved in moved.items():
            self.load(group_id, saved)

    def save(self, group_id: int) -> bytes:
        """All that is known of a group's series."""
        place = self.places[group_id]
        cut = slice(place.first, place.first + place.size)
        head = _HEAD.pack(_MAGIC, place.size)
        state = self.detector.save(cut.start, cut.stop)
        return head + self._last_ms[cut].tobytes() + self._last[cut].tobytes() + state

    def load(self, group_id: int, saved: bytes) -> bool:
        """Take back what save() answered, of this group when it had as many series or fewer; whether it was one."""
        if len(saved) < _HEAD.size:
            return False
        magic, size = _HEAD.unpack_from(saved)
        place = self.places[group_id]
        if magic != _MAGIC or size > place.size:
            return False
        first, at = place.first, _HEAD.size
        self._last_ms[first : first + size] = np.frombuffer(saved, np.int64, size, at)
        self._last[first : first + size] = np.frombuffer(saved, np.float64, size, at + 8 * size)
        self.detector.load(saved[at + 16 * size :], first)
        return True

    def score(self, series: NDArray[np.int32], ts_ms: Int64s, values: Float64s) -> Rows:
        """Score samples (n,), by series and then time, each series in one piece."""
        values, is_scored = self._rated(series, ts_ms, values)
        kept = np.flatnonzero(is_scored)
        series, ts_ms, values = series[kept], ts_ms[kept], values[kept]
        ahead_ms = offsets_ms(ts_ms, self._zones, self._zone[series]) if len(self._zones) > 1 else None
        found = self.detector.score(series, ts_ms, values, ahead_ms=ahead_ms)
        return Rows(series, ts_ms, values, kept, without_jitter(found, values, self._is_counter[series]))

    def _rated(self, series: NDArray[np.int32], ts_ms: Int64s, values: Float64s) -> tuple[Float64s, NDArray[np.bool_]]:
        """Values as they are scored, and which are: counters become rates, what is no rate is left out."""
        if not len(series):
            return values, np.empty(0, dtype=bool)
        begins = np.flatnonzero(np.diff(series, prepend=-1))
        before, before_ms = np.roll(values, 1), np.roll(ts_ms, 1)
        before[begins], before_ms[begins] = self._last[series[begins]], self._last_ms[series[begins]]
        ends = np.append(begins[1:], len(series)) - 1
        self._last[series[ends]], self._last_ms[series[ends]] = values[ends], ts_ms[ends]
        counts = self._is_counter[series]
        span_ms = ts_ms - before_ms
        with np.errstate(divide="ignore", invalid="ignore"):
            rates = (values - before) / (span_ms / 1000)
        is_rate = (rates >= 0) & (span_ms > 0) & (span_ms <= LONGEST_GAP_MS)
        return np.where(counts, rates, values), ~counts | is_rate

    def is_counter(self, series: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which of the series are counters."""
        return self._is_counter[series]

    def _grow(self, count: int) -> None:
        more = count - self._count
        self.detector.grow(count)
        self._is_counter = np.concatenate([self._is_counter, np.zeros(more, dtype=bool)])
        self._zone = np.concatenate([self._zone, np.zeros(more, dtype=np.intp)])
        self._last_ms = np.concatenate([self._last_ms, np.zeros(more, dtype=np.int64)])
        self._last = np.concatenate([self._last, np.full(more, np.nan)])
        self._count = count
