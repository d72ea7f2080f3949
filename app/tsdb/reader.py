"""Reading samples back: one query for the rows of all selected groups, and numpy from there to matrices."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from app.domain.labels import Labels, Matcher, value_of
from app.domain.samples import Float64s, Int64s, Metadata, absent_array, is_absent
from app.domain.tenancy import TenantId
from app.promql.select import SeriesBlock
from app.tsdb.selection import Group, select_series
from models.session import tenant_connection

# A block that would be emptier than this, and is not small, is taken apart into its series.
LEAST_FILLED: Final = 0.25
SMALL_BLOCK_CELLS: Final = 65_536

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MS: Final = -62_135_596_800_000  # year 1
_LAST_MS: Final = 253_402_300_799_999  # year 9999

# Uses the index (group_id, ts) of each partition. Only the bytes between the first and the last wanted slot travel.
# Not ordered here: sorting rows of 2 kB takes the server longer than sorting their times takes us.
_ROWS: Final = """
select s.group_id, date_part('epoch', s.ts), s.part, s.slots,
    case when s.slots is null then substr(s.vals, g.first_byte, g.bytes) else s.vals end
from unnest(%(groups)s::int[], %(first_bytes)s::int[], %(bytes)s::int[]) as g(group_id, first_byte, bytes)
join sample_hot s on s.group_id = g.group_id
where s.tenant_id = %(tenant)s and s.ts >= %(start)s and s.ts <= %(end)s
"""
_ALIVE: Final = (
    "exists (select from sample_hot h where h.tenant_id = :tenant and h.group_id = g.id"
    " and h.ts >= :start and h.ts <= :end)"
)
_ALIVE_AMONG = text(f"select g.id from unnest(cast(:groups as int[])) as g(id) where {_ALIVE}")  # noqa: S608  constants
_ALIVE_GROUPS = f"(select g.id from series_groups g where g.tenant_id = :tenant and {_ALIVE})"  # noqa: S608  constants
_NAMES = text(
    "select distinct jsonb_object_keys(labels) as text from series"  # noqa: S608  constants
    f" where tenant_id = :tenant and group_id in {_ALIVE_GROUPS} order by 1"
)
_VALUES = text(
    "select distinct labels ->> :name from series"  # noqa: S608  constants
    f" where tenant_id = :tenant and labels ->> :name is not null and group_id in {_ALIVE_GROUPS} order by 1"
)
_METADATA = text(
    "select metric, kind, help, unit from metric_metadata"
    " where tenant_id = :tenant and (:metric = '' or metric = :metric) order by metric"
)


class _Rows(NamedTuple):
    """Rows of one group, ascending by time and then part. `vals[i]` begins at slot `first_slot` if slots[i] is None."""

    ts_ms: Int64s
    slots: list[bytes | None]
    vals: list[bytes]
    first_slot: int


class _Cells(NamedTuple):
    """Samples of a group one by one, the later of two for one cell behind the earlier; all arrays (m,)."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    values: Float64s


class Reader:
    """The samples of one tenant; a SeriesSource for the PromQL engine."""

    def __init__(self, tenant: TenantId) -> None:
        self.tenant = tenant

    def select(self, matchers: Sequence[Matcher], *, start_ms: int, end_ms: int) -> list[SeriesBlock]:
        """The series that satisfy all matchers, with their samples at start_ms <= ts <= end_ms."""
        with tenant_connection(self.tenant, read_only=True) as connection:
            groups = select_series(connection, self.tenant, matchers)
            fetched = _fetch(connection, self.tenant, groups, *_moments(start_ms, end_ms)) if groups else {}
        return [
            block
            for group in groups
            if group.group_id in fetched
            for block in _blocks_of(group, fetched[group.group_id])
        ]

    def series(self, matcher_sets: Sequence[Sequence[Matcher]], *, start_ms: int, end_ms: int) -> list[Labels]:
        """The series of any of the sets whose group has samples in the range, ascending."""
        found: set[Labels] = set()
        with tenant_connection(self.tenant, read_only=True) as connection:
            for matchers in matcher_sets:
                groups = select_series(connection, self.tenant, matchers)
                alive = self._alive(connection, [group.group_id for group in groups], start_ms, end_ms)
                for group in groups:
                    if group.group_id in alive:
                        found.update(group.labels)
        return sorted(found)

    def label_names(self, matcher_sets: Sequence[Sequence[Matcher]], *, start_ms: int, end_ms: int) -> list[str]:
        """The names of all labels of the series that series() would answer; without sets, of all series."""
        if matcher_sets:
            series = self.series(matcher_sets, start_ms=start_ms, end_ms=end_ms)
            return sorted({name for labels in series for name, _ in labels})
        with tenant_connection(self.tenant, read_only=True) as connection:
            return list(connection.scalars(_NAMES, self._range(start_ms, end_ms)))

    def label_values(
        self, name: str, matcher_sets: Sequence[Sequence[Matcher]], *, start_ms: int, end_ms: int
    ) -> list[str]:
        """The values of one label, of the same series."""
        if matcher_sets:
            series = self.series(matcher_sets, start_ms=start_ms, end_ms=end_ms)
            return sorted({value for labels in series if (value := value_of(labels, name))})
        with tenant_connection(self.tenant, read_only=True) as connection:
            return list(connection.scalars(_VALUES, {"name": name, **self._range(start_ms, end_ms)}))

    def metadata(self, metric: str = "") -> list[Metadata]:
        """What senders said about one metric, or about all."""
        with tenant_connection(self.tenant, read_only=True) as connection:
            rows = connection.execute(_METADATA, {"tenant": self.tenant, "metric": metric})
            return [Metadata(row.metric, row.kind, row.help, row.unit) for row in rows]

    def _alive(self, connection: Connection, groups: list[int], start_ms: int, end_ms: int) -> set[int]:
        return set(connection.scalars(_ALIVE_AMONG, {"groups": groups, **self._range(start_ms, end_ms)}))

    def _range(self, start_ms: int, end_ms: int) -> dict[str, Any]:
        start, end = _moments(start_ms, end_ms)
        return {"tenant": self.tenant, "start": start, "end": end}


