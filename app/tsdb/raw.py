"""Raw samples of series groups: hot rows and blocks in one query, and numpy from there to matrices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from app.domain.samples import Float64s, Int64s, absent_array, is_absent
from app.domain.tenancy import TenantId
from app.promql.select import SeriesBlock
from app.tsdb import blocks
from app.tsdb.blocks import BLOCK_MS, moment
from app.tsdb.codec import Part, parts_of
from app.tsdb.selection import Group

# A block that would be emptier than this, and is not small, is taken apart into its series.
LEAST_FILLED: Final = 0.25
SMALL_BLOCK_CELLS: Final = 65_536

# Uses the index (group_id, ts) of each partition. Only the bytes between the first and the last wanted slot travel.
# The rows of a group come as one: a tuple for each row of 20,000 series takes us longer than to read them.
# Not ordered: sorting rows of 2 kB takes the server longer than sorting their times takes us.
# One statement, so that what is compacted meanwhile is seen once, before or after.
_ROWS: Final = """
select s.group_id, null::bigint, string_agg(timestamptz_send(s.ts), ''), string_agg(int8send(s.part), ''),
    string_agg(s.slots, ''),
    string_agg(case when s.slots is null then substr(s.vals, g.first_byte, g.bytes) else s.vals end, ''), null::int,
    string_agg(int4send(case when s.slots is null
        then least(g.bytes, greatest(0, octet_length(s.vals) - g.first_byte + 1)) else -octet_length(s.vals) end), '')
from unnest(%(groups)s::int[], %(first_bytes)s::int[], %(bytes)s::int[]) as g(group_id, first_byte, bytes)
join sample_hot s on s.group_id = g.group_id
where s.tenant_id = %(tenant)s and s.ts >= %(start)s and s.ts <= %(end)s
group by s.group_id
union all
select b.group_id, b.checksum, timestamptz_send(b.bucket), null, null, b.blob, b.version, null
from unnest(%(groups)s::int[]) as g(group_id)
join sample_blocks b on b.group_id = g.group_id
where b.tenant_id = %(tenant)s and b.bucket >= %(first_bucket)s and b.bucket < %(end)s
    and b.first_ts <= %(end)s and b.last_ts >= %(start)s
"""
# Binary times count microseconds from 2000-01-01.
_PG_EPOCH_MS: Final = 946_684_800_000


class Rows(NamedTuple):
    """Rows of one group, ascending by time and then part. `vals[i]` begins at slot `first_slot` if slots[i] is None.

    Where all are dense, of one width and of different times they may be `matrix` (t, width) instead of lists.
    """

    ts_ms: Int64s
    slots: list[bytes | None]
    vals: list[bytes]
    first_slot: int
    matrix: Float64s | None = None


@dataclass
class Raw:
    """What there is of one group: hot rows, and the parts of its blocks in order of time."""

    rows: Rows | None = None
    parts: list[Part] = field(default_factory=list)
    buckets: list[int] = field(default_factory=list)  # the starts of its blocks, ms


class _Cells(NamedTuple):
    """Samples of a group one by one, the later of two for one cell behind the earlier; all arrays (m,)."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    values: Float64s


def fetch(
    connection: Connection, tenant: TenantId, groups: Sequence[Group], *, start_ms: int, end_ms: int
) -> dict[int, Raw]:
    """What each group has at start_ms <= ts <= end_ms; parts of blocks may reach beyond."""
    first_slots = {group.group_id: group.first_slot for group in groups}
    parameters = {
        "tenant": tenant,
        "start": moment(start_ms),
        "end": moment(end_ms),
        "first_bucket": moment(start_ms - BLOCK_MS),
        "groups": blocks.int_array(first_slots),
        "first_bytes": blocks.int_array(8 * slot + 1 for slot in first_slots.values()),
        "bytes": blocks.int_array(8 * group.span for group in groups),
    }
    driver: Any = connection.connection.driver_connection
    with driver.cursor(binary=True) as cursor:
        # Planned each time, for these groups and times: the plan of a prepared statement is one for ten groups, and
        # sorts the rows of a thousand on disk.
        cursor.execute(_ROWS, parameters, prepare=False)
        rows = cursor.fetchall()
    found = {group_id: Raw(its) for group_id, its in _hot_rows(rows, first_slots).items()}
    slots = {group.group_id: group.slots for group in groups}
    for bucket_ms, (group_id, checksum, _, _, _, blob, version, _) in sorted(_blocks_in(rows), key=itemgetter(0)):
        name = blocks.name_of(group_id, bucket_ms, version=version)
        parts = blocks.open_or_report(blob, checksum=checksum, slots=slots[group_id], name=name, tenant=tenant)
        if parts:
            found.setdefault(group_id, Raw()).parts += parts
        found.setdefault(group_id, Raw()).buckets.append(bucket_ms)
    return found


