"""What people do to rules: groups and rules made, changed, deleted, imported; the pack that a tenant starts with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actions.audit import record
from app.actions.outbox import plan
from app.actions.transitions import Change, News, add_events, event_of, tell
from app.auth.permissions import require
from app.clock import utc_now
from app.domain.alerting import anomaly_rules, capacity_rules
from app.domain.alerting.kinds import check_kind
from app.domain.alerting.rulefile import RuleFile, check_rule, parse_rule_file
from app.domain.alerting.rules import PROMQL, AlertEvent, Rule, RuleGroup
from app.domain.alerting.starter import STARTER_PACK
from app.domain.alerting.state import State
from app.domain.tenancy import WRITE, TenantId, Viewer
from app.errors import Conflict, InvalidInput, NotFound
from app.promql.parse import parse, parse_selector
from app.queries.rules import rule_of
from models.alerting import AlertRow, RuleGroupRow, RuleRow
from models.session import tenant_session

SHORTEST_INTERVAL_S: Final = 1
LONGEST_INTERVAL_S: Final = 86_400
NEW_INTERVAL_S: Final = 15
MOST_RULES: Final = 1000


def create_group(viewer: Viewer, group: RuleGroup) -> int:
    """Make a rule group with its rules; answers its id. Raises Conflict when the name is taken."""
    require(viewer, WRITE, "rules")
    _check_group(group)
    with tenant_session(viewer.tenant) as session:
        if _group_named(session, group.name) is not None:
            raise Conflict(f"There is a rule group {group.name} already.")
        row = _insert_group(session, viewer.tenant, group)
        record(session, viewer, action="create", noun="rules", object_id=row.id, after=_group_facts(group))
        return row.id


def replace_group(viewer: Viewer, group_id: int, group: RuleGroup) -> None:
    """Make a group be exactly this. Rules that keep their name keep their alerts; the alerts of the others end."""
    require(viewer, WRITE, "rules")
    _check_group(group)
    with tenant_session(viewer.tenant) as session:
        row = _locked_group(session, viewer, group_id)
        taken = _group_named(session, group.name)
        if taken is not None and taken.id != group_id:
            raise Conflict(f"There is a rule group {group.name} already.")
        news = _replace(session, viewer, row, group)
        record(session, viewer, action="change", noun="rules", object_id=group_id, after=_group_facts(group))
    tell(viewer.tenant, news)


def delete_group(viewer: Viewer, group_id: int) -> None:
    """Delete a group with its rules; their alerts end."""
    require(viewer, WRITE, "rules")
    with tenant_session(viewer.tenant) as session:
        row = _locked_group(session, viewer, group_id)
        news = _end_alerts(session, viewer, _rules_in(session, group_id), "the rule was deleted")
        record(session, viewer, action="delete", noun="rules", object_id=group_id, before={"name": row.name})
        session.delete(row)
    tell(viewer.tenant, news)


def create_rule(viewer: Viewer, group_id: int, rule: Rule) -> int:
    """Add a rule at the end of a group; answers its id."""
    require(viewer, WRITE, "rules")
    _check_rule(rule)
    with tenant_session(viewer.tenant) as session:
        _locked_group(session, viewer, group_id)
        rows = _rules_in(session, group_id)
        if any(row.name == rule.name for row in rows):
            raise Conflict(f"The group has a rule {rule.name} already.")
        if len(rows) >= MOST_RULES:
            raise InvalidInput("rules", f"a group holds at most {MOST_RULES} rules")
        row = _insert_rule(
            session, viewer.tenant, group_id, rule, position=max((r.position for r in rows), default=-1) + 1
        )
        record(session, viewer, action="create", noun="rules", object_id=row.id, after=_facts(rule))
        return row.id


def add_rule(viewer: Viewer, group_name: str, rule: Rule) -> int:
    """Add a rule to the group of this name, which is made when there is none; answers the rule's id."""
    require(viewer, WRITE, "rules")
    _check_rule(rule)
    with tenant_session(viewer.tenant) as session:
        group = _group_named(session, group_name)
    group_id = create_group(viewer, RuleGroup(group_name, NEW_INTERVAL_S, ())) if group is None else group.id
    return create_rule(viewer, group_id, rule)


