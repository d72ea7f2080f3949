"""A source of series in memory, for tests and benchmarks of what reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from app.domain.labels import Labels, Matcher, labels_of, value_of
from app.domain.samples import ABSENT
from app.promql.select import SeriesBlock


@dataclass
class MemorySource:
    """Blocks in memory, selected as the store's reader would."""

    blocks: list[SeriesBlock] = field(default_factory=list)

    def select(self, matchers: Sequence[Matcher], *, start_ms: int, end_ms: int) -> Sequence[SeriesBlock]:
        """Columns that match, rows in time."""
        found = []
        for block in self.blocks:
            columns = [
                column
                for column, labels in enumerate(block.labels)
                if all(matcher.matches(value_of(labels, matcher.name)) for matcher in matchers)
            ]
            first, last = np.searchsorted(block.ts_ms, [start_ms, end_ms + 1])
            values = block.values[first:last]
            if len(columns) < len(block.labels):
                values = values[:, columns]
            if columns:
                kept = tuple(block.labels[column] for column in columns)
                found.append(replace(block, labels=kept, ts_ms=block.ts_ms[first:last], values=values))
        return found


def block_of(series: Mapping[Labels, Mapping[int, float]]) -> SeriesBlock:
    """One block from samples by time, series by series."""
    times = sorted({ts_ms for samples in series.values() for ts_ms in samples})
    row_of = {ts_ms: row for row, ts_ms in enumerate(times)}
    values = np.full((len(times), len(series)), ABSENT)
    for column, samples in enumerate(series.values()):
        for ts_ms, value in samples.items():
            values[row_of[ts_ms], column] = value
    return SeriesBlock(tuple(series), np.array(times, dtype=np.int64), values)


def named(metric: str, pairs: Iterable[tuple[str, str]] = (), **labels: str) -> Labels:
    """The labels of a series of a metric."""
    return labels_of({"__name__": metric, **dict(pairs), **labels})
