"""Raw samples of series groups: hot rows and blocks in one query, and numpy from there to matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from app.domain.samples import Float64s, Int64s, absent_array, is_absent
from app.domain.tenancy import TenantId
from app.promql.label_sets import LabelSets
from app.promql.select import SeriesBlock
from app.tsdb import blocks, hot
from app.tsdb.blocks import BLOCK_MS, moment
from app.tsdb.codec import Part, parts_of
from app.tsdb.hot import Rows
from app.tsdb.selection import Group

# A block that would be emptier than this, and is not small, is taken apart into its series.
LEAST_FILLED: Final = 0.25
SMALL_BLOCK_CELLS: Final = 65_536

# How many bytes the rows of groups may have that come in one piece, if they have a sample a second.
_PIECE_BYTES: Final = 128 * 1024 * 1024
_MOST_IN_PIECE: Final = 256
# Time, part and size of a row.
_ROW_BYTES: Final = 20

# Uses the index (group_id, ts) of each partition. Only the bytes between the first and the last wanted slot travel.
# The rows of a group come as one, and many groups together: a tuple for each row of 20,000 series takes us longer
# than to read them, and small pieces wake us for each.
# Not ordered: sorting rows of 2 kB takes the server longer than sorting their times takes us.
# One statement, so that what is compacted meanwhile is seen once, before or after.
_ROWS: Final = """
select null::int, null::bigint, string_agg(h.times, ''), string_agg(h.parts, ''), string_agg(h.slots, ''),
    string_agg(h.vals, ''), null::int, string_agg(h.sizes, ''),
    string_agg(int4send(h.group_id) || int4send(octet_length(h.sizes) / 4), '')
from (
    select s.group_id, string_agg(timestamptz_send(s.ts), '') as times, string_agg(int8send(s.part), '') as parts,
        string_agg(s.slots, '') as slots,
        string_agg(case when s.slots is null then substr(s.vals, g.first_byte, g.bytes) else s.vals end, '') as vals,
        string_agg(int4send(case when s.slots is null
            then least(g.bytes, greatest(0, octet_length(s.vals) - g.first_byte + 1))
            else -octet_length(s.vals) end), '') as sizes
    from unnest(%(groups)s::int[], %(first_bytes)s::int[], %(bytes)s::int[]) as g(group_id, first_byte, bytes)
    join sample_hot s on s.group_id = g.group_id
    where s.tenant_id = %(tenant)s and s.ts >= %(start)s and s.ts <= %(end)s
    group by s.group_id
) h
group by h.group_id / %(together)s
union all
select b.group_id, b.checksum, timestamptz_send(b.bucket), null, null, b.blob, b.version, null, null
from unnest(%(groups)s::int[]) as g(group_id)
join sample_blocks b on b.group_id = g.group_id
where b.tenant_id = %(tenant)s and b.bucket >= %(first_bucket)s and b.bucket < %(end)s
    and b.first_ts <= %(end)s and b.last_ts >= %(start)s
"""


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
        "together": _groups_in_piece(groups, end_ms - start_ms),
    }
    driver: Any = connection.connection.driver_connection
    with driver.cursor(binary=True) as cursor:
        # Planned each time, for these groups and times: the plan of a prepared statement is one for ten groups, and
        # sorts the rows of a thousand on disk.
        cursor.execute(_ROWS, parameters, prepare=False)
        rows = cursor.fetchall()
    found: dict[int, Raw] = {}
    for group_id, _, times, parts, slots, vals, _, sizes, heads in rows:
        if group_id is None:
            piece = hot.Piece(heads=heads, times=times, parts=parts, sizes=sizes, slots=slots, vals=vals)
            found.update((number, Raw(its)) for number, its in hot.rows_of(piece, first_slots).items())
    wanted = {group.group_id: group.slots for group in groups}
    for bucket_ms, (group_id, checksum, _, _, _, blob, version, *_) in sorted(_blocks_in(rows), key=itemgetter(0)):
        name = blocks.name_of(group_id, bucket_ms, version=version)
        its_parts = blocks.open_or_report(blob, checksum=checksum, slots=wanted[group_id], name=name, tenant=tenant)
        if its_parts:
            found.setdefault(group_id, Raw()).parts += its_parts
        found.setdefault(group_id, Raw()).buckets.append(bucket_ms)
    return found


def _groups_in_piece(groups: Sequence[Group], range_ms: int) -> int:
    """How many groups come together: a piece is one value, of at most 1 GB."""
    row_bytes = sum(8 * group.span + _ROW_BYTES for group in groups) / len(groups)
    return min(_MOST_IN_PIECE, max(1, int(_PIECE_BYTES / row_bytes / (1 + range_ms / 1000))))


def blocks_of_all(
    groups: Sequence[Group], found: Mapping[int, Raw], *, start_ms: int, end_ms: int
) -> list[SeriesBlock]:
    """The samples of the wanted series: those of groups with the same times together, where nothing is missing.

    `start_ms` and `end_ms` are those of the fetch().
    """
    together: dict[int, list[tuple[Group, Rows]]] = {}
    alone: list[Group] = []
    for group in groups:
        raw = found.get(group.group_id)
        if raw is None:
            continue
        rows = raw.rows
        if rows is not None and rows.even is not None and not raw.parts and _has_all(group, rows):
            together.setdefault(id(rows.even), []).append((group, rows))
        else:
            alone.append(group)
    result = []
    for members in together.values():
        block = _side_by_side(members)
        if block is None:
            alone += [group for group, _ in members]
        else:
            result.append(block)
    for group in alone:
        result += blocks_of(group, found[group.group_id], start_ms=start_ms, end_ms=end_ms)
    return result


def blocks_of(group: Group, raw: Raw, *, start_ms: int, end_ms: int) -> list[SeriesBlock]:
    """The samples of the wanted series: one block, or one for each series where a block would be mostly empty."""
    if raw.rows is None and not raw.parts:
        return []
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
    return [(int(hot.times_of(row[2])[0]), row) for row in rows if row[0] is not None]


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
    if _lacks(values):
        return None
    return [SeriesBlock(group.labels, times, values, is_apart=True)]


def _has_all(group: Group, rows: Rows) -> bool:
    """Whether the rows, if they are even, reach from the first of the wanted slots to the last."""
    return rows.first_slot <= group.first_slot and group.first_slot - rows.first_slot + group.span <= rows.width


def _side_by_side(members: Sequence[tuple[Group, Rows]]) -> SeriesBlock | None:
    """The most usual case: groups of the same times, which are those asked for. None if samples are missing."""
    members = sorted(members, key=lambda member: member[1].column)
    even = members[0][1].even
    assert even is not None
    values = even.values
    if not all(group.is_gapless for group, _ in members) or sum(group.span for group, _ in members) < values.shape[1]:
        values = values[:, np.concatenate([group.slots - rows.first_slot + rows.column for group, rows in members])]
    if _lacks(values):
        return None
    labels = LabelSets.joined([LabelSets.of(group.labels) for group, _ in members])
    return SeriesBlock(labels, even.ts_ms, values, is_apart=True)


def _lacks(values: Float64s) -> bool:
    """Whether any value is none."""
    with np.errstate(all="ignore"):
        # No number if any value is none: takes half as long as a look at each.
        total = np.add.reduce(values, axis=None)
    return bool(np.isnan(total) and is_absent(values).any())


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