def update_rule(viewer: Viewer, rule_id: int, rule: Rule) -> None:
    """Make a rule be exactly this. Its alerts go on and are judged by the new rule; disabling it ends them."""
    require(viewer, WRITE, "rules")
    _check_rule(rule)
    with tenant_session(viewer.tenant) as session:
        row = _locked_rule(session, viewer, rule_id)
        before = _facts(rule_of(row))
        _fill(row, rule)
        news = News() if rule.is_enabled else _end_alerts(session, viewer, [row], "the rule was switched off")
        record(session, viewer, action="change", noun="rules", object_id=rule_id, before=before, after=_facts(rule))
        session.flush()
    tell(viewer.tenant, news)


def delete_rule(viewer: Viewer, rule_id: int) -> None:
    """Delete a rule; its alerts end."""
    require(viewer, WRITE, "rules")
    with tenant_session(viewer.tenant) as session:
        row = _locked_rule(session, viewer, rule_id)
        news = _end_alerts(session, viewer, [row], "the rule was deleted")
        record(session, viewer, action="delete", noun="rules", object_id=rule_id, before=_facts(rule_of(row)))
        session.delete(row)
    tell(viewer.tenant, news)


def import_rule_file(viewer: Viewer, text: str) -> RuleFile:
    """Take over a Prometheus rule file: a group of the same name is replaced. All of it, or nothing."""
    require(viewer, WRITE, "rules")
    parsed = parse_rule_file(text)
    for group in parsed.groups:
        _check_group(group)
    ended: list[News] = []
    with tenant_session(viewer.tenant) as session:
        for group in parsed.groups:
            known = _group_named(session, group.name)
            if known is None:
                known = _insert_group(session, viewer.tenant, group)
            else:
                ended.append(_replace(session, viewer, _locked_group(session, viewer, known.id), group))
            record(session, viewer, action="import", noun="rules", object_id=known.id, after=_group_facts(group))
    for news in ended:
        tell(viewer.tenant, news)
    return parsed


def install_starter_pack(tenant: TenantId) -> None:
    """Give a tenant the starter rules; groups that it has already stay as they are."""
    with tenant_session(tenant) as session:
        for group in (*STARTER_PACK, anomaly_rules.STARTER, capacity_rules.STARTER):
            if _group_named(session, group.name) is None:
                _insert_group(session, tenant, group)


def _check_group(group: RuleGroup) -> None:
    if not group.name.strip() or len(group.name) > 200:
        raise InvalidInput("name", "a group needs a name of at most 200 characters")
    if not SHORTEST_INTERVAL_S <= group.interval_s <= LONGEST_INTERVAL_S:
        raise InvalidInput("interval_s", f"must be from {SHORTEST_INTERVAL_S} to {LONGEST_INTERVAL_S}")
    if len(group.rules) > MOST_RULES:
        raise InvalidInput("rules", f"a group holds at most {MOST_RULES} rules")
    names = [rule.name for rule in group.rules]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InvalidInput("rules", f"the group {group.name} has two rules {twice}")
    for rule in group.rules:
        _check_rule(rule)


def _check_rule(rule: Rule) -> None:
    """Raises InvalidInput for a rule that could not work, QueryError for an expression that is no PromQL."""
    check_rule(rule)
    check_kind(rule)
    if rule.kind == PROMQL:
        parse(rule.expr)
    else:
        parse_selector(rule.expr)


def _group_named(session: Session, name: str) -> RuleGroupRow | None:
    return session.scalar(select(RuleGroupRow).where(RuleGroupRow.name == name))


def _locked_group(session: Session, viewer: Viewer, group_id: int) -> RuleGroupRow:
    query = select(RuleGroupRow).where(RuleGroupRow.tenant_id == viewer.tenant, RuleGroupRow.id == group_id)
    row = session.scalar(query.with_for_update())
    if row is None:
        raise NotFound(f"There is no rule group {group_id}.")
    return row


