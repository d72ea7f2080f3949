"""How many series a tenant has, by metric, label and value: what /api/v1/status/tsdb tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, text

from app.domain.tenancy import TenantId
from models.session import tenant_connection

Counts = Sequence[tuple[str, int]]

_TOTALS = text(
    "select watchfloor_active_series(:tenant) as series,"
    " (select count(*) from series_groups where tenant_id = :tenant) as groups, first_at as first, last_at as last"
    " from watchfloor_hot_span(:tenant)"
)
_BY_METRIC = text(
    "select coalesce(labels ->> '__name__', '') as name, count(*) as value from series where tenant_id = :tenant"
    " group by 1 order by 2 desc, 1 limit :limit"
)
_PAIRS: Final = (
    "with pairs as materialized (select p.key, p.value, count(*) as series from series s,"
    " jsonb_each_text(s.labels) p where s.tenant_id = :tenant group by 1, 2) "
)
_PER_LABEL = text(
    _PAIRS  # noqa: S608  constants
    + "select key, count(*) as distinct_values, sum(octet_length(value) * series)::bigint as bytes"
    " from pairs group by 1"
)
_BY_PAIR = text(
    _PAIRS  # noqa: S608  constants
    + "select key || '=' || value as name, series as value from pairs order by 2 desc, 1 limit :limit"
)


@dataclass(frozen=True)
class SeriesCounts:
    """Counts, the greatest first. Times are ms of the oldest and newest sample in the hot store; None without any.

    `series` are those that got a sample in the last two to three hours, as in Prometheus's head; the lists count the
    whole catalogue.
    """

    series: int
    label_pairs: int
    groups: int
    first_ms: int | None
    last_ms: int | None
    by_metric: Counts
    values_by_label: Counts
    bytes_by_label: Counts
    by_pair: Counts


def series_counts(tenant: TenantId, limit: int) -> SeriesCounts:
    """The counts of one tenant, at most `limit` in each list."""
    with tenant_connection(tenant) as connection:
        totals = connection.execute(_TOTALS, {"tenant": tenant}).one()
        per_label = connection.execute(_PER_LABEL, {"tenant": tenant}).all()
        by_metric = _ranked(connection, _BY_METRIC, tenant, limit)
        by_pair = _ranked(connection, _BY_PAIR, tenant, limit)
    return SeriesCounts(
        series=totals.series,
        label_pairs=sum(row.distinct_values for row in per_label),
        groups=totals.groups,
        first_ms=None if totals.first is None else round(totals.first.timestamp() * 1000),
        last_ms=None if totals.last is None else round(totals.last.timestamp() * 1000),
        by_metric=by_metric,
        values_by_label=_greatest([(row.key, row.distinct_values) for row in per_label], limit),
        bytes_by_label=_greatest([(row.key, row.bytes) for row in per_label], limit),
        by_pair=by_pair,
    )


def _ranked(connection: Connection, query: Any, tenant: TenantId, limit: int) -> Counts:
    return [(row.name, row.value) for row in connection.execute(query, {"tenant": tenant, "limit": limit})]


def _greatest(counts: Counts, limit: int) -> Counts:
    return sorted(counts, key=lambda each: (-each[1], each[0]))[:limit]
