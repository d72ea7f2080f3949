"""Reading rollups: where they answer as exactly as samples, and in place of samples that are gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from app.domain.samples import Float64s, Int64s, absent_array, is_absent
from app.domain.tenancy import TenantId
from app.promql.rollups import STATS, RollupBlock
from app.promql.select import SeriesBlock
from app.tsdb import raw, rollups
from app.tsdb.blocks import BLOCK_MS, bucket_of, moment
from app.tsdb.codec import Part
from app.tsdb.raw import Raw
from app.tsdb.rollups import TIERS, Cells
from app.tsdb.selection import Group

# Of less time than this samples are read: there are few, and the newest are in no rollup yet.
LEAST_MS: Final = 86_400_000
_INDEX: Final = {name: index for index, name in enumerate(STATS)}

_FRESH = text("""
select distinct (ceil(extract(epoch from s.ts) * 1000 / :length) - 1)::bigint as bucket
from unnest(cast(:groups as int[])) as g(group_id) join sample_hot s on s.group_id = g.group_id
where s.tenant_id = :tenant and s.ts > :start and s.ts <= :end order by 1
""")
_UNCOVERED = text("""
select r.group_id, r.bucket from unnest(cast(:groups as int[])) as g(group_id)
join sample_rollups r on r.group_id = g.group_id
where r.tenant_id = :tenant and r.tier = :tier and r.bucket >= :first and r.bucket < :end
    and not exists (select 1 from sample_blocks b
        where b.tenant_id = :tenant and b.group_id = r.group_id and b.bucket = r.bucket)
