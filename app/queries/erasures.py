"""Erasures of tenants, for platform admins: what there was, and what was left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from app.auth.permissions import require
from app.domain.tenancy import ADMIN, TenantId, Viewer
from app.queries.tenants import tenant
from app.tsdb import erase
from models.session import platform_session
from models.tenants import ErasureRow


@dataclass(frozen=True)
class Erasure:
    """One erasure; `finished_at` is None while it is under way. Counts by table and kind, only those above 0."""

    id: int
    name: str
    requested_by: str
    requested_at: datetime
    finished_at: datetime | None
    before: Mapping[str, int]
    after: Mapping[str, int]


def erasures(viewer: Viewer) -> list[Erasure]:
    """All of them, the newest first."""
    require(viewer, ADMIN, "tenants")
    with platform_session() as session:
        rows = session.scalars(select(ErasureRow).order_by(ErasureRow.id.desc()).limit(100))
        return [erasure_of(row) for row in rows]


def left_of(viewer: Viewer, name: str) -> dict[str, int]:
    """What there is of a tenant; raises NotFound."""
    require(viewer, ADMIN, "tenants")
    return erase.counts(TenantId(tenant(viewer, name).id))


def erasure_of(row: ErasureRow) -> Erasure:
    """The row as a value."""
    return Erasure(row.id, row.name, row.requested_by, row.requested_at, row.finished_at, row.before, row.after)
