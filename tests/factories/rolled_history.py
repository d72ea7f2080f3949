"""History that is rolled up already, as it stands after months: an hour is a cell, and samples are gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from sqlalchemy import Connection

from app.domain.forecast.capacity_kinds import KINDS
from app.domain.labels import Labels, Matcher, MatchOp, encode_labels, labels_of
from app.domain.samples import ABSENT, Float64s
from app.domain.tenancy import TenantId
from app.tsdb import blocks, rollups
from app.tsdb.catalog import series_places
from app.tsdb.codec import Part
from app.tsdb.selection import Group, select_series
from models.session import tenant_connection

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
TIER = 3600


def store_hours(tenant: TenantId, series: Sequence[tuple[Mapping[str, str], Float64s]], *, first_day: int) -> None:
    """Store a value for each hour from the UTC day `first_day` on (counted from 1970), as rollups of an hour.

    All series end with the longest; NaN = no sample.
    """
    hours = max(len(values) for _, values in series)
    wanted = {
        labels_of(labels): np.concatenate([np.full(hours - len(values), np.nan), values]) for labels, values in series
    }
    _, reasons = series_places(tenant, [encode_labels(labels) for labels in wanted])
    assert not reasons, reasons
    with tenant_connection(tenant) as connection:
        packed = []
        for group in select_series(connection, tenant, [Matcher("__name__", MatchOp.NOT_EQUAL, "")]):
            packed += _packed(connection, tenant, group, wanted, first_day)
        blocks.write(connection, tenant, packed, tier=TIER)


def use_of(
    kind: str, labels: Mapping[str, str], percent: Float64s, *, size: float
) -> list[tuple[Mapping[str, str], Float64s]]:
    """What a thing used (per cent of its size) in each hour, by the metrics of its kind: what store_hours() takes."""
    source = KINDS[kind].sources[0]
    used = percent / 100 * size / source.factor
    if source.factor != 1.0:
        used = np.cumsum(used * 3600)  # a counter
    sizes = np.full(len(percent), size)
    return [({"__name__": source.used, **labels}, used), ({"__name__": source.size, **labels}, sizes)]


def growing(start: float, per_day: float, days: int, *, seed: int = 1) -> Float64s:
    """Per cent in each hour: a day, a week, noise, and growth of the daily peak."""
    random = np.random.default_rng(seed)
    hours = np.arange(days * 24)
    day = start + per_day * hours / 24
    swing = 1 + 0.25 * np.minimum(np.sin(2 * np.pi * (hours % 24 - 9) / 24) - 1, 0)
    week = 1.5 * np.sin(2 * np.pi * hours / 24 / 7)
    return np.asarray(np.maximum(day * swing + week + random.normal(0, 0.5, len(hours)), 0.0))


def _packed(
    connection: Connection, tenant: TenantId, group: Group, wanted: Mapping[Labels, Float64s], first_day: int
) -> list[blocks.Packed]:
    chosen = [
        (slot, wanted[its]) for slot, its in zip(group.slots.tolist(), group.labels, strict=True) if its in wanted
    ]
    if not chosen:
        return []
    chosen.sort(key=lambda pair: pair[0])
    slots = np.array([slot for slot, _ in chosen], dtype=np.intp)
    values = np.stack([line for _, line in chosen], axis=1)
    ts_ms = first_day * DAY_MS + np.arange(1, len(values) + 1) * HOUR_MS
    cells = rollups.of_samples([Part(slots, ts_ms, np.where(np.isnan(values), ABSENT, values))], TIER)
    # What stands there of other series stays.
    start_ms, end_ms = first_day * DAY_MS, int(ts_ms[-1])
    there = rollups.read(connection, tenant, {group.group_id: None}, tier=TIER, start_ms=start_ms, end_ms=end_ms)
    cells = rollups.union([*there.get(group.group_id, []), cells])
    return [
        rollups.pack(group.group_id, start, rollups.within(cells, start, start + DAY_MS), TIER)
        for start in range(start_ms, end_ms, DAY_MS)
    ]
