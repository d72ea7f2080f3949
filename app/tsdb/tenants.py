"""What a tenant may send, what was refused, and what its senders say about metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from threading import Lock

from sqlalchemy import text

from app import clock
from app.domain.samples import Metadata, Rejection, Window
from app.domain.tenancy import TenantId
from models.session import generation, tenant_connection

# How long a process goes on with the limits it has read: a change in Admin shows after so many seconds.
LIMITS_AGE_S = 10.0
# How many rows a tenant keeps in rejected_samples.
REJECTED_KEPT = 1_000
MOST_REASONS = 20
# What a tenant can have told about metrics, and how long a help text is kept.
MOST_DESCRIBED = 20_000
LONGEST_TEXT = 1_000

_LIMITS = text(
    "select accept_from, accept_late_s, accept_ahead_s, samples_per_s, closed_at from tenants where id = :tenant"
)
_REJECT = text(
    "insert into rejected_samples (tenant_id, source, reason, count, position, request_id)"
    " values (:tenant, :source, :reason, :count, :position, :request_id)"
)
# Uses rejected_samples_newest_idx from its end.
_TRIM = text(
    "delete from rejected_samples where tenant_id = :tenant and id <= (select id from rejected_samples"
    " where tenant_id = :tenant order by id desc offset :kept limit 1)"
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

    def window(self, now_ms: int) -> Window:
        """The times that the tenant accepts at `now_ms`."""
        start = now_ms - self.accept_late_s * 1000
        if self.accept_from is not None:
            start = min(start, int(self.accept_from.timestamp() * 1000))
        return Window(start, now_ms + self.accept_ahead_s * 1000)


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


def record_rejected(tenant: TenantId, rejected: Sequence[Rejection], *, source: str, request_id: str) -> None:
    """Keep what was refused in a request, one row for each reason; the oldest of the tenant go."""
    rows: dict[str, dict[str, object]] = {}
    counts: Counter[str] = Counter()
    for rejection in rejected:
        counts[rejection.reason] += rejection.count
        rows.setdefault(rejection.reason, {"position": rejection.index, "reason": rejection.reason})
    with tenant_connection(tenant) as connection:
        for reason, row in islice(rows.items(), MOST_REASONS):
            connection.execute(
                _REJECT, {"tenant": tenant, "source": source, "request_id": request_id, "count": counts[reason], **row}
            )
        connection.execute(_TRIM, {"tenant": tenant, "kept": REJECTED_KEPT})


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
    return TenantLimits(row.accept_from, row.accept_late_s, row.accept_ahead_s, row.samples_per_s, bool(row.closed_at))
