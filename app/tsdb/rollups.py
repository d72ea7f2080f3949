"""Rollups in the database: cells of a group packed into rows, and how the cells of a coarser tier come from a finer.

A row is packed as a block is: each statistic of each slot is a column. A column that says what another one says
already (the least of a counter is its first) is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from app.domain.samples import ABSENT, Float64s, Int64s, absent_array, is_absent
from app.domain.tenancy import TenantId
from app.promql.rollups import STATS, RollupBlock, combine, roll_up
from app.tsdb import blocks, codec
from app.tsdb.blocks import BLOCK_MS, Packed, moment
from app.tsdb.codec import Part
from app.tsdb.unpacked import MOST_GROUPS, Row, Unpacked, Wanted

DAY_MS: Final = 86_400_000
# tier in seconds -> what one row of it holds, in ms.
ROW_MS: Final[Mapping[int, int]] = {300: BLOCK_MS, 3600: DAY_MS, 86_400: 30 * DAY_MS}
TIERS: Final = tuple(ROW_MS)
NAMES: Final[Mapping[int, str]] = {0: "raw", 300: "5m", 3600: "1h", 86_400: "1d"}

_SLOTS: Final = 256
_INDEX: Final = {name: index for index, name in enumerate(STATS)}
# column -> the one that it repeats if it is not there; a column of nothing lost is left out too.
_REPEATS: Final = (("last", "first"), ("min", "first"), ("max", "last"), ("sum", "first"))
# What the process has unpacked already is not sent again.
_READ: Final = """
select r.group_id, (extract(epoch from r.bucket) * 1000)::bigint, r.version, r.checksum,
    case when k.version = r.version and k.checksum = r.checksum then null else r.blob end
from unnest(%(groups)s::int[]) as g(group_id)
join sample_rollups r on r.group_id = g.group_id
left join unnest(%(known_groups)s::int[], %(known_buckets)s::timestamptz[], %(known_versions)s::int[],
    %(known_checksums)s::bigint[]) as k(group_id, bucket, version, checksum)
    on k.group_id = r.group_id and k.bucket = r.bucket
where r.tenant_id = %(tenant)s and r.tier = %(tier)s and r.bucket >= %(first)s and r.bucket < %(end)s
"""


@dataclass(frozen=True)
class Cells:
    """Rollups of one group: `slots` (s,) ascending, `end_ms` (b,) ascending, `stats` (9, b, s) as STATS names them."""

    slots: NDArray[np.intp]
    end_ms: Int64s
    stats: Float64s

    def any(self) -> bool:
        """Whether there is any sample: a bucket may hold nothing but stale markers."""
        return not is_absent(self.stats[0]).all()


_unpacked: Final[Unpacked[Cells]] = Unpacked()


def of_samples(parts: Iterable[Part], tier: int) -> Cells:
    """The rollups of samples; each slot's are in one part, or in parts that share no bucket."""
    rolled = []
    for part in parts:
        ends, stats = roll_up(part.ts_ms, part.values, tier * 1000)
        rolled.append(Cells(part.slots, ends, np.stack([stats[name] for name in STATS])))
    return union(rolled)


def coarser(cells: Cells, tier: int, *, finer: int) -> Cells:
    """The rollups of a coarser tier from all of a finer."""
    stats = dict(zip(STATS, cells.stats, strict=True))
    made = combine(RollupBlock((), finer * 1000, cells.end_ms, stats), tier * 1000)
    return Cells(cells.slots, made.end_ms, np.stack([made.stats[name] for name in STATS]))


def union(pieces: Sequence[Cells]) -> Cells:
    """All cells together; of two for one slot and bucket that of the later piece."""
    if len(pieces) == 1:
        return pieces[0]
    if not pieces:
        return Cells(np.empty(0, dtype=np.intp), np.empty(0, dtype=np.int64), absent_array((len(STATS), 0, 0)))
    slots = np.unique(np.concatenate([piece.slots for piece in pieces]))
    end_ms = np.unique(np.concatenate([piece.end_ms for piece in pieces]))
    stats = absent_array((len(STATS), len(end_ms), len(slots)))
    for piece in pieces:
        rows, columns = np.searchsorted(end_ms, piece.end_ms), np.searchsorted(slots, piece.slots)
        there = ~is_absent(piece.stats[0])
        cell_rows, cell_columns = np.nonzero(there)
        stats[:, rows[cell_rows], columns[cell_columns]] = piece.stats[:, cell_rows, cell_columns]
    return Cells(slots, end_ms, stats)


