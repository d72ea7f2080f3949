"""The archive as a source of samples for PromQL: what `python -m app archive query` asks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from app.domain.labels import Labels, Matcher
from app.domain.samples import absent_array
from app.domain.tenancy import TenantId
from app.promql.select import SeriesBlock
from app.tsdb.archive import LENGTH, archives, read
from app.tsdb.parquet import Samples, pieces_of


class ArchiveSource:
    """The archived samples of one tenant; a SeriesSource for the PromQL engine."""

    def __init__(self, tenant: TenantId) -> None:
        self.tenant = tenant

    def select(self, matchers: Sequence[Matcher], *, start_ms: int, end_ms: int) -> list[SeriesBlock]:
        """The series that satisfy all matchers, with their archived samples at start_ms <= ts <= end_ms."""
        start, end = (datetime.fromtimestamp(ms // 1000, UTC) for ms in (start_ms, end_ms))
        found = []
        # A bucket is open on the left, so one more may hold the first moment.
        for archive in reversed(archives(self.tenant, start=start - LENGTH, end=end + timedelta(seconds=1))):
            for some in pieces_of(read(archive)):
                found += _blocks(some, matchers, start_ms, end_ms)
        return found


def _blocks(samples: Samples, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[SeriesBlock]:
    """The matching series, those with the same times side by side."""
    chosen = [index for index, labels in enumerate(samples.labels) if _satisfies(labels, matchers)]
    in_range = (samples.ts_ms >= start_ms) & (samples.ts_ms <= end_ms)
    firsts = np.searchsorted(samples.series, chosen, side="left").tolist()
    ends = np.searchsorted(samples.series, chosen, side="right").tolist()
    columns: dict[bytes, list[tuple[Labels, Any, Any]]] = {}
    for index, first, end in zip(chosen, firsts, ends, strict=True):
        kept = in_range[first:end]
        if kept.any():
            ts_ms = samples.ts_ms[first:end][kept]
            column = (samples.labels[index], ts_ms, samples.values[first:end][kept])
            columns.setdefault(ts_ms.tobytes(), []).append(column)
    found = []
    for group in columns.values():
        values = absent_array((len(group[0][1]), len(group)))
        for place, (_labels, _ts_ms, column_values) in enumerate(group):
            values[:, place] = column_values
        found.append(SeriesBlock(tuple(labels for labels, _, _ in group), group[0][1], values))
    return found


def _satisfies(labels: Labels, matchers: Sequence[Matcher]) -> bool:
    values = dict(labels)
    return all(matcher.matches(values.get(matcher.name, "")) for matcher in matchers)
