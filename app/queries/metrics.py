"""Samples as people and programs ask for them: PromQL, and what series, labels and metrics there are."""

from __future__ import annotations

from collections.abc import Sequence

from app.auth.permissions import require
from app.clock import monotonic_s
from app.domain.labels import Labels, Matcher
from app.domain.samples import Metadata
from app.domain.tenancy import READ, Viewer
from app.promql import engine
from app.promql.limits import Limits
from app.promql.result import Matrix, Result
from app.tsdb.reader import Reader

NOUN = "metrics"

# What one query of a person or program may cost; rules have the same bounds.
MOST_SECONDS = 60.0
MOST_SAMPLES = 50_000_000
MOST_SERIES = 500_000
LOOKBACK_MS = 300_000


def query_instant(
    viewer: Viewer, expr: str, *, at_ms: int, timeout_s: float = MOST_SECONDS, lookback_ms: int = LOOKBACK_MS
) -> Result:
    """The value of a PromQL expression at one moment. Raises QueryError."""
    require(viewer, READ, NOUN)
    limits = _limits(timeout_s, lookback_ms)
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
) -> Matrix:
    """The value of a PromQL expression at start, start + step, … up to end. Raises QueryError."""
    require(viewer, READ, NOUN)
    limits = _limits(timeout_s, lookback_ms)
    source = Reader(viewer.tenant)
    return engine.query_range(source, expr, start_ms=start_ms, end_ms=end_ms, step_ms=step_ms, limits=limits)


def series(viewer: Viewer, matcher_sets: Sequence[Sequence[Matcher]], *, start_ms: int, end_ms: int) -> list[Labels]:
    """The series that satisfy any of the matcher sets and have samples in the time given, by their labels."""
    require(viewer, READ, NOUN)
    return Reader(viewer.tenant).series(matcher_sets, start_ms=start_ms, end_ms=end_ms)


def label_names(
    viewer: Viewer, matcher_sets: Sequence[Sequence[Matcher]] = (), *, start_ms: int, end_ms: int
) -> list[str]:
    """The names of the labels that such series carry, sorted."""
    require(viewer, READ, NOUN)
    return Reader(viewer.tenant).label_names(matcher_sets, start_ms=start_ms, end_ms=end_ms)


def label_values(
    viewer: Viewer, name: str, matcher_sets: Sequence[Sequence[Matcher]] = (), *, start_ms: int, end_ms: int
) -> list[str]:
    """The values that one label has on such series, sorted."""
    require(viewer, READ, NOUN)
    return Reader(viewer.tenant).label_values(name, matcher_sets, start_ms=start_ms, end_ms=end_ms)


def metadata(viewer: Viewer, metric: str = "") -> list[Metadata]:
    """What senders said about one metric, or about all, by the metric's name."""
    require(viewer, READ, NOUN)
    return Reader(viewer.tenant).metadata(metric)


def _limits(timeout_s: float, lookback_ms: int) -> Limits:
    deadline_s = monotonic_s() + min(timeout_s, MOST_SECONDS)
    return Limits(
        max_samples=MOST_SAMPLES,
        max_series=MOST_SERIES,
        lookback_ms=lookback_ms,
        expired=lambda: monotonic_s() > deadline_s,
    )
