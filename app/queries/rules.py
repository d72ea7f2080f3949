"""Rule groups and rules as they are, with their health and the alerts they have raised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.auth.permissions import require
from app.domain.alerting import anomaly_rules, capacity_rules
from app.domain.alerting.alert import Alert, Severity
from app.domain.alerting.kinds import check_kind
from app.domain.alerting.preview import Preview, episodes_of
from app.domain.alerting.rulefile import check_rule
from app.domain.alerting.rules import Rule
from app.domain.alerting.state import State
from app.domain.samples import is_absent
from app.domain.tenancy import READ, Viewer
from app.errors import InvalidInput, NotFound
from app.queries import previews
from app.queries.alerts import alert_of
from app.queries.metrics import query_range
from models.alerting import AlertRow, RuleGroupRow, RuleRow
from models.session import tenant_session

# A preview evaluates at most so often; over a longer time its steps are wider than the group's interval.
MOST_STEPS: Final = 2000
MOST_POINTS: Final = 4_000_000
# A round that is late by less than this is no news.
LATE_S: Final = 60


@dataclass(frozen=True)
class StoredRule:
    """A rule as stored: `health` is ok, error or unknown; `state` firing, pending or inactive."""

    id: int
    group_id: int
    rule: Rule
    health: str
    last_error: str
    evaluated_at: datetime | None
    duration_s: float | None
    changed_at: datetime
    alerts: tuple[Alert, ...]

    @property
    def state(self) -> str:
        """That of its worst alert."""
        states = {alert.state for alert in self.alerts}
        return next((state for state in (State.FIRING, State.PENDING) if state in states), "inactive")


@dataclass(frozen=True)
class StoredGroup:
    """A group as stored, its rules in the order of their evaluation."""

    id: int
    name: str
    interval_s: int
    evaluated_at: datetime | None
    duration_s: float | None
    missed: int
    rules: tuple[StoredRule, ...]


def groups(viewer: Viewer) -> list[StoredGroup]:
    """Every rule group of the tenant, by name."""
    require(viewer, READ, "rules")
    with tenant_session(viewer.tenant) as session:
        query = select(RuleGroupRow).where(RuleGroupRow.tenant_id == viewer.tenant).order_by(RuleGroupRow.name)
        return _load(session, viewer, session.scalars(query).all())


def group(viewer: Viewer, group_id: int) -> StoredGroup:
    """One rule group; raises NotFound."""
    require(viewer, READ, "rules")
    with tenant_session(viewer.tenant) as session:
        query = select(RuleGroupRow).where(RuleGroupRow.tenant_id == viewer.tenant, RuleGroupRow.id == group_id)
        found = _load(session, viewer, session.scalars(query).all())
    if not found:
        raise NotFound(f"There is no rule group {group_id}.")
    return found[0]


def late_since(viewer: Viewer, *, now: datetime) -> datetime | None:
    """Since when a group has not been evaluated although it was due at least four times; None when all are on time."""
    require(viewer, READ, "alerts")
    seen = func.coalesce(RuleGroupRow.evaluated_at, RuleGroupRow.created_at)
    allowed = func.make_interval(0, 0, 0, 0, 0, 0, func.greatest(RuleGroupRow.interval_s * 4, LATE_S))
    query = select(func.min(seen)).where(RuleGroupRow.tenant_id == viewer.tenant, seen + allowed < now)
    with tenant_session(viewer.tenant) as session:
        return session.scalar(query)


def rule(viewer: Viewer, rule_id: int) -> StoredRule:
    """One rule with its open alerts; raises NotFound."""
    require(viewer, READ, "rules")
    with tenant_session(viewer.tenant) as session:
        row = session.scalar(select(RuleRow).where(RuleRow.tenant_id == viewer.tenant, RuleRow.id == rule_id))
        if row is None:
            raise NotFound(f"There is no rule {rule_id}.")
        return _stored(row, _open_alerts(session, viewer, [row.id]).get(row.id, []))


def preview(viewer: Viewer, draft: Rule, *, start: datetime, end: datetime, interval_s: int) -> Preview:
    """How often `draft` would have fired between two moments; a rule of capacity: whom it would tell of now.

    Raises InvalidInput or QueryError as saving it would.
    """
    require(viewer, READ, "rules")
    check_rule(draft)
    check_kind(draft)
    if not start < end:
        raise InvalidInput("end", "must be after start")
    if draft.kind == anomaly_rules.KIND:
        return previews.of_anomalies(viewer, draft, start=start, end=end)
    if draft.kind == capacity_rules.KIND:
        return previews.of_capacity(viewer, draft, now=end)
    if not 1 <= interval_s <= 86_400:
        raise InvalidInput("interval_s", "must be from 1 to 86400")
    step_s = max(interval_s, -(-int((end - start).total_seconds()) // MOST_STEPS))
    first_s, last_s = (int(moment.timestamp()) // step_s * step_s for moment in (start, end))
    matrix = query_range(viewer, draft.expr, start_ms=first_s * 1000, end_ms=last_s * 1000, step_ms=step_s * 1000)
    if matrix.values.size > MOST_POINTS:
        raise InvalidInput("expr", f"matches too much to try out ({len(matrix)} series): narrow it or shorten the time")
    present = ~is_absent(matrix.values)
    found = episodes_of(draft, matrix.labels, matrix.ts_ms, present, step_ms=step_s * 1000)
    return Preview(step_s, len(matrix), tuple(found))


def rule_of(row: RuleRow) -> Rule:
    """The domain's rule of a row."""
    return Rule(
        name=row.name,
        expr=row.expr,
        for_s=row.for_s,
        keep_firing_for_s=row.keep_firing_for_s,
        severity=Severity(row.severity),
        alert_class=row.alert_class,
        labels=row.labels,
        annotations=row.annotations,
        is_enabled=row.is_enabled,
        kind=row.kind,
        criteria=row.criteria,
    )