def added(old: Cells, new: Cells) -> Cells:
    """The cells of samples that came after the samples of the old cells had gone: both together."""
    if not (old.any() and new.any()):
        return new if new.any() else old
    frame = union([old, new])
    a, b = _in_frame(frame, old), _in_frame(frame, new)
    both = ~is_absent(a["count"]) & ~is_absent(b["count"])
    of_a = {"first": a["first_ms"] <= b["first_ms"], "last": a["last_ms"] > b["last_ms"]}
    of_a |= {"first_ms": of_a["first"], "last_ms": of_a["last"]}
    stats = dict(zip(STATS, frame.stats, strict=True))
    for name in STATS:
        with np.errstate(invalid="ignore"):
            if name in of_a:
                together = np.where(of_a[name], a[name], b[name])
            elif name in ("min", "max"):
                together = (np.fmin if name == "min" else np.fmax)(a[name], b[name])
            else:
                together = a[name] + b[name]
        stats[name] = np.where(both, together, stats[name])
    return Cells(frame.slots, frame.end_ms, np.stack([stats[name] for name in STATS]))


def without(cells: Cells, start_ms: int, end_ms: int) -> Cells:
    """The cells outside (start, end]."""
    kept = (cells.end_ms <= start_ms) | (cells.end_ms > end_ms)
    return Cells(cells.slots, cells.end_ms[kept], cells.stats[:, kept])


def within(cells: Cells, start_ms: int, end_ms: int) -> Cells:
    """The cells of (start, end]."""
    kept = (cells.end_ms > start_ms) & (cells.end_ms <= end_ms)
    return Cells(cells.slots, cells.end_ms[kept], cells.stats[:, kept])


def pack(group_id: int, bucket_ms: int, cells: Cells, tier: int) -> Packed:
    """A row of rollups, encoded."""
    stats = dict(zip(STATS, cells.stats, strict=True))
    ends = cells.end_ms[:, None].astype(np.float64)
    last_ms = stats["last_ms"]
    nothing = is_absent(stats["count"])
    first_ms = stats["first_ms"]
    first, last = first_ms[~nothing].min(), last_ms[~nothing].max()
    # ABSENT is a signalling NaN: it is put back, not calculated with.
    with np.errstate(invalid="ignore"):
        stats["first_ms"] = np.where(nothing, first_ms, first_ms - (ends - tier * 1000))
        stats["last_ms"] = np.where(nothing, last_ms, ends - last_ms)
    needed = {name: np.ones(len(cells.slots), dtype=bool) for name in STATS}
    needed["lost"] = ~((stats["lost"] == 0) | nothing).all(axis=0)
    for name, other in _REPEATS:
        needed[name] = (_bits(stats[name]) != _bits(stats[other])).any(axis=0)
    slots = np.concatenate([_INDEX[name] * _SLOTS + cells.slots[needed[name]] for name in STATS])
    matrix = np.concatenate([stats[name][:, needed[name]] for name in STATS], axis=1)
    blob = codec.encode_parts(codec.parts_of(Part(slots, cells.end_ms, matrix)))
    return Packed(group_id, bucket_ms, int(first), int(last), int(stats["count"][~nothing].sum()), blob)


def unpack(parts: Sequence[Part], tier: int, slots: NDArray[np.intp] | None = None) -> Cells:
    """The cells of a row; of the slots that are asked for, whichever statistics were read."""
    columns = np.concatenate([part.slots for part in parts])
    found = np.unique(columns % _SLOTS) if slots is None else np.unique(slots)
    end_ms = np.unique(np.concatenate([part.ts_ms for part in parts])) if len(parts) > 1 else parts[0].ts_ms
    stats = absent_array((len(STATS), len(end_ms), len(found)))
    is_known = np.zeros((len(STATS), len(found)), dtype=bool)
    for part in parts:
        which, place = part.slots // _SLOTS, np.searchsorted(found, part.slots % _SLOTS)
        rows = np.searchsorted(end_ms, part.ts_ms)
        stats[which[None, :], rows[:, None], place[None, :]] = part.values
        is_known[which, place] = True
    nothing = is_absent(stats[0])
    for name, other in _REPEATS:
        missing = ~is_known[_INDEX[name]]
        stats[_INDEX[name]][:, missing] = stats[_INDEX[other]][:, missing]
    lost = stats[_INDEX["lost"]]
    lost[:, ~is_known[_INDEX["lost"]]] = 0.0
    ends = end_ms[:, None].astype(np.float64)
    first_ms, last_ms = stats[_INDEX["first_ms"]], stats[_INDEX["last_ms"]]
    with np.errstate(invalid="ignore"):
        first_ms += ends - tier * 1000
        np.subtract(ends, last_ms, out=last_ms)
    stats[:, nothing] = ABSENT
    return Cells(found, end_ms, stats)


