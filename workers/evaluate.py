"""The job that evaluates one rule group at one moment."""

from __future__ import annotations

from app.actions import evaluations
from app.clock import utc_now
from app.domain.tenancy import TenantId
from app.queries.metrics import query_instant


def evaluate_group(*, tenant: int, group_id: int, slot_ms: int) -> None:
    """Evaluate a group of a tenant at `slot_ms`, unless someone else did."""
    evaluations.evaluate_group(TenantId(tenant), group_id, slot_ms, query=query_instant, now=utc_now())
