"""The end of what nobody looks at any more: resolved alerts after a year, and what was sent of them before that."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select

from app.domain.tenancy import TenantId
from models.alerting import AlertRow, DeliveryRow
from models.session import tenant_session

ALERTS_KEPT: Final = timedelta(days=365)
DELIVERIES_KEPT: Final = timedelta(days=90)
# Of one run, so that its transaction stays short; the next goes on.
MOST: Final = 20_000


def purge(tenant: TenantId, *, now: datetime) -> tuple[int, int]:
    """Delete alerts resolved over a year ago with their timelines, and the deliveries of those resolved over 90 days.

    Answers how many of each. An alert that is held (resolved by hand while its condition lasts) stays.
    """
    is_over = (AlertRow.tenant_id == tenant, AlertRow.state == "resolved", AlertRow.is_held.is_(False))
    old = select(AlertRow.id).where(*is_over, AlertRow.resolved_at < now - ALERTS_KEPT).limit(MOST)
    told = (
        select(DeliveryRow.id)
        .join(AlertRow, AlertRow.id == DeliveryRow.alert_id)
        .where(DeliveryRow.tenant_id == tenant, *is_over, AlertRow.resolved_at < now - DELIVERIES_KEPT)
        .limit(MOST)
    )
    with tenant_session(tenant) as session:
        alerts = session.scalars(delete(AlertRow).where(AlertRow.id.in_(old)).returning(AlertRow.id)).all()
        deliveries = session.scalars(
            delete(DeliveryRow).where(DeliveryRow.id.in_(told)).returning(DeliveryRow.id)
        ).all()
    return len(alerts), len(deliveries)