def _load(session: Session, viewer: Viewer, rows: Sequence[RuleGroupRow]) -> list[StoredGroup]:
    query = (
        select(RuleRow)
        .where(RuleRow.tenant_id == viewer.tenant, RuleRow.group_id.in_([row.id for row in rows]))
        .order_by(RuleRow.position, RuleRow.id)
    )
    rules = session.scalars(query).all()
    alerts = _open_alerts(session, viewer, [row.id for row in rules])
    return [
        StoredGroup(
            id=row.id,
            name=row.name,
            interval_s=row.interval_s,
            evaluated_at=row.evaluated_at,
            duration_s=row.duration_s,
            missed=row.missed,
            rules=tuple(_stored(rule, alerts.get(rule.id, [])) for rule in rules if rule.group_id == row.id),
        )
        for row in rows
    ]


def _open_alerts(session: Session, viewer: Viewer, rule_ids: Sequence[int]) -> dict[int, list[Alert]]:
    query = (
        select(AlertRow)
        .where(AlertRow.tenant_id == viewer.tenant, AlertRow.rule_id.in_(rule_ids), AlertRow.state != State.RESOLVED)
        .order_by(AlertRow.active_at, AlertRow.id)
    )
    found: dict[int, list[Alert]] = {}
    for row in session.scalars(query):
        assert row.rule_id is not None
        found.setdefault(row.rule_id, []).append(alert_of(row))
    return found


def _stored(row: RuleRow, alerts: Sequence[Alert]) -> StoredRule:
    return StoredRule(
        id=row.id,
        group_id=row.group_id,
        rule=rule_of(row),
        health=row.health,
        last_error=row.last_error,
        evaluated_at=row.evaluated_at,
        duration_s=row.duration_s,
        changed_at=row.changed_at,
        alerts=tuple(alerts),
    )
