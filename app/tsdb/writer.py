"""From columns to rows of sample_hot: one binary COPY, and the stream's offsets in the same transaction.

Everything is array work; rows of one length are laid out together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from psycopg.errors import CheckViolation, InternalError_
from sqlalchemy import Connection, text

from app.domain.samples import Float64s, Int64s, absent_array
from app.errors import Conflict
from app.tsdb import active
from app.tsdb.catalog import SLOTS_BITS
from models.session import generation, writer_connection

# Binary COPY counts time in microseconds from 2000-01-01.
_PG_EPOCH_MS: Final = 946_684_800_000
_COPY_HEAD: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_COPY_TAIL: Final = b"\xff\xff"
_COPY: Final = "copy sample_hot (tenant_id, group_id, ts, part, slots, vals) from stdin (format binary)"
# Dense rows come in lengths that are multiples of this, so that few lengths need laying out.
_STEP: Final = 8
_PARTITION_MS: Final = 6 * 3_600_000

_TAKE = text(
    "insert into stream_offsets (shard, fence) values (:shard, 1)"
    " on conflict (shard) do update set fence = stream_offsets.fence + 1 returning last_entry, fence"
)
_ADVANCE = text(
    "update stream_offsets set last_entry = :entry, stored_at = now() where shard = :shard and fence = :fence"
)
_MAKE = text("select watchfloor_make_partitions(cast(:moments as timestamptz[]))")


class FenceLost(Conflict):
    """Another drain has taken the shard over; what this one holds is theirs now."""


@dataclass(frozen=True)
class Rows:
    """Samples to be stored, in the order in which they came; all arrays (n,)."""

    tenants: NDArray[np.int32]
    places: Int64s
    ts_ms: Int64s
    values: Float64s
    parts: Int64s  # of two samples of one series and time the one with the greater part wins
    # The way by which each came, when there are several: its shard, and since which change of their number. What came
    # by different ways is not laid into one row: a series changes its shard, and between the two others of its samples
    # may lie in other rows.
    ways: Int64s | None = None


@dataclass(frozen=True)
class Advance:
    """A shard's new offset; `fence` is the token from take_shard()."""

    shard: int
    entry: str
    fence: int


def take_shard(shard: int) -> tuple[str, int]:
    """Become the only one who may store this shard; answers its last stored entry and the fencing token."""
    with writer_connection() as connection:
        row = connection.execute(_TAKE, {"shard": shard}).one()
    return row.last_entry, row.fence


def write(rows: Rows, advances: Sequence[Advance]) -> None:
    """Store samples and offsets in one transaction; raises FenceLost, and stores nothing, if a token is old."""
    _ensure_partitions(rows.ts_ms)
    try:
        _store(rows, advances)
    except (CheckViolation, InternalError_) as error:
        # Retention dropped the partition after this process had seen it. Citus has no code of its own for that.
        if isinstance(error, InternalError_) and "no partition of relation" not in str(error):
            raise
        _covered.clear()
        _ensure_partitions(rows.ts_ms)
        _store(rows, advances)


def encode(rows: Rows) -> Iterator[bytes]:
    """The body of a binary COPY of these samples, in pieces."""
    yield _COPY_HEAD
    yield from _encode_rows(rows)
    yield _COPY_TAIL


def _store(rows: Rows, advances: Sequence[Advance]) -> None:
    with writer_connection() as connection:
        for advance in sorted(advances, key=lambda advance: advance.shard):
            parameters: Mapping[str, object] = vars(advance)
            if connection.execute(_ADVANCE, parameters).rowcount != 1:
                raise FenceLost(f"shard {advance.shard} of the stream belongs to another drain")
        if len(rows.values):
            _copy(connection, encode(rows))
            fresh = active.note(connection, rows.tenants, rows.places)
    if len(rows.values):
        active.remember(fresh)


def _copy(connection: Connection, pieces: Iterator[bytes]) -> None:
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
        for piece in pieces:
            copy.write(piece)


