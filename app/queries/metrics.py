"""Samples as people and programs ask for them: PromQL, and what series, labels and metrics there are.

Every question has a place, a time and an end: gate.py says how many run at once, a deadline ends the engine and the
statement in Postgres, and so does a caller who has gone (set_caller() in gate.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import psycopg
from sqlalchemy.exc import OperationalError

from app.auth.permissions import require
from app.clock import monotonic_s
from app.domain.labels import Labels, Matcher
from app.domain.samples import Metadata
from app.domain.tenancy import READ, Viewer
from app.errors import QueryError
from app.promql import engine
from app.promql.engine import Newest
from app.promql.limits import Limits
from app.promql.result import Matrix, Result
from app.queries.gate import Gate, Spent, Watcher, caller_gone, remaining_s
from app.tsdb.reader import Reader
from app.tsdb.series_counts import SeriesCounts
from app.tsdb.series_counts import series_counts as counts_of
from models.bounds import StatementBounds, bounded

NOUN = "metrics"

# What one query of a person or program may cost; rules have the same bounds.
MOST_SECONDS = 30.0
MOST_SAMPLES = 50_000_000
MOST_SERIES = 500_000
LOOKBACK_MS = 300_000

gate: Final = Gate()
_watcher: Final = Watcher()


def query_instant(
    viewer: Viewer,
    expr: str,
    *,
    at_ms: int,
    timeout_s: float = MOST_SECONDS,
    lookback_ms: int = LOOKBACK_MS,
    spent: Spent | None = None,
) -> Result:
    """The value of a PromQL expression at one moment. Raises QueryError; Overloaded or Unavailable without a place."""
    require(viewer, READ, NOUN)
    with _bounds(viewer, timeout_s, lookback_ms, spent) as limits:
        return engine.query_instant(Reader(viewer.tenant), expr, at_ms=at_ms, limits=limits)


def query_range(
    viewer: Viewer,
    expr: str,
    *,
    start_ms: int,
    end_ms: int,
    step_ms: int,
    timeout_s: float = MOST_SECONDS,
    lookback_ms: int = LOOKBACK_MS,
    spent: Spent | None = None,
) -> Matrix:
    """The value of a PromQL expression at start, start + step, … up to end. Raises as query_instant()."""
    require(viewer, READ, NOUN)
    with _bounds(viewer, timeout_s, lookback_ms, spent) as limits:
        source = Reader(viewer.tenant)
        return engine.query_range(source, expr, start_ms=start_ms, end_ms=end_ms, step_ms=step_ms, limits=limits)


def newest(
    viewer: Viewer,
    matcher_sets: Sequence[Sequence[Matcher]],
    *,
    at_ms: int,
    lookback_ms: int = LOOKBACK_MS,
) -> list[Newest]:
    """The newest sample of every series that satisfies any of the matcher sets, with its own time; by labels."""
    require(viewer, READ, NOUN)
    with _bounds(viewer, MOST_SECONDS, lookback_ms) as limits:
        return engine.newest_samples(Reader(viewer.tenant), matcher_sets, at_ms=at_ms, limits=limits)


def series(
    viewer: Viewer,
    matcher_sets: Sequence[Sequence[Matcher]],
    *,
    start_ms: int,
    end_ms: int,
) -> list[Labels]:
    """The series that satisfy any of the matcher sets and have samples in the time given, by their labels."""
    require(viewer, READ, NOUN)
    with _bounds(viewer, MOST_SECONDS, LOOKBACK_MS):
        return Reader(viewer.tenant).series(matcher_sets, start_ms=start_ms, end_ms=end_ms)


def label_names(
    viewer: Viewer,
    matcher_sets: Sequence[Sequence[Matcher]] = (),
    *,
    start_ms: int,
    end_ms: int,
) -> list[str]:
    """The names of the labels that such series carry, sorted."""
    require(viewer, READ, NOUN)
    with _bounds(viewer, MOST_SECONDS, LOOKBACK_MS):
        return Reader(viewer.tenant).label_names(matcher_sets, start_ms=start_ms, end_ms=end_ms)


def label_values(
    viewer: Viewer,
    name: str,
    matcher_sets: Sequence[Sequence[Matcher]] = (),
    *,
    start_ms: int,
    end_ms: int,
) -> list[str]:
    """The values that one label has on such series, sorted."""
    require(viewer, READ, NOUN)
    with _bounds(viewer, MOST_SECONDS, LOOKBACK_MS):
        return Reader(viewer.tenant).label_values(name, matcher_sets, start_ms=start_ms, end_ms=end_ms)


def metadata(viewer: Viewer, metric: str = "") -> list[Metadata]:
    """What senders said about one metric, or about all, by the metric's name."""
    require(viewer, READ, NOUN)
    return Reader(viewer.tenant).metadata(metric)


def series_counts(viewer: Viewer, limit: int) -> SeriesCounts:
    """How many series there are, by metric, label and value; at most `limit` in each list."""
    require(viewer, READ, NOUN)
    with _bounds(viewer, MOST_SECONDS, LOOKBACK_MS):
        return counts_of(viewer.tenant, limit)


@contextmanager
def _bounds(viewer: Viewer, timeout_s: float, lookback_ms: int, spent: Spent | None = None) -> Iterator[Limits]:
    """A place, a deadline and a watcher for what is asked inside; what they end becomes a QueryError."""
    deadline_s = monotonic_s() + min(timeout_s, MOST_SECONDS)
    bounds = StatementBounds(lambda: remaining_s(deadline_s))
    limits = Limits(
        max_samples=MOST_SAMPLES,
        max_series=MOST_SERIES,
        lookback_ms=lookback_ms,
        expired=lambda: monotonic_s() > deadline_s,
        cancelled=lambda: bounds.is_cancelled,
    )
    with gate.place(viewer.tenant, spent), _watcher.watch(bounds, caller_gone()), bounded(bounds):
        try:
            yield limits
        except (OperationalError, psycopg.errors.QueryCanceled) as error:
            # The reader's own cursors do not pass through SQLAlchemy.
            cause = error.orig if isinstance(error, OperationalError) else error
            if not isinstance(cause, psycopg.errors.QueryCanceled):
                raise
            why, kind = ("was canceled", "canceled") if bounds.is_cancelled else ("timed out", "timeout")
            raise QueryError(f"query {why} in query execution", kind=kind) from error
