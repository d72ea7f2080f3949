"""Series by their place (group and slot): their labels, and their course over a time in a few points each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from app.domain.counters import is_counter
from app.domain.labels import METRIC, Labels, decode_labels, value_of
from app.domain.samples import Float64s, Int64s, is_absent
from app.domain.tenancy import TenantId
from app.promql.rollups import RollupBlock
from app.tsdb import raw, rolled
from app.tsdb.selection import Group

Place = tuple[int, int]
# Up to this samples are read, above it 5-minute cells, and above that those of an hour.
RAW_MS: Final = 4 * 3_600_000
FINE_MS: Final = 4 * 86_400_000
# Between readings further apart than this nobody knows how a counter went.
LONGEST_GAP_MS: Final = 3_600_000
STATS: Final = ("sum", "first", "last", "lost", "first_ms", "last_ms")

# Uses series_group_id_slot_key.
_LABELS = text("""
    select s.group_id, s.slot, s.key from unnest(cast(:groups as int[]), cast(:slots as int[])) as p(group_id, slot)
    join series s on s.group_id = p.group_id and s.slot = p.slot where s.tenant_id = :tenant
""")
_KINDS = text("select metric, kind from metric_metadata where tenant_id = :tenant and metric = any(:metrics)")


def labels_at(connection: Connection, tenant: TenantId, places: Sequence[Place]) -> dict[Place, Labels]:
    """The labels of the series at these places; what is not of the tenant is left out."""
    parameters = {
        "tenant": tenant,
        "groups": [group_id for group_id, _ in places],
        "slots": [slot for _, slot in places],
    }
    rows = connection.execute(_LABELS, parameters)
    return {(group_id, slot): decode_labels(key) for group_id, slot, key in rows}


def counters(connection: Connection, tenant: TenantId, labels: Sequence[Labels]) -> list[bool]:
    """Which of these series are counters, by their metadata and else by their name."""
    names = [value_of(each, METRIC) for each in labels]
    rows = connection.execute(_KINDS, {"tenant": tenant, "metrics": sorted(set(names))})
    kinds = {row.metric: row.kind for row in rows}
    return [is_counter(name, kinds.get(name, "unknown")) for name in names]


def courses(
    connection: Connection,
    tenant: TenantId,
    labels: dict[Place, Labels],
    *,
    start_ms: int,
    end_ms: int,
    points: int,
) -> dict[Place, Float64s]:
    """The mean of each series in `points` steps of (start, end], NaN where it has none; of counters per second."""
    if not labels:
        return {}
    places = list(labels)
    are_counters = dict(zip(places, counters(connection, tenant, list(labels.values())), strict=True))
    groups = groups_of(labels)
    if end_ms - start_ms > RAW_MS:
        tier = 300 if end_ms - start_ms <= FINE_MS else 3600
        cells = rolled.select(connection, tenant, groups, tier=tier, start_ms=start_ms, end_ms=end_ms, stats=STATS)
        if cells is not None:
            pieces = _of_cells(cells)
            return _means(labels, are_counters, pieces, start_ms=start_ms, end_ms=end_ms, points=points)
    pieces = _of_samples(connection, tenant, groups, start_ms=start_ms, end_ms=end_ms)
    return _means(labels, are_counters, pieces, start_ms=start_ms, end_ms=end_ms, points=points)


def groups_of(labels: dict[Place, Labels]) -> list[Group]:
    """These series by group."""
    members: dict[int, list[tuple[int, Labels]]] = {}
    for (group_id, slot), its in sorted(labels.items()):
        members.setdefault(group_id, []).append((slot, its))
    return [
        Group(group_id, np.array([slot for slot, _ in its], dtype=np.intp), tuple(own for _, own in its))
        for group_id, its in members.items()
    ]


def cell_values(block: RollupBlock, is_rate: NDArray[np.bool_]) -> Float64s:
    """The mean of each cell (b, n), of counters the growth per second; NaN where there is none."""
    stats = block.stats
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = stats["sum"] / stats["count"]
        grown = stats["last"] - stats["first"] + stats["lost"]
        rate = grown / ((stats["last_ms"] - stats["first_ms"]) / 1000)
        values = np.where(is_rate[None, :], rate, mean)
    return np.where(is_absent(stats["count"]) | ~np.isfinite(values), np.nan, values)


# labels, times (ms) and values of a series, as a counter and as a gauge.
_Piece = tuple[Labels, Int64s, Float64s, Float64s]


def _of_cells(blocks: Sequence[RollupBlock]) -> Iterator[_Piece]:
    for block in blocks:
        width = len(block.labels)
        rate, mean = (cell_values(block, np.full(width, is_rate)) for is_rate in (True, False))
        for column, labels in enumerate(block.labels):
            yield labels, block.end_ms, rate[:, column], mean[:, column]


def _of_samples(
    connection: Connection, tenant: TenantId, groups: Sequence[Group], *, start_ms: int, end_ms: int
) -> Iterator[_Piece]:
    found = raw.fetch(connection, tenant, groups, start_ms=start_ms, end_ms=end_ms)
    for group in groups:
        if group.group_id not in found:
            continue
        for block in raw.blocks_of(group, found[group.group_id], start_ms=start_ms, end_ms=end_ms):
            for column, labels in enumerate(block.labels):
                there = np.isfinite(block.values[:, column])
                ts_ms, values = block.ts_ms[there], block.values[there, column]
                span_ms = np.diff(ts_ms, prepend=ts_ms[:1])
                grown = np.diff(values, prepend=values[:1])
                is_rate = (grown >= 0) & (span_ms > 0) & (span_ms <= LONGEST_GAP_MS)
                rate = np.where(is_rate, grown / np.maximum(span_ms / 1000, 1e-3), np.nan)
                yield labels, ts_ms, rate, values


def _means(
    labels: dict[Place, Labels],
    are_counters: dict[Place, bool],
    pieces: Iterator[_Piece],
    *,
    start_ms: int,
    end_ms: int,
    points: int,
) -> dict[Place, Float64s]:
    sums = {place: np.zeros(points) for place in labels}
    counts = {place: np.zeros(points) for place in labels}
    place_of = {its: place for place, its in labels.items()}
    for its, ts_ms, rate, value in pieces:
        place = place_of[its]
        values = rate if are_counters[place] else value
        there = np.isfinite(values) & (ts_ms > start_ms) & (ts_ms <= end_ms)
        step = ((ts_ms[there] - start_ms - 1) * points // (end_ms - start_ms)).astype(np.intp)
        np.add.at(sums[place], step, values[there])
        np.add.at(counts[place], step, 1)
    return {place: np.where(counts[place] > 0, sums[place] / np.maximum(counts[place], 1), np.nan) for place in labels}
