"""Tenants: a platform admin sees all, everybody else their own."""

from __future__ import annotations

from sqlalchemy import Select, select

from app.domain.access import Tenant
from app.domain.tenancy import READ, Viewer, may
from app.errors import NotFound
from models.session import platform_session
from models.tenants import TenantRow


def tenants(viewer: Viewer, *, after: str = "", limit: int = 1000) -> list[Tenant]:
    """Tenants by name, at most `limit` of those after `after`."""
    found = _visible(viewer).where(TenantRow.name > after).order_by(TenantRow.name).limit(limit)
    with platform_session() as session:
        return [tenant_of(row) for row in session.scalars(found)]


def tenant(viewer: Viewer, name: str) -> Tenant:
    """One tenant; raises NotFound."""
    with platform_session() as session:
        row = session.scalar(_visible(viewer).where(TenantRow.name == name))
        if row is None:
            raise NotFound(f"There is no tenant {name}.")
        return tenant_of(row)


def tenant_of(row: TenantRow) -> Tenant:
    """The row as a value."""
    return Tenant(
        id=row.id,
        name=row.name,
        title=row.title,
        accept_from=row.accept_from,
        accept_late_s=row.accept_late_s,
        accept_ahead_s=row.accept_ahead_s,
        samples_per_s=row.samples_per_s,
        active_series=row.active_series,
        burst_s=row.burst_s,
        new_series_per_min=row.new_series_per_min,
        most_labels=row.most_labels,
        most_name_chars=row.most_name_chars,
        most_value_chars=row.most_value_chars,
        most_body_bytes=row.most_body_bytes,
        raw_retention_days=row.raw_retention_days,
        retention_5m_days=row.retention_5m_days,
        retention_1h_days=row.retention_1h_days,
        retention_1d_days=row.retention_1d_days,
        created_at=row.created_at,
        closed_at=row.closed_at,
    )


def _visible(viewer: Viewer) -> Select[TenantRow]:
    everything = select(TenantRow)
    return everything if may(viewer, READ, "tenants") else everything.where(TenantRow.id == viewer.tenant)
