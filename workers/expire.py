"""The job that ends alerts from outside that nobody has sent again."""

from __future__ import annotations

from app.actions import received_alerts
from app.clock import utc_now
from app.domain.tenancy import TenantId


def expire(*, tenant: int) -> None:
    """End what has run out in one tenant."""
    received_alerts.expire(TenantId(tenant), now=utc_now())
