"""Value novelty: how far a point is from everything its series had in the last two weeks, under four looks.

The simplest streaming idea, one-dimensional nearest-neighbour distance, beats what is known (Numenta HTM, random cut
forest, half-space trees) on the Numenta Anomaly Benchmark; bench/anomaly.py shows the figures. A histogram of 256 bins
with the time each was last hit stands for the sorted list of all values. The looks: the value; its logarithm; the last
hour against the same hour yesterday; the last half day against that of a week ago. Days and weeks are those of the
wall clock, so that a shift of daylight saving time raises nothing. One state is 4,052 bytes.
"""

from __future__ import annotations

import struct
from typing import Any, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from app.domain.anomaly.base import Bytes, Float32s, Int32s, Int64s, Scores
from app.domain.compiled import compiled
from app.domain.samples import Float64s

VIEWS: Final = 4
BINS: Final = 256
# Time counts in ticks: a row, but at most one in five minutes, so that two weeks of any series fit one memory.
SLOT_MS: Final = 300_000
MEMORY_TICKS: Final = 4_000
# A short history is believed less: by the root of how much there is of this; one of some hours not at all.
SURE_TICKS: Final = 2_000
LEAST_TICKS: Final = 72
# Looks back over days are noisier than looks at values; they count for less.
CALENDAR_WEIGHT: Final = 0.1
# The record rule: a score passes when none of so many ticks had as high a one.
RECORD_TICKS: Final = 75
DAY_SLOTS: Final = 288
DAY_MEAN: Final = 12
DAY_RING: Final = DAY_SLOTS + DAY_MEAN
BLOCK_SLOTS: Final = 24
WEEK_BLOCKS: Final = 84
WEEK_MEAN: Final = 6
WEEK_RING: Final = WEEK_BLOCKS + WEEK_MEAN
SWEEP_TICKS: Final = 128
# Stamps are ticks in 16 bits; 0 means never.
STAMPS: Final = 65_535
# Bins are never finer than this part of the values' size: what is smaller is rounding.
FINEST: Final = 1e-9

STATE: Final = np.dtype(
    [
        ("stamps", np.uint16, (VIEWS, BINS)),
        ("low", np.float64, (VIEWS,)),  # where bin 0 begins
        ("width", np.float64, (VIEWS,)),
        ("first", np.int16, (VIEWS,)),  # the lowest and the highest bin in memory
        ("last", np.int16, (VIEWS,)),
        ("seen", np.int32, (VIEWS,)),  # ticks
        ("recent", np.float32, (RECORD_TICKS,)),
        ("day", np.float32, (DAY_RING,)),
        ("week", np.float32, (WEEK_RING,)),
        ("tick", np.int64),
        ("tick_slot", np.int64),
        ("slot", np.int64),  # of five minutes, by the wall clock
        ("slot_sum", np.float64),
        ("slot_rows", np.int32),
        ("block_sum", np.float64),
        ("block_rows", np.int32),
    ]
)
# One record of it, as kernels see it: its fields are attributes there, which numpy's own types do not know.
State = Any
_HEAD: Final = struct.Struct("<4sHH")
_MAGIC: Final = b"WFN2"


