"""What a tenant's senders sent that was not taken, and how much of its budgets is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import func, select

from app.auth.permissions import require
from app.domain.refusals import refusal_of
from app.domain.tenancy import READ, TenantId, Viewer
from app.tsdb import active
from app.tsdb import dead_letters as letters
from app.tsdb.dead_letters import DeadLetter
from app.tsdb.refused import BUCKET_S, EVER
from models.samples import RejectedCountRow, RejectedSampleRow
from models.session import tenant_session
from models.tenants import TenantRow

LONGEST: Final = timedelta(days=30)


@dataclass(frozen=True)
class Rejected:
    """Samples of one request that were refused for one reason; `position` -1 and `count` 0: the whole request."""

    id: int
    at: datetime
    agent: str
    source: str
    word: str
    reason: str
    count: int
    position: int
    request_id: str


@dataclass(frozen=True)
class RefusedTotal:
    """How much of one agent was refused for one reason."""

    agent: str
    source: str
    word: str
    samples: int
    requests: int
    last_at: datetime


@dataclass(frozen=True)
class Usage:
    """How much of its budgets a tenant uses; `series` got a sample in the last two to three hours."""

    series: int
    active_series: int
    samples_per_s: int
    new_series_per_min: int


@dataclass(frozen=True)
class RejectedFilter:
    """Which refusals; an empty field does not matter."""

    agent: str = ""
    source: str = ""


def rejected(
    viewer: Viewer, wanted: RejectedFilter = RejectedFilter(), *, before: int | None = None, limit: int = 100
) -> list[Rejected]:
    """The newest refusals first, at most `limit` of those older than the one with the id `before`."""
    require(viewer, READ, "ingest")
    query = select(RejectedSampleRow).where(RejectedSampleRow.tenant_id == viewer.tenant)
    if wanted.agent:
        query = query.where(RejectedSampleRow.agent == wanted.agent)
    if wanted.source:
        query = query.where(RejectedSampleRow.source == wanted.source)
    if before is not None:
        query = query.where(RejectedSampleRow.id < before)
    with tenant_session(viewer.tenant) as session:
        return [_rejected(row) for row in session.scalars(query.order_by(RejectedSampleRow.id.desc()).limit(limit))]


def totals(viewer: Viewer, *, since: datetime) -> list[RefusedTotal]:
    """What was refused since then by agent, source and reason, most samples first."""
    require(viewer, READ, "ingest")
    row = RejectedCountRow
    query = (
        select(row.agent, row.source, row.reason, func.sum(row.samples), func.sum(row.requests), func.max(row.bucket))
        .where(row.tenant_id == viewer.tenant, row.bucket >= _bucket(since))
        .group_by(row.agent, row.source, row.reason)
        .order_by(func.sum(row.samples).desc(), row.agent, row.source, row.reason)
    )
    with tenant_session(viewer.tenant) as session:
        return [
            RefusedTotal(agent, source, word, int(samples), int(requests), last + timedelta(seconds=BUCKET_S))
            for agent, source, word, samples, requests, last in session.execute(query)
        ]


def course(viewer: Viewer, *, since: datetime) -> Mapping[str, Mapping[datetime, int]]:
    """Samples refused in every five minutes since then, by reason; buckets without any are absent."""
    require(viewer, READ, "ingest")
    row = RejectedCountRow
    query = (
        select(row.reason, row.bucket, func.sum(row.samples))
        .where(row.tenant_id == viewer.tenant, row.bucket >= _bucket(since))
        .group_by(row.reason, row.bucket)
        .order_by(row.reason, row.bucket)
    )
    found: dict[str, dict[datetime, int]] = {}
    with tenant_session(viewer.tenant) as session:
        for word, bucket, samples in session.execute(query):
            found.setdefault(word, {})[bucket] = int(samples)
    return found


def ever(tenant: TenantId) -> list[tuple[str, str, str, int, int]]:
    """Agent, source, reason, samples and requests refused in all time: counters, which never fall."""
    row = RejectedCountRow
    query = (
        select(row.agent, row.source, row.reason, row.samples, row.requests)
        .where(row.tenant_id == tenant, row.bucket == EVER)
        .order_by(row.agent, row.source, row.reason)
    )
    with tenant_session(tenant) as session:
        return [(*found,) for found in session.execute(query)]


def usage(viewer: Viewer) -> Usage:
    """Series that get samples, beside what the tenant may have."""
    require(viewer, READ, "ingest")
    series = active.count(viewer.tenant)
    with tenant_session(viewer.tenant) as session:
        tenant = session.get_one(TenantRow, viewer.tenant)
        return Usage(series, tenant.active_series, tenant.samples_per_s, tenant.new_series_per_min)


def dead_letters(viewer: Viewer) -> list[DeadLetter]:
    """The entries of the tenant that could not be stored, the newest first."""
    require(viewer, READ, "ingest")
    return letters.letters(viewer.tenant)


def _rejected(row: RejectedSampleRow) -> Rejected:
    return Rejected(
        id=row.id,
        at=row.at,
        agent=row.agent,
        source=row.source,
        word=refusal_of(row.reason),
        reason=row.reason,
        count=row.count,
        position=row.position,
        request_id=row.request_id,
    )


def _bucket(since: datetime) -> datetime:
    """The beginning of the bucket that holds this moment; never that of all time."""
    since_s = max(int(since.timestamp()), BUCKET_S)
    return datetime.fromtimestamp(since_s - since_s % BUCKET_S, UTC)
