"""The job that sends one message of the outbox."""

from __future__ import annotations

from app.actions import notifications
from app.clock import utc_now
from app.domain.tenancy import TenantId


def deliver(*, tenant: int, delivery_id: int) -> None:
    """Send one delivery of a tenant, unless someone else has it."""
    notifications.deliver(TenantId(tenant), delivery_id, now=utc_now())