def _moments(start_ms: int, end_ms: int) -> tuple[datetime, datetime]:
    """Exact, and within what a datetime can say."""
    first, last = (min(max(ms, _FIRST_MS), _LAST_MS) for ms in (start_ms, end_ms))
    return _EPOCH + timedelta(milliseconds=first), _EPOCH + timedelta(milliseconds=last)


def _fetch(
    connection: Connection, tenant: TenantId, groups: Sequence[Group], start: datetime, end: datetime
) -> dict[int, _Rows]:
    first_slots = {group.group_id: int(group.slots.min()) for group in groups}
    parameters = {
        "tenant": tenant,
        "start": start,
        "end": end,
        "groups": list(first_slots),
        "first_bytes": [8 * slot + 1 for slot in first_slots.values()],
        "bytes": [8 * int(np.ptp(group.slots) + 1) for group in groups],
    }
    driver: Any = connection.connection.driver_connection
    with driver.cursor(binary=True) as cursor:
        cursor.execute(_ROWS, parameters)
        rows = cursor.fetchall()
    if not rows:
        return {}
    group_ids, seconds, parts, slots, vals = zip(*rows, strict=True)
    ids = np.array(group_ids, dtype=np.int64)
    ts_ms = np.rint(np.array(seconds) * 1000).astype(np.int64)
    order = np.lexsort((np.array(parts, dtype=np.int64), ts_ms, ids))
    ids, ts_ms = ids[order], ts_ms[order]
    ends = np.flatnonzero(np.diff(ids, append=-1)) + 1
    fetched, first = {}, 0
    for end_of_group in ends.tolist():
        chosen = order[first:end_of_group].tolist()
        group_id = int(ids[first])
        fetched[group_id] = _Rows(
            ts_ms[first:end_of_group], [slots[i] for i in chosen], [vals[i] for i in chosen], first_slots[group_id]
        )
        first = end_of_group
    return fetched


def _blocks_of(group: Group, rows: _Rows) -> list[SeriesBlock]:
    """The samples of one group: one block, or one for each series where a block would be mostly empty."""
    column_of = np.full(257, -1, dtype=np.intp)
    column_of[group.slots] = np.arange(len(group.slots))
    is_new = np.diff(rows.ts_ms, prepend=rows.ts_ms[0] - 1) != 0
    times, row_of = rows.ts_ms[is_new], np.cumsum(is_new) - 1
    cells = _cells_of(rows, row_of, column_of)
    times, cells = _without_empty_rows(times, cells)
    size = len(times) * len(group.slots)
    if size > SMALL_BLOCK_CELLS and len(cells.values) < LEAST_FILLED * size:
        return _one_by_one(group, times, cells)
    if not len(times):
        return []
    matrix = absent_array((len(times), len(group.slots)))
    # Of two values for one cell numpy keeps the last, which is the later sample.
    matrix[cells.rows, cells.columns] = cells.values
    return [SeriesBlock(group.labels, times, matrix)]


def _cells_of(rows: _Rows, row_of: NDArray[np.intp], column_of: NDArray[np.intp]) -> _Cells:
    """The samples of the wanted slots, in the order of the rows."""
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


def _without_empty_rows(times: Int64s, cells: _Cells) -> tuple[Int64s, _Cells]:
    """Times at which only other series of the group have samples are none of ours."""
    is_used = np.zeros(len(times), dtype=bool)
    is_used[cells.rows] = True
    if is_used.all():
        return times, cells
    return times[is_used], cells._replace(rows=(np.cumsum(is_used) - 1)[cells.rows])


def _one_by_one(group: Group, times: Int64s, cells: _Cells) -> list[SeriesBlock]:
    order = np.lexsort((cells.rows, cells.columns))
    rows, columns, values = cells.rows[order], cells.columns[order], cells.values[order]
    # The sort is stable: of several samples for one cell the last is the later.
    is_last = (np.diff(rows, append=-1) != 0) | (np.diff(columns, append=-1) != 0)
    rows, columns, values = rows[is_last], columns[is_last], values[is_last]
    present, firsts = np.unique(columns, return_index=True)
    ends = np.append(firsts[1:], len(columns))
    return [
        SeriesBlock((group.labels[column],), times[rows[first:end]], values[first:end, None])
        for column, first, end in zip(present.tolist(), firsts.tolist(), ends.tolist(), strict=True)
    ]
