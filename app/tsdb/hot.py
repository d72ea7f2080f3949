"""Hot rows as the database hands them over: the rows of many groups in one piece, and numpy from there to matrices.

Groups whose samples are of the same times (a poll of all interfaces, a scrape of many targets by one agent) become one
array here: a handful of array calls for each of a thousand groups takes as long as the rest of a query.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.domain.samples import Float64s, Int64s
from app.promql.select import CELLS

# Binary times count microseconds from 2000-01-01.
_PG_EPOCH_MS: Final = 946_684_800_000


class Even(NamedTuple):
    """Dense rows of groups that have the same times (t,), ascending: `values` (t, columns), group beside group."""

    ts_ms: Int64s
    values: Float64s


class Rows(NamedTuple):
    """Rows of one group, ascending by time and then part. `vals[i]` begins at slot `first_slot` if slots[i] is None.

    Where all are dense, of one width and of different times they are `width` columns of `even` from `column` instead.
    """

    ts_ms: Int64s
    slots: list[bytes | None]
    vals: list[bytes]
    first_slot: int
    even: Even | None = None
    column: int = 0
    width: int = 0

    @property
    def matrix(self) -> Float64s | None:
        """(t, width), if the rows are even."""
        return None if self.even is None else self.even.values[:, self.column : self.column + self.width]


class Piece:
    """Rows of some groups as they come in one: those of a group stand together, but are in no order.

    `heads`: group and how many rows, two int4 a group. For each row `times` and `parts` (int8), and in `sizes` (int4)
    the bytes of its values, below zero where it is sparse; those have their slots, a byte each, in `slots`.
    """

    def __init__(
        self, *, heads: bytes, times: bytes, parts: bytes, sizes: bytes, slots: bytes | None, vals: bytes
    ) -> None:
        of_group = np.frombuffer(heads, dtype=">i4").reshape(-1, 2)
        self.group_ids: list[int] = of_group[:, 0].tolist()
        self.counts = of_group[:, 1].astype(np.intp)
        self.ends = np.cumsum(self.counts)
        self.firsts = self.ends - self.counts
        self.ts_ms = times_of(times)
        self.sizes = np.frombuffer(sizes, dtype=">i4").astype(np.intp)
        self.vals = vals
        self._parts, self._slots = parts, slots or b""

    @cached_property
    def vals_at(self) -> NDArray[np.intp]:
        """Where the values of each row begin, and where the last end; (rows + 1,) bytes."""
        return np.concatenate([[0], np.cumsum(np.abs(self.sizes))])

    @cached_property
    def order(self) -> NDArray[np.intp]:
        """The rows of each group by time; groups stay where they are."""
        of_group = np.repeat(np.arange(len(self.counts)), self.counts)
        return np.lexsort((self.ts_ms, of_group))

    @cached_property
    def _slots_at(self) -> NDArray[np.intp]:
        return np.concatenate([[0], np.cumsum(np.where(self.sizes < 0, -self.sizes // 8, 0))])

    def apart(self, group: int) -> Iterator[tuple[int, float, int, bytes | None, bytes]]:
        """The rows of one group as by_group() takes them."""
        first, end = int(self.firsts[group]), int(self.ends[group])
        at = self.vals_at[first : end + 1].tolist()
        slots_at = self._slots_at[first : end + 1].tolist()
        seconds = (self.ts_ms[first:end] / 1000).tolist()
        parts = np.frombuffer(self._parts, dtype=">i8", count=end - first, offset=8 * first).tolist()
        for row, (second, part) in enumerate(zip(seconds, parts, strict=True)):
            is_sparse = self.sizes[first + row] < 0
            slots = self._slots[slots_at[row] : slots_at[row + 1]] if is_sparse else None
            yield self.group_ids[group], second, part, slots, self.vals[at[row] : at[row + 1]]


def rows_of(piece: Piece, first_slots: dict[int, int]) -> dict[int, Rows]:
    """The rows of each group; `first_slots` is where dense ones begin."""
    ts_ms, steps = piece.ts_ms, _steps(piece, piece.ts_ms)
    order = None if (steps > 0).all() else piece.order
    if order is not None:
        ts_ms = ts_ms[order]
        steps = _steps(piece, ts_ms)
    least = np.minimum.reduceat(piece.sizes, piece.firsts)
    most = np.maximum.reduceat(piece.sizes, piece.firsts)
    is_plain = (least > 0) & (least == most) & (np.minimum.reduceat(steps, piece.firsts) > 0)
    widths = least // 8
    alike: dict[tuple[int, int, int], list[int]] = {}
    alone: list[int] = []
    keys = zip(piece.counts.tolist(), ts_ms[piece.firsts].tolist(), ts_ms[piece.ends - 1].tolist(), strict=True)
    for group, (is_its, key) in enumerate(zip(is_plain.tolist(), keys, strict=True)):
        if is_its:
            alike.setdefault(key, []).append(group)
        else:
            alone.append(group)
    found: dict[int, Rows] = {}
    for (count, _, _), groups in alike.items():
        for some in _with_same_times(piece, ts_ms, groups, count, widths):
            first = int(piece.firsts[some[0]])
            even = Even(ts_ms[first : first + count], _side_by_side(piece, order, some, count, widths[some]))
            column = 0
            for group, width in zip(some.tolist(), widths[some].tolist(), strict=True):
                group_id = piece.group_ids[group]
                found[group_id] = Rows(even.ts_ms, [], [], first_slots[group_id], even, column, width)
                column += width
    return found | by_group([row for group in alone for row in piece.apart(group)], first_slots)


def _steps(piece: Piece, ts_ms: Int64s) -> Int64s:
    """The time from each row to the next of its group, ms; 1 where it is the last."""
    steps = np.diff(ts_ms, append=ts_ms[-1])
    steps[piece.ends - 1] = 1
    return steps


def _with_same_times(
    piece: Piece, ts_ms: Int64s, groups: list[int], count: int, widths: NDArray[np.intp]
) -> Iterator[NDArray[np.intp]]:
    """Groups of `count` rows, by ascending width; those together whose times are the same, up to CELLS."""
    chosen = np.array(groups)
    if len(groups) > 1:
        chosen = chosen[np.argsort(widths[chosen], kind="stable")]
        times = ts_ms[piece.firsts[chosen][:, None] + np.arange(count)]
        is_same = (times == times[0]).all(axis=1)
        others = chosen[~is_same]
        for place in range(len(others)):
            yield others[place : place + 1]
        chosen = chosen[is_same]
    at_once = max(1, CELLS // (count * int(widths[chosen[-1]])))
    for begin in range(0, len(chosen), at_once):
        yield chosen[begin : begin + at_once]


def _side_by_side(
    piece: Piece, order: NDArray[np.intp] | None, groups: NDArray[np.intp], count: int, widths: NDArray[np.intp]
) -> Float64s:
    """(count, columns): the values of groups of `count` dense rows, of `widths` that ascend, by time."""
    flat = np.frombuffer(piece.vals, dtype="<f8")
    if len(groups) == 1 and order is None:
        first, width = int(piece.vals_at[piece.firsts[groups[0]]]) // 8, int(widths[0])
        return flat[first : first + count * width].reshape(count, width)
    rows = piece.firsts[groups] + np.arange(count)[:, None]
    if order is not None:
        rows = order[rows]
    at = piece.vals_at[rows] // 8
    bounds = np.flatnonzero(np.diff(widths, prepend=0, append=0))
    # Wherever they are, so many values one after the other are copied as one.
    found = [
        np.lib.stride_tricks.sliding_window_view(flat, int(widths[begin]))[at[:, begin:end]].reshape(count, -1)
        for begin, end in pairwise(bounds.tolist())
    ]
    return found[0] if len(found) == 1 else np.concatenate(found, axis=1)


def times_of(octets: bytes) -> Int64s:
    """Times that came in binary form, ms."""
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
