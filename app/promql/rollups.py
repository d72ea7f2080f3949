"""Rollups: what the samples of each bucket come to, and the functions that they answer as exactly as samples do.

A bucket is (end - tier, end], as the windows of ranges are: a range that begins and ends where buckets do holds whole
buckets. Of resets a bucket keeps what the counter had reached at each (`lost`), because rate() adds just that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Protocol, runtime_checkable

import numpy as np

from app.domain.labels import Labels, Matcher
from app.domain.samples import ABSENT, Float64s, Int64s, is_absent, is_stale
from app.promql import functions_over_time as over_time
from app.promql.functions_rate import Ends, extrapolated
from app.promql.sums import add_segments, reduce_segments
from app.promql.windows import Edges, Windows

# (b, n) each, ABSENT where the bucket has no sample. Times are milliseconds since 1970; lost: see above.
STATS: Final = ("count", "min", "max", "sum", "first", "last", "lost", "first_ms", "last_ms")
RESOLUTIONS: Final = {300_000: "5m", 3_600_000: "1h", 86_400_000: "1d"}


@dataclass(frozen=True)
class RollupBlock:
    """Rollups of some series. `end_ms` (b,) int64 ascending: where the buckets end; `stats`: (b, n) by STATS."""

    labels: tuple[Labels, ...]
    tier_ms: int
    end_ms: Int64s
    stats: Mapping[str, Float64s]


@runtime_checkable
class RollupSource(Protocol):
    """A SeriesSource that has rollups too."""

    def select_rollups(
        self, matchers: Sequence[Matcher], *, start_ms: int, end_ms: int, unit_ms: int, stats: Sequence[str]
    ) -> Sequence[RollupBlock] | None:
        """Rollups of the series that satisfy all matchers, of the buckets in (start, end], with these STATS.

        Every edge of a window is a multiple of `unit_ms`. None: samples answer this better.
        """
        ...


def resolution_name(tier_ms: int) -> str:
    """`raw`, or the length of the buckets: 5m, 1h, 1d."""
    return RESOLUTIONS.get(tier_ms, "raw")


def roll_up(ts_ms: Int64s, values: Float64s, tier_ms: int) -> tuple[Int64s, dict[str, Float64s]]:
    """The ends of the buckets that `ts_ms` (t,) falls into, and the STATS of `values` (t, n) in each."""
    ends = np.unique(-(-ts_ms // tier_ms) * tier_ms)
    edges = Edges(ends, ends, tier_ms)
    present = None
    if np.isnan(values).any():
        present = _samples(values)
    windows = Windows(ts_ms, values, present, edges, _no_check)
    shape = windows.shape
    stats = {
        "count": windows.only(np.broadcast_to(windows.counts.astype(np.float64), shape).copy()),
        "min": over_time.min_over_time(windows),
        "max": over_time.max_over_time(windows),
        "sum": over_time.sum_over_time(windows),
        "first": windows.only(windows.first.copy()),
        "last": windows.only(windows.last.copy()),
        "lost": windows.only(_lost(windows)),
        "first_ms": windows.only(_of_all(ts_ms[windows.first_rows], shape)),
        "last_ms": windows.only(_of_all(ts_ms[windows.last_rows], shape)),
    }
    return ends, stats


def combine(block: RollupBlock, tier_ms: int) -> RollupBlock:
    """Rollups of a coarser tier; `block` has all STATS."""
    ends = np.unique(-(-block.end_ms // tier_ms) * tier_ms)
    windows = RolledWindows(block, Edges(ends, ends, tier_ms))
    stats = {
        "count": windows.only(windows.samples),
        "min": windows.only(windows.least_or_most("min", np.fmin)),
        "max": windows.only(windows.least_or_most("max", np.fmax)),
        "sum": windows.only(windows.total("sum")),
        "lost": windows.only(windows.total("lost") + windows.joined()),
    }
    stats |= {name: windows.only(windows.of_first(name)) for name in ("first", "first_ms")}
    stats |= {name: windows.only(windows.of_last(name)) for name in ("last", "last_ms")}
    return RollupBlock(block.labels, tier_ms, ends, stats)


class RolledWindows(Windows):
    """All windows of one block of rollups; every window holds whole buckets."""

    def __init__(self, block: RollupBlock, edges: Edges) -> None:
        counts = block.stats["count"]
        present = ~np.isnan(counts)
        super().__init__(block.end_ms, counts, None if present.all() else present, edges, _no_check)
        self.stats = block.stats

    @cached_property
    def samples(self) -> Float64s:
        """Samples in each window; (steps, n)."""
        found = self.total("count")
        # Of a window without a bucket the sum is that of the bucket behind it.
        found[self.begin == self.end] = 0.0
        return found

    def total(self, name: str) -> Float64s:
        """The sum of a statistic over the buckets of each window."""
        amounts = self.stats[name]
        return add_segments(amounts if self.present is None else np.where(self.present, amounts, 0.0), self._bounds())

    def least_or_most(self, name: str, ufunc: np.ufunc) -> Float64s:
        """The extreme of a statistic over the buckets of each window."""
        # np.fmin passes over a quiet NaN; ABSENT is a signalling one.
        amounts = self.stats[name] if self.present is None else np.where(self.present, self.stats[name], np.nan)
        return reduce_segments(ufunc, amounts, self._bounds())

    def of_first(self, name: str) -> Float64s:
        """A statistic of the first bucket with samples of each window."""
        return self.at(self.first_rows, self.stats[name])

    def of_last(self, name: str) -> Float64s:
        """A statistic of the last bucket with samples of each window."""
        return self.at(self.last_rows, self.stats[name])

    def only(self, result: Float64s, least: int = 1) -> Float64s:
        """`result` where a window has at least so many samples, else ABSENT."""
        result = np.array(np.broadcast_to(result, self.shape))
        result[~(self.samples >= least)] = ABSENT
        return result

    def joined(self) -> Float64s:
        """What is lost between the buckets of each window: a counter fell from the last sample of one to the next."""
        firsts, lasts = self.stats["first"], self.stats["last"]
        if len(firsts) < 2:
            return np.zeros(self.shape)
        if self.present is None:
            before, both = lasts[:-1], np.ones((1, 1), dtype=np.bool_)
        else:
            rows = self.previous_rows[:-1]
            before = np.take_along_axis(lasts, np.maximum(rows, 0), axis=0)
            both = self.present[1:] & (rows >= 0)
        fell = (firsts[1:] < before) & both
        return self.between_first_and_last(np.where(fell, before, 0.0)) if fell.any() else np.zeros(self.shape)

    def _bounds(self) -> np.ndarray[tuple[int, ...], np.dtype[np.intp]]:
        return np.stack([self.begin, self.end], axis=1)


def _avg(windows: RolledWindows) -> Float64s:
    return windows.only(windows.total("sum") / windows.samples)


def _change(windows: RolledWindows, *, is_counter: bool, is_rate: bool) -> Float64s:
    first = windows.of_first("first")
    grown = windows.of_last("last") - first
    if is_counter:
        grown = grown + windows.total("lost") + windows.joined()
    first_ms, last_ms = windows.of_first("first_ms"), windows.of_last("last_ms")
    ends = Ends(windows.edges, windows.samples, first, first_ms, last_ms)
    return windows.only(extrapolated(ends, grown, is_counter=is_counter, is_rate=is_rate), least=2)


@dataclass(frozen=True)
class Rolled:
    """How rollups answer a function of one range, of which statistics beside the count; do series keep their name?"""

    compute: Callable[[RolledWindows], Float64s]
    stats: tuple[str, ...] = ()
    keeps_name: bool = False


_ENDS: Final = ("first", "last", "lost", "first_ms", "last_ms")

FROM_ROLLUPS: Final[Mapping[str, Rolled]] = {
    "avg_over_time": Rolled(_avg, ("sum",)),
    "count_over_time": Rolled(lambda windows: windows.only(windows.samples)),
    "delta": Rolled(lambda windows: _change(windows, is_counter=False, is_rate=False), _ENDS),
    "first_over_time": Rolled(lambda windows: windows.only(windows.of_first("first")), ("first",), keeps_name=True),
    "increase": Rolled(lambda windows: _change(windows, is_counter=True, is_rate=False), _ENDS),
    "last_over_time": Rolled(lambda windows: windows.only(windows.of_last("last")), ("last",), keeps_name=True),
    "max_over_time": Rolled(lambda windows: windows.only(windows.least_or_most("max", np.fmax)), ("max",)),
    "min_over_time": Rolled(lambda windows: windows.only(windows.least_or_most("min", np.fmin)), ("min",)),
    "present_over_time": Rolled(lambda windows: windows.only(np.ones(windows.shape))),
    "rate": Rolled(lambda windows: _change(windows, is_counter=True, is_rate=True), _ENDS),
    "sum_over_time": Rolled(lambda windows: windows.only(windows.total("sum")), ("sum",)),
}


def _no_check() -> None:
    """Nothing here takes long."""


def _samples(values: Float64s) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    from_bits = np.ascontiguousarray(values)
    return ~(is_absent(from_bits) | is_stale(from_bits))


def _of_all(ts_ms: Int64s, shape: tuple[int, int]) -> Float64s:
    return np.array(np.broadcast_to(ts_ms.astype(np.float64), shape))


def _lost(windows: Windows) -> Float64s:
    """What the counter had reached at each reset inside a bucket."""
    if len(windows.ts_ms) < 2:
        return np.zeros(windows.shape)
    current, before, both = windows.pairs()
    with np.errstate(invalid="ignore"):
        fell = (current < before) & both
    if not fell.any():
        return np.zeros(windows.shape)
    return windows.between_first_and_last(np.where(fell, before, 0.0))