def read(
    connection: Connection,
    tenant: TenantId,
    groups: Mapping[int, NDArray[np.intp] | None],
    *,
    tier: int,
    start_ms: int,
    end_ms: int,
    stats: Sequence[str] = STATS,
) -> dict[int, list[Cells]]:
    """The rows whose buckets touch (start, end], in order of time; of each group the slots given, or all (None).

    `stats` beside the count are read; a row that is broken is reported and left out.
    """
    first_ms = blocks.bucket_of(start_ms + 1, ROW_MS[tier])
    wanted = _with_repeated(stats)
    asked = {
        group_id: Wanted(group_id, tier, slots.tobytes(), wanted.tobytes())
        for group_id, slots in groups.items()
        if slots is not None and len(groups) <= MOST_GROUPS
    }
    known = _unpacked.of(tenant, list(asked.values()))
    rows = _rows(connection, tenant, list(groups), known, tier=tier, first_ms=first_ms, end_ms=end_ms)
    found: dict[int, list[Cells]] = {}
    fresh: dict[int, list[tuple[int, Row[Cells]]]] = {}
    for group_id, bucket_ms, version, checksum, blob in sorted(rows, key=itemgetter(1)):
        if blob is None:
            found.setdefault(group_id, []).append(known[group_id][bucket_ms].content)
            continue
        slots = groups[group_id]
        columns = None if slots is None else (wanted[:, None] * _SLOTS + np.unique(slots)[None, :]).ravel()
        name = blocks.name_of(group_id, bucket_ms, version=version, tier=tier)
        parts = blocks.open_or_report(blob, checksum=checksum, slots=columns, name=name, tenant=tenant)
        if parts:
            cells = unpack(parts, tier, slots)
            found.setdefault(group_id, []).append(cells)
            if group_id in asked:
                fresh.setdefault(group_id, []).append((bucket_ms, _to_keep(version, checksum, cells)))
    for group_id, its in fresh.items():
        _unpacked.keep(tenant, asked[group_id], its)
    return found


def _rows(
    connection: Connection,
    tenant: TenantId,
    groups: Sequence[int],
    known: Mapping[int, Mapping[int, Row[Cells]]],
    *,
    tier: int,
    first_ms: int,
    end_ms: int,
) -> list[Any]:
    """Group, bucket in ms, version, checksum and blob of each row in [first, end): None for one that is known."""
    again = [
        (group_id, ms, row) for group_id, its in known.items() for ms, row in its.items() if first_ms <= ms < end_ms
    ]
    parameters = {
        "tenant": tenant,
        "tier": tier,
        "groups": groups,
        "first": moment(first_ms),
        "end": moment(end_ms),
        "known_groups": [group_id for group_id, _, _ in again],
        "known_buckets": [moment(ms) for _, ms, _ in again],
        "known_versions": [row.version for _, _, row in again],
        "known_checksums": [row.checksum for _, _, row in again],
    }
    driver: Any = connection.connection.driver_connection
    with driver.cursor(binary=True) as cursor:
        cursor.execute(_READ, parameters)
        rows: list[Any] = cursor.fetchall()
        return rows


def _to_keep(version: int, checksum: int, cells: Cells) -> Row[Cells]:
    arrays = (cells.slots, cells.end_ms, cells.stats)
    for array in arrays:
        array.flags.writeable = False
    return Row(version, checksum, cells, 500 + sum(array.nbytes for array in arrays))


def _in_frame(frame: Cells, cells: Cells) -> dict[str, Float64s]:
    stats = absent_array(frame.stats.shape)
    rows, columns = np.searchsorted(frame.end_ms, cells.end_ms), np.searchsorted(frame.slots, cells.slots)
    stats[:, rows[:, None], columns[None, :]] = cells.stats
    return dict(zip(STATS, stats, strict=True))


def _with_repeated(stats: Sequence[str]) -> NDArray[np.intp]:
    names = {"count", *stats}
    for name, other in reversed(_REPEATS):
        if name in names:
            names.add(other)
    return np.array(sorted(_INDEX[name] for name in names))


def _bits(values: Float64s) -> NDArray[np.uint64]:
    return np.ascontiguousarray(values).view(np.uint64)
