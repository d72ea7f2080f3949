"""Which pieces of six hours have left a tenant's raw samples, wholly or to the archive.

Read by themselves and not joined with samples: those may lie on other servers than this list.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, text

from app.domain.tenancy import TenantId

_GONE = text("select bucket from raw_gone where tenant_id = :tenant and bucket >= :start and bucket < :end")
_ARCHIVED = text("select bucket from archives where tenant_id = :tenant and bucket >= :start and bucket < :end")
_KEPT = text("select bucket from archives where tenant_id = :tenant and restored_until > :now")


def gone(connection: Connection, tenant: TenantId, start: datetime, end: datetime) -> frozenset[datetime]:
    """The pieces that begin in [start, end) of which no raw sample is left anywhere."""
    return frozenset(connection.scalars(_GONE, {"tenant": tenant, "start": start, "end": end}))


def archived(connection: Connection, tenant: TenantId, start: datetime, end: datetime) -> frozenset[datetime]:
    """The pieces that begin in [start, end) and are in the archive; one that was restored is here as well."""
    return frozenset(connection.scalars(_ARCHIVED, {"tenant": tenant, "start": start, "end": end}))


def kept(connection: Connection, tenant: TenantId, now: datetime) -> frozenset[datetime]:
    """The pieces that were restored and may not go yet."""
    return frozenset(connection.scalars(_KEPT, {"tenant": tenant, "now": now}))
