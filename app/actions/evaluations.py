"""Evaluating rule groups: who evaluates which group at which moment, and saving what came of it.

A (group, moment) is evaluated once: its claim is a moment in the group's row that only ever grows.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol

from sqlalchemy import Select, or_, select, text, update
from sqlalchemy.orm import Session

from app import jobs, selfmetrics
from app.actions.transitions import Evaluated, News, record_transitions, tell
from app.clock import monotonic_s
from app.domain.alerting.rules import Instance, Rule, instances_of
from app.domain.labels import Labels
from app.domain.tenancy import Role, TenantId, Viewer
from app.errors import QueryError, WatchfloorError
from app.promql.result import Result, Scalar, Vector
from app.queries.rules import rule_of
from app.valkey import valkey
from models.alerting import RuleGroupRow, RuleRow
from models.session import platform_session, tenant_session

log = logging.getLogger(__name__)

MAX_INSTANCES: Final = 20_000
# The scheduler looks every second; a slot is put on the queue by the first look that sees it.
DUE = text("""
    select g.id, g.tenant_id, g.interval_s from rule_groups g join tenants t on t.id = g.tenant_id
    where t.closed_at is null and (g.slot_at is null or g.slot_at <= :now - make_interval(secs => g.interval_s))
""")


class InstantQuery(Protocol):
    """app.queries.metrics.query_instant, or a test's own source of samples."""

    def __call__(self, viewer: Viewer, expr: str, *, at_ms: int) -> Result:
        """The result of `expr` at one moment, for the viewer's tenant."""
        ...


class Outcome(StrEnum):
    """What became of one job."""

    EVALUATED = "evaluated"
    GONE = "gone"
    TAKEN = "taken"
    MISSED = "missed"
    OVERTAKEN = "overtaken"


@dataclass(frozen=True)
class _Claim:
    group_id: int
    at: datetime
    now: datetime
    rules: tuple[tuple[int, Rule], ...]


@dataclass(frozen=True)
class _Finding:
    """What the query of one rule answered: alerts, or why there is no answer."""

    instances: Mapping[str, Instance]
    error: str
    duration_s: float


def enqueue_due_groups(now: datetime) -> int:
    """Put one job on the queue for each group whose next moment has come; answers how many.

    Moments are whole multiples of the group's interval since 1970, so every scheduler counts the same ones.
    """
    with platform_session() as session:
        groups = session.execute(DUE, {"now": now}).all()
    count = 0
    for group_id, tenant, interval_s in groups:
        slot_ms = int(now.timestamp()) // interval_s * interval_s * 1000
        key = f"rules:queued:{tenant}:{group_id}:{slot_ms}"
        if valkey().set(key, 1, nx=True, ex=max(60, 2 * interval_s)):
            jobs.enqueue(jobs.EVALUATE, tenant=tenant, group_id=group_id, slot_ms=slot_ms)
            count += 1
    return count


def evaluate_group(tenant: TenantId, group_id: int, slot_ms: int, *, query: InstantQuery, now: datetime) -> Outcome:
    """Evaluate the rules of a group at `slot_ms` and save transitions, timeline and outbox in one transaction.

    A query that fails freezes the alerts of its rule (A9). A job that comes after the next moment is due is skipped
    and counts as missed (A11).
    """
    outcome = _evaluate(tenant, group_id, slot_ms, query=query, now=now)
    selfmetrics.EVALUATIONS.labels(outcome).inc()
    return outcome


def result_rows(result: Result) -> list[tuple[Labels, float]]:
    """A query result as (labels, value); a scalar is one row without labels. Raises QueryError for other shapes."""
    if isinstance(result, Vector):
        if len(result) > MAX_INSTANCES:
            raise QueryError(f"the query returns more than {MAX_INSTANCES} series", kind="execution")
        return list(zip(result.labels, result.values.tolist(), strict=True))
    if isinstance(result, Scalar):
        return [((), result.value)]
    raise QueryError("a rule's query must answer an instant vector or a scalar", kind="execution")


