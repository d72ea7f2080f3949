"""Alerts of what fills up: the rules that watch capacity, stepped from what the newest run has said."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select

from app.actions.transitions import Evaluated, record_transitions, tell
from app.domain.alerting import capacity_rules
from app.domain.alerting.capacity_rules import Filling
from app.domain.tenancy import TenantId
from app.errors import WatchfloorError
from app.promql.parse import parse_selector
from app.queries.previews import fillings
from app.queries.rules import rule_of
from models.alerting import RuleRow
from models.session import tenant_session


def raise_alerts(tenant: TenantId, *, now: datetime) -> int:
    """Step the alerts of every rule that watches capacity; answers how many fire."""
    with tenant_session(tenant) as session:
        query = select(RuleRow).where(
            RuleRow.tenant_id == tenant, RuleRow.kind == capacity_rules.KIND, RuleRow.is_enabled
        )
        rows = session.scalars(query).all()
        if not rows:
            return 0
        things = fillings(session, tenant, today=now.date())
        evaluated = [item for row in rows if (item := _evaluated(row, things, now)) is not None]
        news = record_transitions(session, tenant, evaluated, at=now, now=now, stopped_at=None)
    tell(tenant, news)
    return sum(len(item.instances) for item in evaluated)


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