class Novelty:
    """Tier 0: the states of many series (count,) of dtype STATE."""

    def __init__(self, states: NDArray[Any]) -> None:
        self._states = states
        self._count = len(states)

    @property
    def count(self) -> int:
        """How many series it has."""
        return self._count

    @classmethod
    def empty(cls, count: int) -> Self:
        """States of `count` series nothing was seen of."""
        return cls(np.zeros(count, dtype=STATE))

    def score(self, series: Int32s, ts_ms: Int64s, values: Float64s, *, ahead_ms: Int64s | None = None) -> Scores:
        """Score rows (n,) and learn from them."""
        count = len(series)
        answers = _Answers(
            raw=np.zeros(count, dtype=np.float32),
            recorded=np.zeros(count, dtype=np.float32),
            look=np.zeros(count, dtype=np.uint8),
            low=np.full(count, np.nan),
            high=np.full(count, np.nan),
            nearest=np.full(count, np.nan),
        )
        if count:
            ts_ms = np.ascontiguousarray(ts_ms, dtype=np.int64)
            local_ms = ts_ms if ahead_ms is None else ts_ms + ahead_ms
            _score(self._states, _Rows(series, ts_ms, local_ms, values), answers)
        return Scores(*answers)

    def grow(self, count: int) -> None:
        """Have `count` series in total; the new ones are empty."""
        if count > len(self._states):
            states = np.zeros(max(count, min(2 * len(self._states), count + 20_000)), dtype=STATE)
            states[: self._count] = self._states[: self._count]
            self._states = states
        self._count = count

    def save(self, i0: int, i1: int) -> bytes:
        """The states of the series i0 … i1 - 1."""
        return _HEAD.pack(_MAGIC, VIEWS, BINS) + self._states[i0:i1].tobytes()

    def load(self, saved: bytes, at: int) -> None:
        """Put saved states back, the first at number `at`. Raises ValueError if they are not of this version."""
        if saved[: _HEAD.size] != _HEAD.pack(_MAGIC, VIEWS, BINS) or (len(saved) - _HEAD.size) % STATE.itemsize:
            raise ValueError("states of another version of the detector")
        states = np.frombuffer(saved, dtype=STATE, offset=_HEAD.size)
        self._states[at : at + len(states)] = states


class _Rows(NamedTuple):
    """What is scored, (n,) each; `local_ms` is the time by the wall clock."""

    series: Int32s
    ts_ms: Int64s
    local_ms: Int64s
    values: Float64s


class _Answers(NamedTuple):
    """Where the answers go, (n,) each; see Scores."""

    raw: Float32s
    recorded: Float32s
    look: Bytes  # numba takes a field named view for the method
    low: Float64s
    high: Float64s
    nearest: Float64s


@compiled
def _score(states: NDArray[Any], rows: _Rows, answers: _Answers) -> None:
    """Score each row by its series' state, then learn it; answers go to the last six arrays."""
    looks = np.empty(VIEWS)
    base = np.empty(VIEWS)
    found = np.empty(4)
    for row in range(rows.series.shape[0]):
        value = rows.values[row]
        if not np.isfinite(value):
            continue
        state = states[rows.series[row]]
        is_new_tick = _advance(state, rows.ts_ms[row], rows.local_ms[row])
        _look(state, value, looks, base)
        best = 0.0
        for at in range(VIEWS):
            if np.isnan(looks[at]):
                continue
            _nearest(state, at, looks[at], found)
            weight = CALENDAR_WEIGHT if at >= 2 else 1.0
            seen = state.seen[at]
            sure = 0.0 if seen < LEAST_TICKS else np.sqrt(min(1.0, seen / SURE_TICKS))
            score = min(1.0, found[0]) * weight * sure
            if score > best or at == 0:
                answers.low[row] = _plain(at, found[1], base[at])
                answers.high[row] = _plain(at, found[2], base[at])
                answers.nearest[row] = _plain(at, found[3], base[at])
            if score > best:
                best = score
                answers.look[row] = at + 1
            _learn(state, at, looks[at], is_new_tick)
        answers.raw[row] = best
        answers.recorded[row] = _record(state, answers.raw[row])


