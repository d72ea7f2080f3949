"""The job that sends messages of the outbox."""

from __future__ import annotations

from app.actions import notifications
from app.domain.tenancy import TenantId


def deliver(*, tenant: int, delivery_id: int) -> None:
    """Send one delivery of a tenant, unless someone else has it, and go on with what else is due."""
    notifications.deliver_all_due(TenantId(tenant), delivery_id)