""")


def tier_for(unit_ms: int) -> int | None:
    """The coarsest tier (seconds) whose buckets end wherever a multiple of `unit_ms` is."""
    return next((tier for tier in reversed(TIERS) if unit_ms > 0 and unit_ms % (tier * 1000) == 0), None)


def select(
    connection: Connection,
    tenant: TenantId,
    groups: Sequence[Group],
    *,
    tier: int,
    start_ms: int,
    end_ms: int,
    stats: Sequence[str],
) -> list[RollupBlock] | None:
    """The buckets of a tier in (start, end]; what is not compacted yet is rolled up here. None if that is the most."""
    fresh = _fresh_spans(connection, tenant, groups, tier=tier, start_ms=start_ms, end_ms=end_ms)
    if sum(last - first for first, last in fresh) * 2 > max(end_ms - start_ms, 2 * LEAST_MS):
        return None
    slots: dict[int, NDArray[np.intp] | None] = {group.group_id: np.sort(group.slots) for group in groups}
    found = rollups.read(connection, tenant, slots, tier=tier, start_ms=start_ms, end_ms=end_ms, stats=stats)
    if _is_gone(connection, tenant, slots, found, tier=tier, start_ms=start_ms, end_ms=end_ms):
        return None
    return _with_fresh(connection, tenant, groups, found, fresh, tier=tier, start_ms=start_ms, end_ms=end_ms)


def everything(
    connection: Connection,
    tenant: TenantId,
    groups: Sequence[Group],
    *,
    tier: int,
    start_ms: int,
    end_ms: int,
    stats: Sequence[str],
) -> list[RollupBlock]:
    """The same for who wants buckets and nothing else: never refused, however much has to be rolled up here.

    To the bit what compaction makes of the same samples later: that sums of sums differ from sums in the last digit.
    """
    fresh = _fresh_spans(connection, tenant, groups, tier=tier, start_ms=start_ms, end_ms=end_ms)
    slots: dict[int, NDArray[np.intp] | None] = {group.group_id: np.sort(group.slots) for group in groups}
    found = rollups.read(connection, tenant, slots, tier=tier, start_ms=start_ms, end_ms=end_ms, stats=stats)
    return _with_fresh(
        connection, tenant, groups, found, fresh, tier=tier, start_ms=start_ms, end_ms=end_ms, stepwise=True
    )


def instead_of_samples(
    connection: Connection,
    tenant: TenantId,
    groups: Sequence[Group],
    found: Mapping[int, Raw],
    *,
    start_ms: int,
    end_ms: int,
) -> list[SeriesBlock]:
    """Where the samples are gone: the first and the last sample of each bucket of the finest tier that is left."""
    covered = {
        group.group_id: set(found[group.group_id].buckets if group.group_id in found else ()) for group in groups
    }
    result: list[SeriesBlock] = []
    for tier in TIERS:
        if tier == TIERS[0]:
            lacking = _uncovered(connection, tenant, groups, start_ms, end_ms)
        else:
            lacking = [group for group in groups if min(covered[group.group_id], default=end_ms) > start_ms]
        if not lacking:
            continue
        slots: dict[int, NDArray[np.intp] | None] = {group.group_id: np.sort(group.slots) for group in lacking}
        wanted = ("first", "last", "first_ms", "last_ms")
        rows = rollups.read(connection, tenant, slots, tier=tier, start_ms=start_ms - 1, end_ms=end_ms, stats=wanted)
        for group in lacking:
            mine = covered[group.group_id]
            for cells in rows.get(group.group_id, ()):
                kept = _not_in(cells, mine, tier)
                result += _ends_as_samples(group, kept, tier, start_ms, end_ms)
            for cells in rows.get(group.group_id, ()):
                mine.update(bucket_of(end, BLOCK_MS) for end in cells.end_ms.tolist())
    return result


def _with_fresh(
    connection: Connection,
    tenant: TenantId,
    groups: Sequence[Group],
    found: dict[int, list[Cells]],
    fresh: Sequence[tuple[int, int]],
    *,
    tier: int,
    start_ms: int,
    end_ms: int,
    stepwise: bool = False,
) -> list[RollupBlock]:
    """The stored cells, with those of the spans that have hot rows rolled up anew."""
    for first, last in fresh:
        found = {group_id: [rollups.without(its, first, last) for its in cells] for group_id, cells in found.items()}
    for first, last in fresh:
        there = raw.fetch(connection, tenant, groups, start_ms=first + 1, end_ms=last)
        for group in groups:
            if group.group_id in there:
                parts = _parts_of(group, there[group.group_id], first + 1, last)
                found.setdefault(group.group_id, []).append(_rolled_up(parts, tier, stepwise=stepwise))
    return [
        _as_block(group, rollups.union(found[group.group_id]), tier, start_ms, end_ms)
        for group in groups
        if group.group_id in found
    ]


def _rolled_up(parts: Sequence[Part], tier: int, *, stepwise: bool) -> Cells:
    """The cells of a tier; `stepwise` by way of each finer one, as compaction does."""
    if not stepwise:
        return rollups.of_samples(parts, tier)
    cells = rollups.of_samples(parts, TIERS[0])
    for finer, coarser in pairwise(TIERS[: TIERS.index(tier) + 1]):
        cells = rollups.coarser(cells, coarser, finer=finer)
    return cells


def _fresh_spans(
    connection: Connection, tenant: TenantId, groups: Sequence[Group], *, tier: int, start_ms: int, end_ms: int
) -> list[tuple[int, int]]:
    """The times with hot rows, as (start, end] of whole blocks and whole buckets, within what is asked."""
    length_ms = max(BLOCK_MS, tier * 1000)
    ids = [group.group_id for group in groups]
    parameters = {"tenant": tenant, "groups": ids, "start": moment(start_ms), "end": moment(end_ms)}
    spans: list[tuple[int, int]] = []
    for bucket in connection.scalars(_FRESH, {**parameters, "length": length_ms}):
        first, last = max(start_ms, int(bucket) * length_ms), min(end_ms, (int(bucket) + 1) * length_ms)
        if spans and spans[-1][1] == first:
            spans[-1] = (spans[-1][0], last)
        else:
            spans.append((first, last))
    return spans


def _is_gone(
    connection: Connection,
    tenant: TenantId,
    slots: Mapping[int, NDArray[np.intp] | None],
    found: Mapping[int, Sequence[Cells]],
    *,
    tier: int,
    start_ms: int,
    end_ms: int,
) -> bool:
    """Whether the next tier has buckets from before the first of this one, whose term is over then."""
    if tier == TIERS[-1]:
        return False
    firsts = {
        group_id: min((int(cells.end_ms[0]) - tier * 1000 for cells in found.get(group_id, ())), default=end_ms)
        for group_id in slots
    }
    until_ms = max(firsts.values())
    if until_ms <= start_ms:
        return False
    next_tier = TIERS[TIERS.index(tier) + 1]
    rows = rollups.read(connection, tenant, slots, tier=next_tier, start_ms=start_ms, end_ms=until_ms, stats=())
    return any(
        bool(
            (~is_absent(cells.stats[0]).all(axis=1) & (cells.end_ms > start_ms))[cells.end_ms <= firsts[group_id]].any()
        )
        for group_id, its in rows.items()
        for cells in its
    )


def _parts_of(group: Group, there: Raw, start_ms: int, end_ms: int) -> list[Part]:
    slot_of = dict(zip(group.labels, group.slots.tolist(), strict=True))
    parts = []
    for block in raw.blocks_of(group, there, start_ms=start_ms, end_ms=end_ms):
        slots = np.array([slot_of[labels] for labels in block.labels])
        order = np.argsort(slots)
        parts.append(Part(slots[order], block.ts_ms, block.values[:, order]))
    return parts


def _as_block(group: Group, cells: Cells, tier: int, start_ms: int, end_ms: int) -> RollupBlock:
    """In the order of the group's series, and nothing outside (start, end]."""
    kept = (cells.end_ms > start_ms) & (cells.end_ms <= end_ms)
    places = np.searchsorted(cells.slots, group.slots)
    known = places < len(cells.slots)
    known[known] = cells.slots[places[known]] == group.slots[known]
    stats = absent_array((len(STATS), int(kept.sum()), len(group.slots)))
    stats[:, :, known] = cells.stats[:, kept][:, :, places[known]]
    return RollupBlock(group.labels, tier * 1000, cells.end_ms[kept], dict(zip(STATS, stats, strict=True)))


