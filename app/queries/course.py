"""The course of an expression over a window that moves with the clock: what was asked stays, only new steps are asked.

A wall asks the same 24 hours every 15 seconds, and a step that lies behind us keeps its value. So each process keeps
the last answer of each expression of each tenant, and asks for the steps since. Late samples show after an hour; where
an answer has gaps (history that still arrives), after half a minute.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Final

import numpy as np

from app.auth.permissions import require
from app.clock import now_ms
from app.domain.labels import Labels
from app.domain.samples import Float64s, Int64s, absent_array, is_absent
from app.domain.tenancy import READ, Viewer
from app.domain.timerange import Window
from app.promql.result import Matrix
from app.queries import metrics

# Answers kept in a process; one is some 10 kB.
MOST_KEPT: Final = 512
# Samples of a moment are all there so long after it.
SETTLED_MS: Final = 120_000
# An answer so young is given again as it is: the panels of one page ask the same at the same time.
FRESH_MS: Final = 10_000
WHOLE_MS: Final = 3_600_000
WHOLE_WITH_GAPS_MS: Final = 30_000


@dataclass
class _Kept:
    """The last answer of one key; the lock is held while it is asked for, so that others wait for it."""

    lock: Lock = field(default_factory=Lock)
    matrix: Matrix | None = None
    start_ms: int = 0
    end_ms: int = 0
    asked_ms: int = 0
    whole_ms: int = 0  # when all of it was asked for


_kept: OrderedDict[Hashable, _Kept] = OrderedDict()
_kept_lock = Lock()


def course(viewer: Viewer, expr: str, window: Window, step_ms: int, *, timeout_s: float = 10) -> Matrix:
    """`expr` at every step of the window, whose ends lie on multiples of the step. Raises QueryError."""
    require(viewer, READ, metrics.NOUN)
    kept = _kept_for((viewer.tenant, expr, step_ms, window.length_ms))
    with kept.lock:
        now = now_ms()
        since_ms = _first_unknown(kept, window, step_ms, now)
        if since_ms <= window.end_ms:
            span = Window(since_ms, window.end_ms)
            asked = metrics.query_range(
                viewer, expr, start_ms=span.start_ms, end_ms=span.end_ms, step_ms=step_ms, timeout_s=timeout_s
            )
            _keep(kept, asked, window, step_ms, now)
        assert kept.matrix is not None
        return _part(kept.matrix, window.start_ms, window.end_ms)


def forget() -> None:
    """Keep nothing; for tests, which store samples in a past that was asked for already."""
    with _kept_lock:
        _kept.clear()


def _kept_for(key: Hashable) -> _Kept:
    with _kept_lock:
        found = _kept.setdefault(key, _Kept())
        _kept.move_to_end(key)
        while len(_kept) > MOST_KEPT:
            _kept.popitem(last=False)
        return found


def _keep(kept: _Kept, asked: Matrix, window: Window, step_ms: int, now: int) -> None:
    """Take in what was asked: the end of the window, or all of it."""
    first = int(asked.ts_ms[0])
    if kept.matrix is None or first == window.start_ms:
        kept.matrix, kept.whole_ms = asked, now
    else:
        kept.matrix = joined(_part(kept.matrix, window.start_ms, first - step_ms), asked)
    kept.start_ms, kept.end_ms, kept.asked_ms = window.start_ms, window.end_ms, now


def _first_unknown(kept: _Kept, window: Window, step_ms: int, now: int) -> int:
    """From which step on to ask: its first if nothing kept is of use, behind its end if all is known."""
    if kept.matrix is None or not kept.start_ms <= window.start_ms <= kept.end_ms:
        return window.start_ms
    has_gaps = _has_gaps(kept.matrix, kept.asked_ms)
    whole_for = max(WHOLE_WITH_GAPS_MS, step_ms // 60) if has_gaps else WHOLE_MS
    if now - kept.whole_ms > whole_for:
        return window.start_ms
    if now - kept.asked_ms < FRESH_MS and window.end_ms <= kept.end_ms:
        return window.end_ms + step_ms
    settled = min(kept.asked_ms - SETTLED_MS, kept.end_ms)
    return max(window.start_ms, settled // step_ms * step_ms + step_ms)


def _has_gaps(matrix: Matrix, asked_ms: int) -> bool:
    """Whether nothing at all is known at some step, of those that are over."""
    if not len(matrix):
        return True
    over = matrix.values[:, matrix.ts_ms <= asked_ms]
    return bool(np.any(np.all(is_absent(over), axis=0)))


def _part(matrix: Matrix, start_ms: int, end_ms: int) -> Matrix:
    """The steps from start to end, without the series that have no point there."""
    first, last = np.searchsorted(matrix.ts_ms, [start_ms, end_ms + 1])
    values = matrix.values[:, first:last]
    alive = np.flatnonzero(~is_absent(values).all(axis=1))
    labels = [matrix.labels[int(index)] for index in alive]
    return replace(matrix, labels=labels, ts_ms=matrix.ts_ms[first:last], values=values[alive])


def joined(before: Matrix, after: Matrix) -> Matrix:
    """Two answers of the same expression, one after the other in time."""
    labels = sorted({*before.labels, *after.labels})
    ts_ms: Int64s = np.concatenate([before.ts_ms, after.ts_ms])
    sides = [_rows_of(side, labels) for side in (before, after)]
    return Matrix(labels, ts_ms, np.concatenate(sides, axis=1), after.warnings)


def _rows_of(matrix: Matrix, labels: list[Labels]) -> Float64s:
    """The values of `matrix` with one row for each of `labels`."""
    values = absent_array((len(labels), len(matrix.ts_ms)))
    rows = {each: row for row, each in enumerate(labels)}
    for index, each in enumerate(matrix.labels):
        values[rows[each]] = matrix.values[index]
    return values
