"""Samples that detection has not seen, as rows: by series, each in order of time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from app.domain.samples import Float64s, Int64s
from app.domain.tenancy import TenantId
from app.tsdb import raw
from app.tsdb.blocks import moment
from app.tsdb.selection import Group

# A sample this old, and stored so shortly ago, is of a past that is still coming in.
OLD_MS: Final = 3_600_000
FILLING_MS: Final = 30_000

# A row's part is when it arrived, in ms, times 65,536: see docs/decisions/0006.
_FILLING = text("""
    select group_id from sample_hot
    where tenant_id = :tenant and group_id = any(cast(:groups as int[])) and ts < :old
    group by group_id having max(part) / 65536 > :since
""")


@dataclass(frozen=True)
class Unscored:
    """Samples one by one; all arrays (n,). `groups`: places in the list that was asked for; `columns`: in its slots."""

    groups: NDArray[np.int32]
    columns: NDArray[np.int32]
    ts_ms: Int64s
    values: Float64s


def filling(connection: Connection, tenant: TenantId, group_ids: Sequence[int], *, now_ms: int) -> set[int]:
    """Those of some groups whose past still comes in: whoever learns from it waits."""
    if not group_ids:
        return set()
    parameters = {
        "tenant": tenant,
        "groups": list(group_ids),
        "old": moment(now_ms - OLD_MS),
        "since": now_ms - FILLING_MS,
    }
    return set(connection.scalars(_FILLING, parameters))


def read(
    connection: Connection, tenant: TenantId, groups: Sequence[Group], after_ms: Mapping[int, int], *, end_ms: int
) -> Unscored:
    """What each group has at after_ms[its id] < ts <= end_ms; values that are no numbers are left out."""
    start_ms = min(after_ms[group.group_id] for group in groups) + 1
    found = raw.fetch(connection, tenant, groups, start_ms=start_ms, end_ms=end_ms)
    pieces: list[tuple[NDArray[np.int32], ...]] = []
    arrays: list[tuple[Int64s, Float64s]] = []
    for place, group in enumerate(groups):
        its = found.get(group.group_id)
        if its is None:
            continue
        first_ms = after_ms[group.group_id] + 1
        for block in raw.blocks_of(group, its, start_ms=first_ms, end_ms=end_ms):
            begin = int(np.searchsorted(block.ts_ms, first_ms))
            values = block.values[begin:]
            column, row = np.nonzero(np.isfinite(values.T))
            whole = len(block.labels) == len(group.labels)
            columns = column if whole else np.full(len(column), group.labels.index(block.labels[0]))
            pieces.append((np.full(len(column), place, dtype=np.int32), columns.astype(np.int32)))
            arrays.append((block.ts_ms[begin:][row], values[row, column]))
    if not pieces:
        nothing = np.empty(0, dtype=np.int32)
        return Unscored(nothing, nothing, np.empty(0, dtype=np.int64), np.empty(0))
    return Unscored(
        np.concatenate([place for place, _ in pieces]),
        np.concatenate([column for _, column in pieces]),
        np.concatenate([ts_ms for ts_ms, _ in arrays]),
        np.concatenate([values for _, values in arrays]),
    )