def _uncovered(
    connection: Connection, tenant: TenantId, groups: Sequence[Group], start_ms: int, end_ms: int
) -> list[Group]:
    """The groups that have rollups of the finest tier where there is no block."""
    parameters: dict[str, Any] = {
        "tenant": tenant,
        "tier": TIERS[0],
        "groups": [group.group_id for group in groups],
        "first": moment(bucket_of(start_ms)),
        "end": moment(end_ms),
    }
    lacking = {row.group_id for row in connection.execute(_UNCOVERED, parameters)}
    return [group for group in groups if group.group_id in lacking]


def _not_in(cells: Cells, covered: set[int], tier: int) -> Cells:
    """The cells none of whose time is covered by a finer resolution."""
    lasts = cells.end_ms
    steps = range(0, tier * 1000, BLOCK_MS)
    kept = np.array([not any(bucket_of(end - back) in covered for back in steps) for end in lasts.tolist()], dtype=bool)
    return Cells(cells.slots, cells.end_ms[kept], cells.stats[:, kept])


def _ends_as_samples(group: Group, cells: Cells, tier: int, start_ms: int, end_ms: int) -> list[SeriesBlock]:
    """The first and last samples of cells, as a block of series."""
    if not cells.any():
        return []
    there = ~is_absent(cells.stats[0])
    _, columns = np.nonzero(there)
    both_ms = np.concatenate([_at(cells, "first_ms", there), _at(cells, "last_ms", there)]).astype(np.int64)
    values = np.concatenate([_at(cells, "first", there), _at(cells, "last", there)])
    columns = np.concatenate([columns, columns])
    asked = (both_ms >= start_ms) & (both_ms <= end_ms)
    times: Int64s = np.unique(both_ms[asked])
    if not len(times):
        return []
    matrix = absent_array((len(times), len(group.slots)))
    place = np.argsort(group.slots)
    matrix[np.searchsorted(times, both_ms[asked]), place[columns[asked]]] = values[asked]
    return [SeriesBlock(group.labels, times, matrix, tier * 1000)]


def _at(cells: Cells, name: str, there: NDArray[np.bool_]) -> Float64s:
    found: Float64s = cells.stats[_INDEX[name]][there]
    return found
