"""What a tenant may send, and what its senders say about metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from sqlalchemy import text

from app import clock
from app.domain.labels import LabelLimits
from app.domain.samples import Metadata, Window
from app.domain.tenancy import TenantId
from app.tsdb.catalog import UNBOUND, SeriesBudget
from models.session import generation, tenant_connection

# How long a process goes on with the limits it has read: a change in Admin shows after so many seconds.
LIMITS_AGE_S = 10.0
# What a tenant can have told about metrics, and how long a help text is kept.
MOST_DESCRIBED = 20_000
LONGEST_TEXT = 1_000

_LIMITS = text(
    "select accept_from, accept_late_s, accept_ahead_s, samples_per_s, burst_s, new_series_per_min, most_labels,"
    " most_name_chars, most_value_chars, most_body_bytes, closed_at,"
    " array(select (extract(epoch from g.bucket) * 1000)::bigint from raw_gone g where g.tenant_id = :tenant"
    " and g.bucket > least(now() - make_interval(secs => accept_late_s), accept_from) - interval '6 hours') as gone_ms"
    " from tenants where id = :tenant"
)
_DESCRIBE = text(
    "insert into metric_metadata (tenant_id, metric, kind, help, unit)"
    " values (:tenant, :metric, :kind, :help, :unit)"
    " on conflict (tenant_id, metric) do update set kind = excluded.kind, help = excluded.help, unit = excluded.unit,"
    " changed_at = now() where (metric_metadata.kind, metric_metadata.help, metric_metadata.unit)"
    " is distinct from (excluded.kind, excluded.help, excluded.unit)"
)


@dataclass(frozen=True)
class TenantLimits:
    """What one tenant may send."""

    accept_from: datetime | None
    accept_late_s: int
    accept_ahead_s: int
    samples_per_s: int
    is_closed: bool
    burst_s: int = 30
    most_body_bytes: int = 0
    series: SeriesBudget = UNBOUND
    gone_ms: tuple[int, ...] = ()  # pieces of which only rollups are left, as far as the window reaches

    def window(self, now_ms: int) -> Window:
        """The times that the tenant accepts at `now_ms`."""
        start = now_ms - self.accept_late_s * 1000
        if self.accept_from is not None:
            start = min(start, int(self.accept_from.timestamp() * 1000))
        return Window(start, now_ms + self.accept_ahead_s * 1000, self.gone_ms)


_limits: dict[tuple[int, TenantId], tuple[float, TenantLimits]] = {}
_described: dict[tuple[int, TenantId], set[Metadata]] = {}
_lock = Lock()


def tenant_limits(tenant: TenantId) -> TenantLimits:
    """The limits of a tenant, at most LIMITS_AGE_S old. A tenant that is gone counts as closed."""
    name, now = (generation(), tenant), clock.monotonic_s()
    read_at, limits = _limits.get(name, (-LIMITS_AGE_S, None))
    if limits is None or now - read_at >= LIMITS_AGE_S:
        limits = _load_limits(tenant)
        _limits[name] = (now, limits)
    return limits


def describe_metrics(tenant: TenantId, metadata: Sequence[Metadata]) -> None:
    """Keep what a sender says about metrics; what this process has kept already costs nothing."""
    with _lock:
        described = _described.setdefault((generation(), tenant), set())
    fresh = [item for item in metadata if item not in described][: MOST_DESCRIBED - len(described)]
    if not fresh:
        return
    with tenant_connection(tenant) as connection:
        for item in sorted(fresh, key=lambda item: item.metric):  # one order, so that two requests cannot deadlock
            connection.execute(
                _DESCRIBE,
                {
                    "tenant": tenant,
                    "metric": item.metric[:LONGEST_TEXT],
                    "kind": item.kind,
                    "help": item.help[:LONGEST_TEXT],
                    "unit": item.unit[:LONGEST_TEXT],
                },
            )
    described.update(fresh)


def _load_limits(tenant: TenantId) -> TenantLimits:
    with tenant_connection(tenant) as connection:
        row = connection.execute(_LIMITS, {"tenant": tenant}).one_or_none()
    if row is None:
        return TenantLimits(None, 0, 0, 1, is_closed=True)
    return TenantLimits(
        accept_from=row.accept_from,
        accept_late_s=row.accept_late_s,
        accept_ahead_s=row.accept_ahead_s,
        samples_per_s=row.samples_per_s,
        is_closed=row.closed_at is not None,
        burst_s=row.burst_s,
        most_body_bytes=row.most_body_bytes,
        series=SeriesBudget(
            LabelLimits(row.most_labels, row.most_name_chars, row.most_value_chars), row.new_series_per_min
        ),
        gone_ms=tuple(row.gone_ms),
    )