@compiled
def _advance(state: State, ts_ms: int, local_ms: int) -> bool:
    """Move a series' clocks to a row's time: ticks, slots of the day, blocks of the week; whether a tick began."""
    tick_slot = ts_ms // SLOT_MS
    if state.tick == 0:
        state.day[:] = np.nan
        state.week[:] = np.nan
        state.slot = local_ms // SLOT_MS
        state.tick = 1
        state.tick_slot = tick_slot
        return True
    is_new_tick = bool(tick_slot != state.tick_slot)
    if is_new_tick:
        state.tick += 1
        state.tick_slot = tick_slot
        state.recent[state.tick % RECORD_TICKS] = 0.0
        if state.tick % SWEEP_TICKS == 0:
            for at in range(VIEWS):
                _sweep(state, at)
    slot = local_ms // SLOT_MS
    if slot <= state.slot:
        return is_new_tick  # the same slot, or a clock that was set back: the hour that comes twice is learned once
    for passed in range(state.slot + 1, min(slot, state.slot + DAY_RING) + 1):
        state.day[passed % DAY_RING] = np.nan
    state.slot_sum, state.slot_rows = 0.0, 0
    block, before = slot // BLOCK_SLOTS, state.slot // BLOCK_SLOTS
    if block != before:
        for passed in range(before + 1, min(block, before + WEEK_RING) + 1):
            state.week[passed % WEEK_RING] = np.nan
        state.block_sum, state.block_rows = 0.0, 0
    state.slot = slot
    return is_new_tick


@compiled
def _look(state: State, value: float, looks: Float64s, base: Float64s) -> None:
    """The four looks at a value, and what DAY and WEEK compare it with; NaN where there is no day or week before."""
    state.slot_sum += value
    state.slot_rows += 1
    state.block_sum += value
    state.block_rows += 1
    slot, block = state.slot, state.slot // BLOCK_SLOTS
    state.day[slot % DAY_RING] = state.slot_sum / state.slot_rows
    state.week[block % WEEK_RING] = state.block_sum / state.block_rows
    looks[0] = value
    looks[1] = np.sign(value) * np.log1p(abs(value))
    looks[2], base[2] = _change(state.day, slot, DAY_SLOTS, DAY_MEAN)
    looks[3], base[3] = _change(state.week, block, WEEK_BLOCKS, WEEK_MEAN)


@compiled
def _change(ring: Float32s, newest: int, back: int, count: int) -> tuple[float, float]:
    """The mean of the newest `count` places minus that of those `back` before, and the latter; of places with both.

    The mean of a few places is noisier than that of all: it counts for less by the root.
    """
    size = ring.shape[0]
    change, before, pairs = 0.0, 0.0, 0
    for at in range(newest - count + 1, newest + 1):
        now, then = ring[at % size], ring[(at - back) % size]
        if not np.isnan(now) and not np.isnan(then):
            change += now - then
            before += then
            pairs += 1
    if pairs == 0:
        return np.nan, np.nan
    return change / pairs * np.sqrt(pairs / count), before / pairs


@compiled
def _nearest(state: State, at: int, value: float, found: Float64s) -> None:
    """Into found: distance to the nearest bin in memory / width of what is in memory; low, high; the nearest value."""
    found[:] = np.nan
    found[0] = 0.0
    if state.seen[at] == 0:
        return
    low, width = state.low[at], state.width[at]
    first, last = state.first[at], state.last[at]
    bottom, top = low + first * width, low + (last + 1) * width
    found[1], found[2] = bottom, top
    place = np.floor((value - low) / width)
    distance = 0.0
    if place < first:
        distance, found[3] = bottom - value, bottom
    elif place > last:
        distance, found[3] = value - top, top
    else:
        stamps = state.stamps[at]
        down = up = int(place)
        while down > first and not _lives(stamps[down], state.tick):
            down -= 1
        while up < last and not _lives(stamps[up], state.tick):
            up += 1
        found[3] = value
        if down != up:
            below, above = value - (low + (down + 1) * width), low + up * width - value
            if below <= above:
                distance, found[3] = below, value - below
            else:
                distance, found[3] = above, value + above
    if distance > 0:
        found[0] = distance / (top - bottom)


@compiled
def _lives(stamp: int, tick: int) -> bool:
    """Whether a bin was hit within memory."""
    return stamp != 0 and (tick % STAMPS - (stamp - 1)) % STAMPS < MEMORY_TICKS