def _rules_in(session: Session, group_id: int) -> Sequence[RuleRow]:
    return session.scalars(select(RuleRow).where(RuleRow.group_id == group_id)).all()


def _locked_rule(session: Session, viewer: Viewer, rule_id: int) -> RuleRow:
    """A rule, its group locked: an evaluation that is saving right now ends first."""
    row = session.scalar(select(RuleRow).where(RuleRow.tenant_id == viewer.tenant, RuleRow.id == rule_id))
    if row is None:
        raise NotFound(f"There is no rule {rule_id}.")
    _locked_group(session, viewer, row.group_id)
    return row


def _insert_group(session: Session, tenant: TenantId, group: RuleGroup) -> RuleGroupRow:
    row = RuleGroupRow(tenant_id=tenant, name=group.name, interval_s=group.interval_s)
    session.add(row)
    session.flush()
    for position, rule in enumerate(group.rules):
        _insert_rule(session, tenant, row.id, rule, position=position)
    return row


def _insert_rule(session: Session, tenant: TenantId, group_id: int, rule: Rule, *, position: int) -> RuleRow:
    row = RuleRow(tenant_id=tenant, group_id=group_id, position=position)
    _fill(row, rule)
    session.add(row)
    session.flush()
    return row


def _fill(row: RuleRow, rule: Rule) -> None:
    row.name, row.expr, row.is_enabled = rule.name, rule.expr, rule.is_enabled
    row.for_s, row.keep_firing_for_s = rule.for_s, rule.keep_firing_for_s
    row.severity, row.alert_class = rule.severity, rule.alert_class
    row.labels, row.annotations, row.changed_at = dict(rule.labels), dict(rule.annotations), utc_now()
    row.kind, row.criteria = rule.kind, dict(rule.criteria)
    row.health, row.last_error = "unknown", ""


def _replace(session: Session, viewer: Viewer, row: RuleGroupRow, group: RuleGroup) -> News:
    row.name, row.interval_s = group.name, group.interval_s
    known = {rule.name: rule for rule in _rules_in(session, row.id)}
    wanted = {rule.name for rule in group.rules}
    dropped = [rule for name, rule in known.items() if name not in wanted]
    news = _end_alerts(session, viewer, dropped, "the rule was deleted")
    for rule_row in dropped:
        session.delete(rule_row)
    session.flush()
    for position, rule in enumerate(group.rules):
        if rule.name in known:
            _fill(known[rule.name], rule)
            known[rule.name].position = position
        else:
            _insert_rule(session, viewer.tenant, row.id, rule, position=position)
    return news


def _end_alerts(session: Session, viewer: Viewer, rules: Sequence[RuleRow], why: str) -> News:
    """Resolve what these rules have open: nobody will look at it again. Whoever heard of it hears of its end."""
    now = utc_now()
    query = (
        select(AlertRow)
        .where(AlertRow.rule_id.in_([rule.id for rule in rules]), AlertRow.state != State.RESOLVED)
        .order_by(AlertRow.id)
        .with_for_update()
    )
    rows = session.scalars(query).all()
    for row in rows:
        row.state, row.resolved_at, row.keep_firing_since, row.version = State.RESOLVED, now, None, row.version + 1
    session.flush()
    add_events(session, [event_of(row, at=now, kind="resolved", actor=viewer.name, text=why) for row in rows])
    due = plan(session, viewer.tenant, [(row, AlertEvent.RESOLVED) for row in rows if row.fired_at], now=now)
    return News([Change(row.id, row.state) for row in rows], due)


def _facts(rule: Rule) -> Mapping[str, Any]:
    return asdict(rule)


def _group_facts(group: RuleGroup) -> Mapping[str, Any]:
    return {"name": group.name, "interval_s": group.interval_s, "rules": [rule.name for rule in group.rules]}
