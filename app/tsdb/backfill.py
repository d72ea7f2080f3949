"""A past without samples: what came before a store did, as rollups of hours and days, like those that terms leave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from sqlalchemy import Connection

from app.domain.labels import Labels, encode_labels
from app.domain.samples import Float64s, Int64s
from app.domain.tenancy import TenantId
from app.errors import InvalidInput
from app.tsdb import blocks, rollups
from app.tsdb.catalog import SLOTS_BITS, present_places
from app.tsdb.codec import Part
from app.tsdb.rollups import Cells
from app.tsdb.turns import JOB_PATIENCE_S, turn_of
from models.session import tenant_connection

_HOUR: Final = 3600
_DAY: Final = 86_400


def store_hours(tenant: TenantId, series: Sequence[Labels], ts_ms: Int64s, values: Float64s) -> None:
    """Store `values` (t, n) of series at `ts_ms` (t,), ascending, from one midnight (UTC) on until another.

    Rollups that stand there for this time are replaced, others stay. One transaction; made again it changes nothing.
    Raises InvalidInput if the tenant cannot have one of the series.
    """
    with turn_of(tenant, wait_s=JOB_PATIENCE_S):
        places, refused = present_places(tenant, [encode_labels(labels) for labels in series])
        if refused:
            raise InvalidInput("series", next(iter(refused.values())))
        _store_at(tenant, places, ts_ms, values)


def _store_at(tenant: TenantId, places: Int64s, ts_ms: Int64s, values: Float64s) -> None:
    order = np.argsort(places)
    groups, slots = places[order] >> SLOTS_BITS, places[order] & ((1 << SLOTS_BITS) - 1)
    with tenant_connection(tenant) as connection:
        blocks.lock(connection, tenant)
        for group_id in np.unique(groups).tolist():
            its = groups == group_id
            hours = rollups.of_samples([Part(slots[its].astype(np.intp), ts_ms, values[:, order[its]])], _HOUR)
            _store(connection, tenant, group_id, hours, tier=_HOUR)
            _store(connection, tenant, group_id, rollups.coarser(hours, _DAY, finer=_HOUR), tier=_DAY)


def _store(connection: Connection, tenant: TenantId, group_id: int, cells: Cells, *, tier: int) -> None:
    """Put cells into their rows; what stands there of other times stays."""
    length_ms = rollups.ROW_MS[tier]
    start_ms, end_ms = int(cells.end_ms[0]) - tier * 1000, int(cells.end_ms[-1])
    first_ms, last_ms = start_ms // length_ms * length_ms, -(-end_ms // length_ms) * length_ms
    found = rollups.read(connection, tenant, {group_id: None}, tier=tier, start_ms=first_ms, end_ms=last_ms)
    others = [rollups.without(its, start_ms, end_ms) for its in found.get(group_id, [])]
    whole = rollups.union([*others, cells])
    rows = {at: rollups.within(whole, at, at + length_ms) for at in range(first_ms, last_ms, length_ms)}
    packed = [rollups.pack(group_id, at, row, tier) for at, row in rows.items() if row.any()]
    blocks.write(connection, tenant, packed, tier=tier)
