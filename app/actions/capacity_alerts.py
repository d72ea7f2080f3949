"""Alerts of what fills up: the rules that watch capacity, stepped from what the newest run has said."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actions.transitions import Evaluated, record_transitions, tell
from app.domain.alerting import capacity_rules
from app.domain.alerting.capacity_rules import Filling
from app.domain.forecast.capacity_plan import NO_CHANCE, saying
from app.domain.labels import labels_of
from app.domain.tenancy import TenantId
from app.errors import WatchfloorError
from app.promql.parse import parse_selector
from app.queries.rules import rule_of
from models.alerting import RuleRow
from models.capacity import CapacityItemRow
from models.session import tenant_session

# What no run has seen for so long raises nothing.
FRESH_DAYS: Final = 7


def raise_alerts(tenant: TenantId, *, now: datetime) -> int:
    """Step the alerts of every rule that watches capacity; answers how many fire."""
    with tenant_session(tenant) as session:
        query = select(RuleRow).where(
            RuleRow.tenant_id == tenant, RuleRow.kind == capacity_rules.KIND, RuleRow.is_enabled
        )
        rows = session.scalars(query).all()
        if not rows:
            return 0
        things = _things(session, tenant, now.date() - timedelta(days=FRESH_DAYS))
        evaluated = [item for row in rows if (item := _evaluated(row, things, now)) is not None]
        news = record_transitions(session, tenant, evaluated, at=now, now=now, stopped_at=None)
    tell(tenant, news)
    return sum(len(item.instances) for item in evaluated)


def _things(session: Session, tenant: TenantId, since: date) -> list[Filling]:
    """Everything that may be full within a year."""
    # Uses capacity_items_rank_idx: what has no chance at all is at the end of the order.
    query = select(CapacityItemRow).where(
        CapacityItemRow.tenant_id == tenant, CapacityItemRow.rank < NO_CHANCE, CapacityItemRow.last_day >= since
    )
    found = []
    for row in session.scalars(query):
        chances = np.frombuffer(row.chances or b"", dtype="<f4")
        named = {**row.labels, "device": row.device_name, "kind": row.kind, "object": row.object}
        says = saying((row.d10, row.d50, row.d90), last_day=row.last_day, threshold=row.threshold)
        found.append(Filling(labels_of(named), chances.tolist(), says, row.now or 0.0))
    return found


def _evaluated(row: RuleRow, things: Sequence[Filling], now: datetime) -> Evaluated | None:
    rule = rule_of(row)
    try:
        criteria = capacity_rules.criteria_of(row.criteria)
        raised = capacity_rules.instances(rule, parse_selector(row.expr), criteria, things)
    except (WatchfloorError, ValueError) as error:
        row.health, row.last_error = "error", str(error)
        return None
    row.health, row.last_error, row.evaluated_at = "ok", "", now
    return Evaluated(row.id, rule, raised)
