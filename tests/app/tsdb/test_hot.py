"""Rows of many groups that come in one piece."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.samples import ABSENT
from app.tsdb import hot
from app.tsdb.hot import Piece, Rows

EPOCH_MS = 946_684_800_000
T0 = 1_770_000_000_000
FIRST_SLOT = 3


class Row(NamedTuple):
    """A stored row: values by slot from FIRST_SLOT on, or at `slots`."""

    ts_ms: int
    part: int
    values: tuple[float, ...]
    slots: tuple[int, ...] | None = None


def piece_of(groups: Mapping[int, Sequence[Row]]) -> Piece:
    """What the statement answers for these rows."""
    rows = [row for its in groups.values() for row in its]
    return Piece(
        heads=b"".join(struct.pack(">ii", group_id, len(its)) for group_id, its in groups.items()),
        times=b"".join(struct.pack(">q", (row.ts_ms - EPOCH_MS) * 1000) for row in rows),
        parts=b"".join(struct.pack(">q", row.part) for row in rows),
        sizes=b"".join(struct.pack(">i", 8 * len(row.values) * (1 if row.slots is None else -1)) for row in rows),
        slots=b"".join(bytes(row.slots) for row in rows if row.slots is not None) or None,
        vals=b"".join(struct.pack(f"<{len(row.values)}d", *row.values) for row in rows),
    )


def samples_of(rows: Rows) -> list[tuple[int, tuple[int, ...], tuple[float, ...]]]:
    """(time, slots, values) of each row."""
    if rows.matrix is not None:
        slots = tuple(range(rows.first_slot, rows.first_slot + rows.width))
        return [
            (ts_ms, slots, tuple(row)) for ts_ms, row in zip(rows.ts_ms.tolist(), rows.matrix.tolist(), strict=True)
        ]
    found = []
    for ts_ms, its_slots, vals in zip(rows.ts_ms.tolist(), rows.slots, rows.vals, strict=True):
        values = struct.unpack(f"<{len(vals) // 8}d", vals)
        dense = range(rows.first_slot, rows.first_slot + len(values))
        found.append((ts_ms, tuple(dense if its_slots is None else its_slots), values))
    return found


rows_of_a_group = st.lists(
    st.builds(
        Row,
        ts_ms=st.sampled_from([T0, T0 + 1, T0 + 15_000, T0 + 30_000]),
        part=st.just(0),
        values=st.sampled_from([(1.0,), (2.0, 3.0), (4.0, ABSENT), (5.0, 6.0, 7.0)]),
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=200)
@given(st.lists(rows_of_a_group, min_size=1, max_size=6), st.data())
def test_every_row_is_read_back(groups: list[list[Row]], data: st.DataObject) -> None:
    # Parts are the order in which rows were stored; they come in any.
    stored = {
        7 * number: [
            row._replace(part=part, slots=tuple(range(len(row.values))) if data.draw(st.booleans()) else None)
            for part, row in enumerate(rows)
        ]
        for number, rows in enumerate(groups)
    }
    come = {group_id: data.draw(st.permutations(rows)) for group_id, rows in stored.items()}
    found = hot.rows_of(piece_of(come), dict.fromkeys(stored, FIRST_SLOT))
    assert found.keys() == stored.keys()
    for group_id, rows in stored.items():
        expected = [
            (row.ts_ms, row.slots or tuple(range(FIRST_SLOT, FIRST_SLOT + len(row.values))), row.values)
            for row in sorted(rows, key=lambda row: (row.ts_ms, row.part))
        ]
        np.testing.assert_equal(samples_of(found[group_id]), expected)


def test_groups_of_the_same_times_are_one_array_whatever_their_width() -> None:
    times = [T0 + 15_000 * step for step in range(4)]
    groups = {
        group_id: [Row(ts_ms, 1, tuple(float(group_id * 100 + slot) for slot in range(width))) for ts_ms in times]
        for group_id, width in ((1, 3), (2, 1), (3, 3))
    }
    groups[4] = [Row(ts_ms + 5, 1, (400.0,)) for ts_ms in times]
    groups[5] = [Row(times[0], 1, (500.0,)), Row(times[2], 1, (501.0,), slots=(9,))]
    found = hot.rows_of(piece_of(groups), dict.fromkeys(groups, FIRST_SLOT))
    even = found[1].even
    assert even is not None
    assert even is found[2].even is found[3].even
    assert even.values.shape == (4, 7)
    assert found[4].even is not even
    assert found[5].even is None


def test_a_piece_of_many_cells_is_not_one_array() -> None:
    times = [T0 + step for step in range(300)]
    width = hot.CELLS // len(times) // 2
    groups = {group_id: [Row(ts_ms, 1, (float(group_id),) * width) for ts_ms in times] for group_id in range(3)}
    found = hot.rows_of(piece_of(groups), dict.fromkeys(groups, 0))
    assert found[0].even is found[1].even is not found[2].even
    assert [rows.matrix is not None and rows.matrix.shape for rows in found.values()] == [(300, width)] * 3