def _encode_rows(rows: Rows) -> Iterator[bytes]:
    groups = rows.places >> SLOTS_BITS
    order = _by_group_and_time(groups, rows.ts_ms)
    groups, times = groups[order], rows.ts_ms[order]
    slots = (rows.places[order] & 0xFF).astype(np.intp)
    values = rows.values[order]
    is_first = np.empty(len(order), dtype=bool)
    is_first[0] = True
    np.not_equal(groups[1:], groups[:-1], out=is_first[1:])
    is_first[1:] |= times[1:] != times[:-1]
    if rows.ways is not None:
        ways = rows.ways[order]
        is_first[1:] |= ways[1:] != ways[:-1]
    firsts = np.flatnonzero(is_first)
    counts = np.diff(firsts, append=len(order))
    widths = np.maximum.reduceat(slots, firsts) + 1
    # A sparse row costs 9 bytes a value, and the header of one more field.
    is_sparse = 9 * counts + 4 < 8 * widths
    heads = (rows.tenants[order][firsts], groups[firsts], times[firsts], rows.parts[order][firsts])
    for count in np.unique(counts[is_sparse]).tolist():
        chosen = np.flatnonzero(is_sparse & (counts == count))
        cells = firsts[chosen][:, None] + np.arange(count)
        yield _lay_out(heads, chosen, values[cells], slots[cells].astype("u1"))
    padded = -(-widths // _STEP) * _STEP
    row_of = np.cumsum(is_first) - 1
    for width in np.unique(padded[~is_sparse]).tolist():
        is_chosen = ~is_sparse & (padded == width)
        chosen = np.flatnonzero(is_chosen)
        matrix = absent_array((len(chosen), width))
        # The order is stable, and of two values for one cell numpy keeps the last: the later sample wins.
        if len(chosen) == len(firsts):
            matrix.ravel()[row_of * width + slots] = values
        else:
            cells = np.flatnonzero(is_chosen[row_of])
            place_of = np.cumsum(is_chosen) - 1
            matrix[place_of[row_of[cells]], slots[cells]] = values[cells]
        yield _lay_out(heads, chosen, matrix, None)


def _by_group_and_time(groups: Int64s, ts_ms: Int64s) -> NDArray[np.intp]:
    """The stable order by group, then time."""
    first_group, first_ts = int(groups.min()), int(ts_ms.min())
    span = int(ts_ms.max()) - first_ts + 1
    if (int(groups.max()) - first_group + 1) * span >= 2**62:
        return np.lexsort((ts_ms, groups))
    # One integer key: a stable sort of it takes next to nothing when the samples come in order, as they mostly do.
    return np.argsort((groups - first_group) * span + (ts_ms - first_ts), kind="stable")


def _lay_out(
    heads: tuple[NDArray[Any], ...], chosen: NDArray[np.intp], matrix: Float64s, slots: NDArray[np.uint8] | None
) -> bytes:
    """Rows of one length as COPY has them: `matrix` (r, w) values, `slots` (r, w) or None for dense rows."""
    width = matrix.shape[1]
    fields: list[tuple[str, str]] = [("fields", ">i2"), ("l0", ">i4"), ("tenant", ">i4"), ("l1", ">i4")]
    fields += [("group", ">i4"), ("l2", ">i4"), ("ts", ">i8"), ("l3", ">i4"), ("part", ">i8"), ("l4", ">i4")]
    if slots is not None:
        fields.append(("slots", f"V{width}"))
    out = np.empty(len(chosen), dtype=[*fields, ("l5", ">i4"), ("vals", f"V{8 * width}")])
    tenants, groups, times, parts = (head[chosen] for head in heads)
    out["fields"], out["l0"], out["l1"], out["l2"], out["l3"] = 6, 4, 4, 8, 8
    out["tenant"], out["group"], out["part"] = tenants, groups, parts
    out["ts"] = (times - _PG_EPOCH_MS) * 1000
    out["l4"], out["l5"] = (-1 if slots is None else width), 8 * width
    if slots is not None:
        out["slots"] = np.ascontiguousarray(slots).view(f"V{width}").reshape(-1)
    out["vals"] = np.ascontiguousarray(matrix, dtype="<f8").view(f"V{8 * width}").reshape(-1)
    return out.tobytes()


_covered: set[tuple[int, int]] = set()


def _ensure_partitions(ts_ms: Int64s) -> None:
    """Make the partitions that these times need and that this process has not seen."""
    current = generation()
    missing = {(current, bucket) for bucket in np.unique(ts_ms // _PARTITION_MS).tolist()} - _covered
    if missing:
        moments = [datetime.fromtimestamp(bucket * _PARTITION_MS // 1000, UTC) for _, bucket in sorted(missing)]
        with writer_connection() as connection:
            connection.execute(_MAKE, {"moments": moments})
        _covered.update(missing)
