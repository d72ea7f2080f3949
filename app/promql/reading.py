"""From the source's blocks to the samples that selectors mean: the latest of each series, or those of a range."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from app.domain.labels import Labels, Matcher
from app.domain.samples import ABSENT, Float64s, Int64s, absent_array, is_absent, is_stale
from app.promql.label_sets import LabelSets
from app.promql.limits import Budget
from app.promql.rollups import RolledWindows, RollupSource
from app.promql.select import CELLS, SeriesBlock, SeriesSource
from app.promql.vectors import Bools, Vectors, drop_empty, no_vectors
from app.promql.windows import Edges, Windows

# Series in a block: fewer than NARROW are worth putting together, up to about WIDE, or to so many CELLS.
NARROW, WIDE = 32, 16_384


class Reading:
    """What one query reads; the same selector over the same time is read once."""

    def __init__(self, source: SeriesSource, budget: Budget) -> None:
        self._source = source
        self._budget = budget
        self._read: dict[tuple[tuple[Matcher, ...], int, int], list[SeriesBlock]] = {}

    def blocks(self, matchers: tuple[Matcher, ...], start_ms: int, end_ms: int) -> list[SeriesBlock]:
        """The blocks of a selector at start_ms <= ts <= end_ms, each series in one of them only."""
        key = (matchers, start_ms, end_ms)
        if key not in self._read:
            found = self._source.select(matchers, start_ms=start_ms, end_ms=end_ms)
            blocks = [block for block in found if len(block.ts_ms) and block.labels]
            self._budget.load(
                series=sum(len(block.labels) for block in blocks),
                samples=sum(block.values.size for block in blocks),
                tier_ms=max((block.tier_ms for block in blocks), default=0),
            )
            self._read[key] = side_by_side(one_place_each(blocks))
        return self._read[key]

    def latest(self, matchers: tuple[Matcher, ...], times_ms: Int64s, lookback_ms: int, *, as_time: bool) -> Vectors:
        """Each series' latest sample in (t - lookback, t] for each t of `times_ms`, unless it is a stale marker.

        With `as_time` the value is when the sample was taken, in seconds.
        """
        steps = len(times_ms)
        blocks = self.blocks(matchers, int(times_ms.min()) - lookback_ms + 1, int(times_ms.max()))
        labels = [one for block in blocks for one in block.labels]
        if not labels:
            return no_vectors(steps)
        self._budget.room(len(labels) * steps)
        values = absent_array((len(labels), steps))
        row = 0
        for block in blocks:
            self._budget.check()
            values[row : row + len(block.labels)] = _latest(block, times_ms, lookback_ms, as_time=as_time).T
            row += len(block.labels)
        return drop_empty(Vectors(labels, values))

    def windows(self, matchers: tuple[Matcher, ...], edges: Edges) -> list[tuple[Sequence[Labels], Windows]]:
        """The windows of each block; stale markers are no samples of a range."""
        first_ms = int(edges.end_ms.min()) - edges.range_ms + 1
        blocks = self.blocks(matchers, first_ms, int(edges.end_ms.max()))
        self._budget.room(sum(len(block.labels) for block in blocks) * len(edges.at_ms))
        return [
            (
                block.labels,
                Windows(block.ts_ms, block.values, _present_samples(block.values), edges, self._budget.check),
            )
            for block in blocks
        ]

    def rollups(
        self, matchers: tuple[Matcher, ...], edges: Edges, stats: Sequence[str]
    ) -> list[tuple[Sequence[Labels], RolledWindows]] | None:
        """The windows as whole buckets of rollups; None if the source has none that are as exact, or none at all."""
        if not isinstance(self._source, RollupSource):
            return None
        unit_ms = int(np.gcd.reduce(edges.end_ms, initial=edges.range_ms))
        first_ms, last_ms = int(edges.end_ms.min()) - edges.range_ms, int(edges.end_ms.max())
        found = self._source.select_rollups(matchers, start_ms=first_ms, end_ms=last_ms, unit_ms=unit_ms, stats=stats)
        if found is None:
            return None
        labels = [one for block in found for one in block.labels]
        if len(set(labels)) != len(labels):
            return None  # a series that moved to another group; its samples are put together
        self._budget.room(len(labels) * len(edges.at_ms))
        for block in found:
            cells = block.stats["count"].size * (1 + len(stats))
            self._budget.load(series=len(block.labels), samples=cells, tier_ms=block.tier_ms)
        return [(block.labels, RolledWindows(block, edges)) for block in found]


def _latest(block: SeriesBlock, times_ms: Int64s, lookback_ms: int, *, as_time: bool) -> Float64s:
    """(steps, n)."""
    rows = np.searchsorted(block.ts_ms, times_ms, side="right") - 1
    missing = _present_or_stale(block.values)
    if missing is None:
        reachable = (rows >= 0) & (block.ts_ms[rows] > times_ms - lookback_ms)
        found = block.values[rows]
        result = np.array(np.broadcast_to(block.ts_ms[rows][:, None] / 1000, found.shape)) if as_time else found
        result[~reachable] = ABSENT
    else:
        each = np.where(missing, -1, np.arange(len(block.ts_ms))[:, None])
        series_rows = np.maximum.accumulate(each, axis=0)[np.maximum(rows, 0)]
        times = block.ts_ms[np.maximum(series_rows, 0)]
        reachable = (rows >= 0)[:, None] & (series_rows >= 0) & (times > (times_ms - lookback_ms)[:, None])
        found = np.take_along_axis(block.values, np.maximum(series_rows, 0), axis=0)
        result = np.where(reachable, times / 1000 if as_time else found, ABSENT)
    stale = is_stale(found)
    if stale.any():
        result[stale] = ABSENT
    return result


def _present_or_stale(values: Float64s) -> Bools | None:
    """Where nothing is stored; None if everything is."""
    if not np.isnan(values).any():
        return None
    missing = is_absent(values)
    return missing if missing.any() else None


def _present_samples(values: Float64s) -> Bools | None:
    """Where there is a sample that counts; None if everywhere."""
    if not np.isnan(values).any():
        return None
    present = ~(is_absent(values) | is_stale(values))
    return None if present.all() else present


def side_by_side(blocks: list[SeriesBlock]) -> list[SeriesBlock]:
    """The same samples with narrow blocks of equal times put together.

    Each block costs the same few dozen array calls however narrow it is, and sources that keep series one by one
    answer thousands of them, most with the times of their target's scrapes.
    """
    alike: dict[bytes, list[SeriesBlock]] = {}
    result = []
    for block in blocks:
        if len(block.labels) < NARROW:
            alike.setdefault(block.ts_ms.tobytes(), []).append(block)
        else:
            result.append(block)
    for found in alike.values():
        at_once = max(1, min(WIDE, CELLS // len(found[0].ts_ms)) // NARROW)
        for begin in range(0, len(found), at_once):
            some = found[begin : begin + at_once]
            labels = LabelSets.joined([LabelSets.of(block.labels) for block in some])
            values = some[0].values if len(some) == 1 else np.concatenate([block.values for block in some], axis=1)
            result.append(SeriesBlock(labels, some[0].ts_ms, values))
    return result


def one_place_each(blocks: list[SeriesBlock]) -> list[SeriesBlock]:
    """The same samples with every series in one block only; of two samples at one time the later block's stays."""
    if all(block.is_apart for block in blocks):
        return blocks
    count = sum(len(block.labels) for block in blocks)
    seen: set[Labels] = set()
    seen.update(*(block.labels for block in blocks))
    if len(seen) == count:
        return blocks
    places: dict[Labels, list[tuple[SeriesBlock, int]]] = {}
    for block in blocks:
        for column, labels in enumerate(block.labels):
            places.setdefault(labels, []).append((block, column))
    repeated = {labels: found for labels, found in places.items() if len(found) > 1}
    single = [_without(block, repeated) for block in blocks]
    return [block for block in single if block.labels] + [_merged(repeated)]


def _without(block: SeriesBlock, repeated: dict[Labels, list[tuple[SeriesBlock, int]]]) -> SeriesBlock:
    kept = [column for column, labels in enumerate(block.labels) if labels not in repeated]
    if len(kept) == len(block.labels):
        return block
    return replace(block, labels=tuple(block.labels[column] for column in kept), values=block.values[:, kept])


def _merged(repeated: dict[Labels, list[tuple[SeriesBlock, int]]]) -> SeriesBlock:
    involved = {id(block): block for found in repeated.values() for block, _ in found}
    ts_ms = np.unique(np.concatenate([block.ts_ms for block in involved.values()]))
    values = absent_array((len(ts_ms), len(repeated)))
    for column, found in enumerate(repeated.values()):
        for block, source in found:
            samples = block.values[:, source]
            there = ~is_absent(samples)
            values[np.searchsorted(ts_ms, block.ts_ms[there]), column] = samples[there]
    return SeriesBlock(tuple(repeated), ts_ms, values)