def _hot_rows(rows: Sequence[Any], first_slots: dict[int, int]) -> dict[int, Rows]:
    """The hot rows of each group, from what _ROWS answers."""
    hot = [row for row in rows if row[6] is None]
    if not hot:
        return {}
    # Of all groups at once: a handful of array calls for each of a thousand takes as long as the rest of a query.
    ts_ms = _times_of(b"".join([row[2] for row in hot]))
    widths = np.frombuffer(b"".join([row[7] for row in hot]), dtype=">i4")
    bounds = np.cumsum([0, *(len(row[2]) // 8 for row in hot)])
    firsts = bounds[:-1]
    least, most = np.minimum.reduceat(widths, firsts), np.maximum.reduceat(widths, firsts)
    steps = np.diff(ts_ms, append=ts_ms[-1])
    steps[bounds[1:] - 1] = 1  # from the last row of a group to the first of the next
    is_plain = ((least > 0) & (least == most)).tolist()
    is_ascending = (np.minimum.reduceat(steps, firsts) > 0).tolist()
    found: dict[int, Rows] = {}
    apart: list[Any] = []
    for number, (row, begin, end) in enumerate(zip(hot, firsts.tolist(), bounds[1:].tolist(), strict=True)):
        its = _as_matrix(row, ts_ms[begin:end], is_ascending=is_ascending[number]) if is_plain[number] else None
        if its is None:
            apart += _taken_apart(row)
        else:
            found[row[0]] = Rows(its[0], [], [], first_slots[row[0]], its[1])
    return found | by_group(apart, first_slots)


def _as_matrix(row: Any, ts_ms: Int64s, *, is_ascending: bool) -> tuple[Int64s, Float64s] | None:
    """The dense rows of a group in order of time; None when two are of the same."""
    matrix = np.frombuffer(row[5], dtype="<f8").reshape(len(ts_ms), -1)
    if is_ascending:
        return ts_ms, matrix
    order = np.argsort(ts_ms)
    ts_ms = ts_ms[order]
    return None if (np.diff(ts_ms) == 0).any() else (ts_ms, matrix[order])


def _taken_apart(row: Any) -> Iterator[tuple[int, float, int, bytes | None, bytes]]:
    """The rows that came as one, as by_group() takes them. The size of a sparse one is below zero."""
    group_id, _, times, parts, slots, vals, _, sizes = row
    at = slots_at = 0
    for second, part, size in zip(
        (_times_of(times) / 1000).tolist(),
        np.frombuffer(parts, dtype=">i8").tolist(),
        np.frombuffer(sizes, dtype=">i4").tolist(),
        strict=True,
    ):
        its_slots = slots[slots_at : slots_at - size // 8] if size < 0 else None
        yield group_id, second, part, its_slots, vals[at : at + abs(size)]
        at += abs(size)
        slots_at += len(its_slots or b"")


def _times_of(octets: bytes) -> Int64s:
    return np.frombuffer(octets, dtype=">i8").astype(np.int64) // 1000 + _PG_EPOCH_MS


def by_group(rows: Sequence[Any], first_slots: dict[int, int]) -> dict[int, Rows]:
    """Rows (group, seconds, part, slots, vals) of sample_hot, in order; `first_slots` is where dense ones begin."""
    if not rows:
        return {}
    group_ids, seconds, parts, slots, vals = zip(*(row[:5] for row in rows), strict=True)
    ids = np.array(group_ids, dtype=np.int64)
    ts_ms = np.rint(np.array(seconds) * 1000).astype(np.int64)
    order = np.lexsort((np.array(parts, dtype=np.int64), ts_ms, ids))
    ids, ts_ms = ids[order], ts_ms[order]
    ends = np.flatnonzero(np.diff(ids, append=-1)) + 1
    found, first = {}, 0
    for end_of_group in ends.tolist():
        chosen = order[first:end_of_group].tolist()
        group_id = int(ids[first])
        found[group_id] = Rows(
            ts_ms[first:end_of_group], [slots[i] for i in chosen], [vals[i] for i in chosen], first_slots[group_id]
        )
        first = end_of_group
    return found


def blocks_of(group: Group, raw: Raw, *, start_ms: int, end_ms: int) -> list[SeriesBlock]:
    """The samples of the wanted series: one block, or one for each series where a block would be mostly empty."""
    if raw.rows is None and not raw.parts:
        return []
    if raw.rows is not None and raw.rows.matrix is not None and not raw.parts:
        dense = _hot_alone(group, raw.rows, raw.rows.matrix)
    else:
        dense = _dense(group, raw, start_ms, end_ms)
    if dense is not None:
        return dense
    times, cells = _all_cells(group.slots, raw)
    is_asked = (times >= start_ms) & (times <= end_ms)
    if not is_asked.all():
        kept = is_asked[cells.rows]
        cells = _Cells(cells.rows[kept], cells.columns[kept], cells.values[kept])
    times, cells = _without_empty_rows(times, cells)
    size = len(times) * len(group.slots)
    if size > SMALL_BLOCK_CELLS and len(cells.values) < LEAST_FILLED * size:
        return [
            SeriesBlock((group.labels[int(part.slots[0])],), part.ts_ms, part.values, is_apart=True)
            for part in _column_by_column(times, cells)
        ]
    if not len(times):
        return []
    return [SeriesBlock(group.labels, times, _matrix(times, cells, len(group.slots)), is_apart=True)]


def merged(raw: Raw) -> list[Part]:
    """All samples of a group as parts that codec.encode_parts() takes; hot rows win over blocks."""
    rows = raw.rows
    if rows is not None and not raw.parts:
        matrix = _plain(rows)
        if matrix is not None:
            slots = np.arange(rows.first_slot, rows.first_slot + matrix.shape[1])
            return parts_of(Part(slots, rows.ts_ms, matrix))
    times, cells = _all_cells(np.arange(256), raw)
    if not len(cells.values):
        return []
    used = np.unique(cells.columns)
    if len(cells.values) < LEAST_FILLED * len(times) * len(used):
        return _column_by_column(times, cells)
    place = np.full(256, -1)
    place[used] = np.arange(len(used))
    matrix = _matrix(times, cells._replace(columns=place[cells.columns]), len(used))
    return parts_of(Part(used, times, matrix))


def _blocks_in(rows: Sequence[Any]) -> list[tuple[int, Any]]:
    """The rows that are blocks, each with the start of its hour in ms."""
    return [(int(_times_of(row[2])[0]), row) for row in rows if row[6] is not None]


def _plain(rows: Rows) -> Float64s | None:
    """The rows as they are, (t, width), if each has its own time and all are dense and of one width."""
    if rows.matrix is not None:
        return rows.matrix
    if any(slots is not None for slots in rows.slots) or (np.diff(rows.ts_ms) == 0).any():
        return None
    width = len(rows.vals[0])
    if any(len(vals) != width for vals in rows.vals):
        return None
    return np.frombuffer(b"".join(rows.vals), dtype="<f8").reshape(len(rows.vals), width // 8)


def _dense(group: Group, raw: Raw, start_ms: int, end_ms: int) -> list[SeriesBlock] | None:
    """The usual case: full pieces one after the other in time. None if it is another."""
    pieces = list(raw.parts)
    if raw.rows is not None:
        matrix = _plain(raw.rows)
        if matrix is None:
            return None
        first = raw.rows.first_slot
        pieces.append(Part(np.arange(first, first + matrix.shape[1]), raw.rows.ts_ms, matrix))
    matrices = []
    for piece in pieces:
        places = np.searchsorted(piece.slots, group.slots)
        if places.max() >= len(piece.slots) or (piece.slots[places] != group.slots).any():
            return None
        matrices.append(piece.values[:, places])
    times = np.concatenate([piece.ts_ms for piece in pieces])
    if (np.diff(times) <= 0).any():
        return None
    values = np.concatenate(matrices)
    begin, end = np.searchsorted(times, start_ms), np.searchsorted(times, end_ms, side="right")
    times, values = times[begin:end], values[begin:end]
    if not len(times):
        return []
    if np.isnan(values).any() and is_absent(values).any():
        return None
    return [SeriesBlock(group.labels, times, values, is_apart=True)]


def _hot_alone(group: Group, rows: Rows, matrix: Float64s) -> list[SeriesBlock] | None:
    """The most usual case: nothing but a matrix, whose times are those asked for. None if samples are missing."""
    width = matrix.shape[1]
    if group.first_slot - rows.first_slot + group.span > width:
        return None
    is_whole = group.is_gapless and group.first_slot == rows.first_slot and group.span == width
    values = matrix if is_whole else matrix[:, group.slots - rows.first_slot]
    with np.errstate(all="ignore"):
        # No number if any value is none: takes half as long as a look at each.
        total = np.add.reduce(values, axis=None)
    if np.isnan(total) and is_absent(values).any():
        return None
    return [SeriesBlock(group.labels, rows.ts_ms, values, is_apart=True)]


def _all_cells(wanted: NDArray[np.intp], raw: Raw) -> tuple[Int64s, _Cells]:
    """Every sample of the wanted slots: the times there are, and cells whose columns are places in `wanted`."""
    column_of = np.full(257, -1, dtype=np.intp)
    column_of[wanted] = np.arange(len(wanted))
    all_times = [part.ts_ms for part in raw.parts]
    if raw.rows is not None:
        all_times.append(raw.rows.ts_ms)
    times = np.unique(np.concatenate(all_times))
    cells = [_cells_of_part(part, np.searchsorted(times, part.ts_ms), column_of) for part in raw.parts]
    if raw.rows is not None:
        cells.append(_cells_of_rows(raw.rows, np.searchsorted(times, raw.rows.ts_ms), column_of))
    if len(cells) == 1:
        return times, cells[0]
    rows, columns, values = (np.concatenate(arrays) for arrays in zip(*cells, strict=True))
    return times, _Cells(rows, columns, values)


def _cells_of_part(part: Part, row_of: NDArray[np.intp], column_of: NDArray[np.intp]) -> _Cells:
    there = ~is_absent(part.values) & (column_of[part.slots] >= 0)
    rows, columns = np.nonzero(there)
    return _Cells(row_of[rows], column_of[part.slots][columns], part.values[there])


def _cells_of_rows(rows: Rows, row_of: NDArray[np.intp], column_of: NDArray[np.intp]) -> _Cells:
    """The samples of the wanted slots, in the order of the rows."""
    if rows.matrix is not None:
        slots_of = np.arange(rows.first_slot, rows.first_slot + rows.matrix.shape[1])
        return _cells_of_part(Part(slots_of, rows.ts_ms, rows.matrix), row_of, column_of)
    widths = np.array([len(vals) // 8 for vals in rows.vals], dtype=np.intp)
    is_dense = np.array([slots is None for slots in rows.slots])
    offsets = np.cumsum(widths) - widths
    values = np.frombuffer(b"".join(rows.vals), dtype="<f8")
    of_row = np.repeat(np.arange(len(widths)), widths)
    slots = np.arange(len(values)) - offsets[of_row] + rows.first_slot
    sparse = b"".join(slots for slots in rows.slots if slots is not None)
    if sparse:
        slots[~is_dense[of_row]] = np.frombuffer(sparse, dtype="u1")
    columns = column_of[slots]
    wanted = (columns >= 0) & ~is_absent(values)
    return _Cells(row_of[of_row[wanted]], columns[wanted], values[wanted])


def _matrix(times: Int64s, cells: _Cells, width: int) -> Float64s:
    matrix = absent_array((len(times), width))
    # Of two values for one cell numpy keeps the last, which is the later sample.
    matrix[cells.rows, cells.columns] = cells.values
    return matrix


def _without_empty_rows(times: Int64s, cells: _Cells) -> tuple[Int64s, _Cells]:
    """Times at which only other series of the group have samples are none of ours."""
    is_used = np.zeros(len(times), dtype=bool)
    is_used[cells.rows] = True
    if is_used.all():
        return times, cells
    return times[is_used], cells._replace(rows=(np.cumsum(is_used) - 1)[cells.rows])


def _column_by_column(times: Int64s, cells: _Cells) -> list[Part]:
    order = np.lexsort((cells.rows, cells.columns))
    rows, columns, values = cells.rows[order], cells.columns[order], cells.values[order]
    # The sort is stable: of several samples for one cell the last is the later.
    is_last = (np.diff(rows, append=-1) != 0) | (np.diff(columns, append=-1) != 0)
    rows, columns, values = rows[is_last], columns[is_last], values[is_last]
    present, firsts = np.unique(columns, return_index=True)
    ends = np.append(firsts[1:], len(columns))
    return [
        Part(np.array([column]), times[rows[first:end]], values[first:end, None])
        for column, first, end in zip(present.tolist(), firsts.tolist(), ends.tolist(), strict=True)
    ]