@compiled
def _learn(state: State, at: int, value: float, is_new_tick: bool) -> None:
    """Mark the value's bin; bins become twice as wide as often as it takes to hold it."""
    if state.width[at] == 0.0:
        state.width[at] = max(abs(value) * FINEST, 1e-300)
        state.low[at] = value - BINS / 2 * state.width[at]
        state.first[at] = state.last[at] = BINS // 2
    place = np.floor((value - state.low[at]) / state.width[at])
    while place < 0 or place >= BINS:
        _widen(state, at, place < 0)
        place = np.floor((value - state.low[at]) / state.width[at])
    bin = int(place)
    state.stamps[at, bin] = state.tick % STAMPS + 1
    state.first[at] = min(state.first[at], bin)
    state.last[at] = max(state.last[at], bin)
    if state.seen[at] == 0 or (is_new_tick and state.seen[at] < SURE_TICKS):
        state.seen[at] += 1


@compiled
def _widen(state: State, at: int, is_down: bool) -> None:
    """Have pairs of bins become one; the room that is won lies below or above."""
    stamps = state.stamps[at]
    tick = state.tick
    half = BINS // 2
    for step in range(half):
        to = BINS - 1 - step if is_down else step
        one, two = (BINS - 1 - 2 * step, BINS - 2 - 2 * step) if is_down else (2 * step, 2 * step + 1)
        stamps[to] = _newer(stamps[one], stamps[two], tick)
    for step in range(half):
        stamps[step if is_down else half + step] = 0
    if is_down:
        state.low[at] -= BINS * state.width[at]
    shift = half if is_down else 0
    state.first[at] = state.first[at] // 2 + shift
    state.last[at] = state.last[at] // 2 + shift
    state.width[at] *= 2


@compiled
def _newer(one: int, two: int, tick: int) -> int:
    """The stamp of the two that is less long ago."""
    if one == 0 or two == 0:
        return max(one, two)
    return one if (tick % STAMPS - (one - 1)) % STAMPS <= (tick % STAMPS - (two - 1)) % STAMPS else two


@compiled
def _sweep(state: State, at: int) -> None:
    """Forget bins beyond memory; when little of the bins is used any more, make them finer."""
    if state.seen[at] == 0:
        return
    stamps = state.stamps[at]
    first, last = BINS, -1
    for bin in range(BINS):
        if _lives(stamps[bin], state.tick):
            first, last = min(first, bin), max(last, bin)
        else:
            stamps[bin] = 0
    if last < 0:
        state.seen[at] = 0
        state.width[at] = 0.0
        return
    state.first[at], state.last[at] = first, last
    size = max(abs(state.low[at]), abs(state.low[at] + BINS * state.width[at]))
    while state.last[at] - state.first[at] + 1 <= BINS // 4 and state.width[at] > 2 * FINEST * size:
        _refine(state, at)


@compiled
def _refine(state: State, at: int) -> None:
    """Split every used bin in two, which then stand in the middle."""
    stamps = state.stamps[at]
    first, count = state.first[at], state.last[at] - state.first[at] + 1
    kept = stamps[first : first + count].copy()
    begin = (BINS - 2 * count) // 2
    state.low[at] += first * state.width[at] - begin * state.width[at] / 2
    state.width[at] /= 2
    stamps[:] = 0
    for place in range(count):
        stamps[begin + 2 * place] = kept[place]
        stamps[begin + 2 * place + 1] = kept[place]
    state.first[at], state.last[at] = begin, begin + 2 * count - 1


@compiled
def _plain(at: int, look: float, base: float) -> float:
    """What a look means in the unit of the series."""
    if at == 0:
        return look
    if at == 1:
        return float(np.sign(look) * np.expm1(abs(look)))
    return base + look


@compiled
def _record(state: State, raw: np.float32) -> np.float32:
    """The score when it tops all of the last ticks, else 0."""
    top = np.float32(0.0)
    for at in range(RECORD_TICKS):
        top = max(top, state.recent[at])
    place = state.tick % RECORD_TICKS
    state.recent[place] = max(state.recent[place], raw)
    return raw if raw > top else np.float32(0.0)
