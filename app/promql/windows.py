"""The samples in a range, (t - range, t], of every series of a block at every step, without copying them out.

A block is (time × series). Where it is dense all its series share the windows' first and last rows; where samples
are missing, running counts and running maxima give each series its own. Either way a window is a pair of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from app.domain.samples import ABSENT, Float64s, Int64s
from app.promql.sums import Rows, is_exact_in_any_order, reduce_segments
from app.promql.vectors import Bools


def unchecked() -> None:
    """Nobody's time is over."""


@dataclass(frozen=True)
class Edges:
    """The windows of all steps: `at_ms` is when they are evaluated, `end_ms` where they end (both (steps,))."""

    at_ms: Int64s
    end_ms: Int64s
    range_ms: int


@dataclass(frozen=True)
class Slice:
    """One window of all series of a block: `ts_ms` (k,), `values` (k, n), `present` (k, n)."""

    step: int
    ts_ms: Int64s
    values: Float64s
    present: Bools


class Windows:
    """All windows of one block. `present` is None when the block is dense; `check` stops a query that is over.

    Arrays of the answers are (steps, n); those that all series share are (steps, 1).
    """

    def __init__(
        self,
        ts_ms: Int64s,
        values: Float64s,
        present: Bools | None,
        edges: Edges,
        check: Callable[[], None] = unchecked,
    ) -> None:
        self._check = check
        self.ts_ms = ts_ms
        self.values = values
        self.present = present
        self.edges = edges
        self.begin: Rows = np.searchsorted(ts_ms, edges.end_ms - edges.range_ms, side="right")
        self.end: Rows = np.searchsorted(ts_ms, edges.end_ms, side="right")

    @property
    def shape(self) -> tuple[int, int]:
        """(steps, n)."""
        return len(self.begin), self.values.shape[1]

    @cached_property
    def counts(self) -> NDArray[np.intp]:
        """Samples in each window."""
        if self.present is None:
            return (self.end - self.begin)[:, None]
        running = np.zeros((len(self.ts_ms) + 1, self.values.shape[1]), dtype=np.intp)
        np.cumsum(self.present, axis=0, out=running[1:])
        counts: NDArray[np.intp] = running[self.end] - running[self.begin]
        return counts

    @cached_property
    def previous_rows(self) -> Rows:
        """For each row, the last row up to it at which the series has a sample; -1 if none. (t, n)."""
        assert self.present is not None
        rows = np.where(self.present, np.arange(len(self.ts_ms))[:, None], -1)
        return np.maximum.accumulate(rows, axis=0)

    @cached_property
    def first_rows(self) -> Rows:
        """The row of each window's first sample; meaningless where the window is empty."""
        most = len(self.ts_ms) - 1
        if self.present is None:
            return np.minimum(self.begin, most)[:, None]
        rows = np.where(self.present, np.arange(len(self.ts_ms))[:, None], most)
        following = np.minimum.accumulate(rows[::-1], axis=0)[::-1]
        return following[np.minimum(self.begin, most)]

    @cached_property
    def last_rows(self) -> Rows:
        """The row of each window's last sample; meaningless where the window is empty."""
        if self.present is None:
            return np.maximum(self.end - 1, 0)[:, None]
        return np.maximum(self.previous_rows[np.maximum(self.end - 1, 0)], 0)

    @cached_property
    def before_last_rows(self) -> Rows:
        """The row of each window's last but one sample; meaningless where there are fewer than two."""
        if self.present is None:
            return np.maximum(self.end - 2, 0)[:, None]
        earlier = np.maximum(self.last_rows - 1, 0)
        return np.maximum(np.take_along_axis(self.previous_rows, earlier, axis=0), 0)

    def at(self, rows: Rows, matrix: Float64s | None = None) -> Float64s:
        """The samples (or what another (t, n) matrix holds) at the given rows; (steps, n)."""
        source = self.values if matrix is None else matrix
        if self.present is None:
            return source[rows[:, 0]]
        return np.take_along_axis(source, rows, axis=0)

    @cached_property
    def first(self) -> Float64s:
        """The first sample of each window."""
        return self.at(self.first_rows)

    @cached_property
    def last(self) -> Float64s:
        """The last sample of each window."""
        return self.at(self.last_rows)

    def pairs(self) -> tuple[Float64s, Float64s, Bools]:
        """Each row's sample, the sample before it in the same series, and where both exist; all (t - 1, n)."""
        if self.present is None:
            return self.values[1:], self.values[:-1], np.ones((1, 1), dtype=np.bool_)
        rows = self.previous_rows[:-1]
        before = np.take_along_axis(self.values, np.maximum(rows, 0), axis=0)
        return self.values[1:], before, self.present[1:] & (rows >= 0)

    def between_first_and_last(self, amounts: Float64s) -> Float64s:
        """The sum of `amounts` (as `pairs` is laid out) over the steps inside each window; (steps, n)."""
        if self.present is None and not is_exact_in_any_order(amounts):
            # A running sum would drag large amounts of the past through later windows and lose small ones.
            bounds = np.stack([self.begin, np.maximum(self.end - 1, self.begin)], axis=1)
            found = reduce_segments(np.add, amounts, bounds)
            # Inside a window of one row there is no step; reduceat answers one amount where a segment is empty.
            found[bounds[:, 0] == bounds[:, 1]] = 0.0
            return found
        running = np.zeros((len(self.ts_ms), self.values.shape[1]))
        np.cumsum(amounts, axis=0, out=running[1:])
        return self.at(self.last_rows, running) - self.at(self.first_rows, running)

    def slices(self) -> Iterator[Slice]:
        """Each step's window, those without any row left out."""
        for step, (begin, end) in enumerate(zip(self.begin.tolist(), self.end.tolist(), strict=True)):
            if begin < end:
                # Thousands of wide windows take longer than a query may.
                self._check()
                values = self.values[begin:end]
                present = np.ones(values.shape, dtype=np.bool_) if self.present is None else self.present[begin:end]
                yield Slice(step, self.ts_ms[begin:end], values, present)

    def only(self, result: Float64s, least: int = 1) -> Float64s:
        """`result`, with no point where the window holds fewer than `least` samples; (steps, n)."""
        if result.shape != self.shape:
            result = np.array(np.broadcast_to(result, self.shape))
        lacking = self.counts < least
        if lacking.any():
            if self.present is None:
                result[lacking[:, 0]] = ABSENT
            else:
                result[lacking] = ABSENT
        return result
