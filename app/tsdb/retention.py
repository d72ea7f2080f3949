"""How long raw samples are kept, and the partitions that wait for new ones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text

from app.domain.tenancy import TenantId
from models.session import platform_session, tenant_connection, writer_connection

AHEAD: Final = timedelta(days=2)
STEP: Final = timedelta(hours=6)
REJECTED_DAYS: Final = 30

_TENANTS = text("select id, raw_retention_days, accept_from from tenants")
_MAKE = text("select watchfloor_make_partitions(cast(:moments as timestamptz[]))")
_DROP = text("select watchfloor_drop_partitions(:before)")
_DELETE = text("delete from sample_hot where tenant_id = :tenant and ts < :before")
_DELETE_REJECTED = text("delete from rejected_samples where tenant_id = :tenant and at < :before")


@dataclass(frozen=True)
class Retained:
    """What a run of retention did."""

    dropped: int
    deleted: int


def make_partitions(now: datetime) -> int:
    """Make the partitions that samples of the coming days will need; answers how many were missing."""
    count = AHEAD // STEP + 1
    with writer_connection() as connection:
        return connection.scalar(_MAKE, {"moments": [now + step * STEP for step in range(count)]}) or 0


def drop_expired(now: datetime) -> Retained:
    """Drop what is older than the longest term of any tenant, and each tenant's rows older than its own.

    A tenant that opened its window with `accept_from` to load old data keeps that data.
    """
    terms = _terms(now)
    longest = min(terms.values(), default=now)
    dropped = deleted = 0
    for tenant in list(terms)[:1]:  # partitions belong to all, so any tenant's session may drop them
        with tenant_connection(tenant) as connection:
            dropped = connection.scalar(_DROP, {"before": longest}) or 0
    for tenant, before in terms.items():
        with tenant_connection(tenant) as connection:
            if before > longest:
                deleted += connection.execute(_DELETE, {"tenant": tenant, "before": before}).rowcount
            connection.execute(_DELETE_REJECTED, {"tenant": tenant, "before": now - timedelta(days=REJECTED_DAYS)})
    return Retained(dropped, deleted)


def _terms(now: datetime) -> dict[TenantId, datetime]:
    """The oldest moment that each tenant keeps."""
    with platform_session() as session:
        rows = session.execute(_TENANTS).all()
    return {TenantId(row.id): min(now - timedelta(days=row.raw_retention_days), row.accept_from or now) for row in rows}
