"""What was refused: the newest of each tenant with their sentences, and counts over time by agent, source and word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from sqlalchemy import Connection, text

from app.clock import utc_now
from app.domain.refusals import Refusal, refusal_of
from app.domain.samples import Rejection
from app.domain.tenancy import TenantId
from models.session import tenant_connection

# How many rows a tenant keeps in rejected_samples.
REJECTED_KEPT: Final = 1_000
MOST_REASONS: Final = 20
LONGEST_REASON: Final = 500
BUCKET_S: Final = 300
KEPT: Final = timedelta(days=30)
# The bucket that holds the sum of all time: counters that programs read must not fall when old buckets go.
EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)

_REJECT = text(
    "insert into rejected_samples (tenant_id, agent, source, reason, count, position, request_id)"
    " values (:tenant, :agent, :source, :reason, :count, :position, :request_id)"
)
# Uses rejected_samples_newest_idx from its end.
_TRIM = text(
    "delete from rejected_samples where tenant_id = :tenant and id <= (select id from rejected_samples"
    " where tenant_id = :tenant order by id desc offset :kept limit 1)"
)
_COUNT = text(
    "insert into rejected_counts as c (tenant_id, bucket, agent, source, reason, samples, requests)"
    " values (:tenant, :bucket, :agent, :source, :reason, :samples, :requests)"
    " on conflict (tenant_id, bucket, agent, source, reason)"
    " do update set samples = c.samples + excluded.samples, requests = c.requests + excluded.requests"
)
_FORGET = text("delete from rejected_counts where tenant_id = :tenant and bucket > :ever and bucket < :before")


@dataclass(frozen=True)
class Sender:
    """Who sent a request: the name of its token, the protocol, and the request's id."""

    agent: str
    source: str
    request_id: str


def record_rejected(tenant: TenantId, rejected: Sequence[Rejection], sender: Sender) -> None:
    """Keep what was refused in a request, one row for each sentence; the oldest of the tenant go."""
    rows: dict[str, Rejection] = {}
    counts: Counter[str] = Counter()
    words: Counter[Refusal] = Counter()
    for rejection in rejected:
        reason = rejection.reason[:LONGEST_REASON]
        counts[reason] += rejection.count
        words[refusal_of(reason)] += rejection.count
        rows.setdefault(reason, rejection)
    with tenant_connection(tenant) as connection:
        for reason, first in islice(rows.items(), MOST_REASONS):
            _insert(connection, tenant, sender, reason=reason, count=counts[reason], position=first.index)
        for word in sorted(words):  # one order, so that two requests cannot deadlock
            _add(connection, tenant, sender, reason=word, samples=words[word], requests=1)
        connection.execute(_TRIM, {"tenant": tenant, "kept": REJECTED_KEPT})


def record_refused(
    tenant: TenantId, sender: Sender, *, word: Refusal, sentence: str, samples: int, requests: int
) -> None:
    """Keep that whole requests were refused; `samples` is 0 where nobody read how many they hold."""
    with tenant_connection(tenant) as connection:
        _insert(connection, tenant, sender, reason=sentence[:LONGEST_REASON], count=samples, position=-1)
        _add(connection, tenant, sender, reason=word, samples=samples, requests=requests)
        connection.execute(_TRIM, {"tenant": tenant, "kept": REJECTED_KEPT})


def forget(tenant: TenantId, *, now: datetime) -> int:
    """Delete the counts past their term, the sums of all time excepted; answers how many."""
    with tenant_connection(tenant) as connection:
        return connection.execute(_FORGET, {"tenant": tenant, "ever": EVER, "before": now - KEPT}).rowcount


def _insert(
    connection: Connection, tenant: TenantId, sender: Sender, *, reason: str, count: int, position: int
) -> None:
    row = {"tenant": tenant, "reason": reason.replace("\0", " "), "count": count, "position": position}
    connection.execute(_REJECT, row | vars(sender))


def _add(
    connection: Connection, tenant: TenantId, sender: Sender, *, reason: Refusal, samples: int, requests: int
) -> None:
    now_s = int(utc_now().timestamp())
    bucket = datetime.fromtimestamp(now_s - now_s % BUCKET_S, UTC)
    row = {"tenant": tenant, "reason": reason, "samples": samples, "requests": requests, **vars(sender)}
    connection.execute(_COUNT, [row | {"bucket": each} for each in (EVER, bucket)])
