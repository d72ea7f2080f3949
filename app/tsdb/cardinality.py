"""Which metrics and labels a tenant's series come from, and how they grew. Beside series_counts.py, which adds growth.

A series counts from when it was first seen; what is new in a day or a week tells who is about to grow out of hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text

from app.domain.tenancy import TenantId
from models.session import tenant_connection

_NEW: Final = "count(*) filter (where created_at > :day) as day, count(*) filter (where created_at > :week) as week"
_TOTALS = text(
    f"select count(*) as series, watchfloor_active_series(:tenant) as active, {_NEW}"  # noqa: S608  constants
    " from series where tenant_id = :tenant"
)
_METRICS = text(
    f"select coalesce(labels ->> '__name__', '') as name, count(*) as series, {_NEW}"  # noqa: S608  constants
    " from series where tenant_id = :tenant group by 1 order by 2 desc, 1 limit :limit"
)
# A label's values, the series that carry it, and how many of its values were first seen lately.
_LABELS = text(
    "with pairs as materialized (select p.key, p.value, count(*) as series, min(s.created_at) as first_at"
    " from series s, jsonb_each_text(s.labels) p where s.tenant_id = :tenant and p.key <> '__name__' group by 1, 2)"
    " select key as name, count(*) as distinct_values, sum(series)::bigint as series,"
    " count(*) filter (where first_at > :day) as day, count(*) filter (where first_at > :week) as week,"
    " (array_agg(value order by series desc, value))[1:3] as examples"
    " from pairs group by key order by 2 desc, 1 limit :limit"
)
_COURSE = text(
    "select date_trunc('day', created_at) as day, count(*) as series from series"
    " where tenant_id = :tenant and created_at > :since group by 1 order by 1"
)


@dataclass(frozen=True)
class MetricSeries:
    """A metric's series, and how many of them are new."""

    name: str
    series: int
    day: int
    week: int


@dataclass(frozen=True)
class LabelValues:
    """A label's distinct values, the series that carry it, how many values are new, and those on most series."""

    name: str
    values: int
    series: int
    day: int
    week: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Cardinality:
    """The series of a tenant: all, new in the last day and week, by metric, by label; the greatest first.

    `active` of them got a sample in the last two to three hours, which is what the budget bounds. `new_by_day`: how
    many series were first seen on each day of the last 30, days without any left out.
    """

    series: int
    active: int
    day: int
    week: int
    metrics: list[MetricSeries]
    labels: list[LabelValues]
    new_by_day: list[tuple[datetime, int]]


def cardinality(tenant: TenantId, now: datetime, *, limit: int) -> Cardinality:
    """The counts of one tenant, at most `limit` metrics and labels."""
    moments = {"tenant": tenant, "day": now - timedelta(days=1), "week": now - timedelta(days=7), "limit": limit}
    with tenant_connection(tenant, read_only=True) as connection:
        totals = connection.execute(_TOTALS, moments).one()
        metrics = [MetricSeries(*row) for row in connection.execute(_METRICS, moments)]
        labels = [
            LabelValues(row.name, row.distinct_values, row.series, row.day, row.week, tuple(row.examples))
            for row in connection.execute(_LABELS, moments)
        ]
        since = {"tenant": tenant, "since": now - timedelta(days=30)}
        course = [(row.day, row.series) for row in connection.execute(_COURSE, since)]
    return Cardinality(totals.series, totals.active, totals.day, totals.week, metrics, labels, course)