def _evaluate(tenant: TenantId, group_id: int, slot_ms: int, *, query: InstantQuery, now: datetime) -> Outcome:
    at = datetime.fromtimestamp(slot_ms / 1000, UTC)
    claimed = _claim(tenant, group_id, at, now)
    if isinstance(claimed, Outcome):
        return claimed
    started_s = monotonic_s()
    viewer = Viewer(tenant=tenant, tenant_name="", name="rules", role=Role.ADMIN)
    findings = {rule_id: _find(viewer, rule, slot_ms, query) for rule_id, rule in claimed.rules}
    with tenant_session(tenant) as session:
        news = _save(session, tenant, claimed, findings, duration_s=monotonic_s() - started_s)
    if news is None:
        return Outcome.OVERTAKEN
    tell(tenant, news)
    return Outcome.EVALUATED


def _claim(tenant: TenantId, group_id: int, at: datetime, now: datetime) -> _Claim | Outcome:
    """The rules to evaluate at `at`, for the one job that gets there first."""
    with tenant_session(tenant) as session:
        group = session.scalar(_the_group(tenant, group_id))
        if group is None:
            return Outcome.GONE
        interval = timedelta(seconds=group.interval_s)
        if now >= at + 2 * interval:
            return Outcome.MISSED
        claim = (
            update(RuleGroupRow)
            .where(RuleGroupRow.id == group_id, or_(RuleGroupRow.slot_at.is_(None), RuleGroupRow.slot_at < at))
            .values(slot_at=at, missed=RuleGroupRow.missed + _missed_between(group.slot_at, at, interval))
            .returning(RuleGroupRow.id)
        )
        if session.scalar(claim) is None:
            return Outcome.TAKEN
        rows = session.scalars(
            select(RuleRow)
            .where(RuleRow.group_id == group_id, RuleRow.is_enabled, RuleRow.kind == "promql")
            .order_by(RuleRow.position, RuleRow.id)
        )
        return _Claim(group_id, at, now, tuple((row.id, rule_of(row)) for row in rows))


def _the_group(tenant: TenantId, group_id: int) -> Select[RuleGroupRow]:
    return select(RuleGroupRow).where(RuleGroupRow.tenant_id == tenant, RuleGroupRow.id == group_id)


def _missed_between(before: datetime | None, at: datetime, interval: timedelta) -> int:
    return 0 if before is None else max(0, (at - before) // interval - 1)


def _find(viewer: Viewer, rule: Rule, slot_ms: int, query: InstantQuery) -> _Finding:
    started_s = monotonic_s()
    try:
        instances = instances_of(rule, result_rows(query(viewer, rule.expr, at_ms=slot_ms)))
    except WatchfloorError as error:
        selfmetrics.RULE_FAILURES.inc()
        log.warning("rule failed", extra={"tenant": viewer.tenant, "rule": rule.name, "reason": str(error)})
        return _Finding({}, str(error) or type(error).__name__, monotonic_s() - started_s)
    return _Finding(instances, "", monotonic_s() - started_s)


def _save(
    session: Session,
    tenant: TenantId,
    claimed: _Claim,
    findings: Mapping[int, _Finding],
    *,
    duration_s: float,
) -> News | None:
    """Save an evaluation; None when a later one was claimed meanwhile, whose answer is newer."""
    at = claimed.at
    group = session.scalar(_the_group(tenant, claimed.group_id).with_for_update())
    if group is None or group.slot_at != at:
        return None
    stopped_at = _outage_began(group, at)
    rules = {row.id: row for row in session.scalars(select(RuleRow).where(RuleRow.group_id == group.id))}
    answered = []
    for rule_id, rule in claimed.rules:
        row, finding = rules.get(rule_id), findings[rule_id]
        if row is None or not row.is_enabled:
            continue
        row.health, row.last_error = ("error", finding.error) if finding.error else ("ok", "")
        row.evaluated_at, row.duration_s = claimed.now, finding.duration_s
        if not finding.error:
            answered.append(Evaluated(rule_id, rule, finding.instances))
    group.evaluated_at, group.duration_s = at, duration_s
    return record_transitions(session, tenant, answered, at=at, now=claimed.now, stopped_at=stopped_at)


def _outage_began(group: RuleGroupRow, at: datetime) -> datetime | None:
    """Since when nobody evaluated, if that is long enough to be an outage and not a late round."""
    if group.evaluated_at is None:
        return None
    late = max(timedelta(seconds=60), 4 * timedelta(seconds=group.interval_s))
    return group.evaluated_at if at - group.evaluated_at > late else None
