"""Rules made, changed, deleted and imported; what becomes of their alerts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import select

from app.actions import rules
from app.clock import utc_now
from app.domain.alerting import anomaly_rules, capacity_rules
from app.domain.alerting.alert import Severity
from app.domain.alerting.rules import Rule, RuleGroup
from app.domain.alerting.starter import STARTER_PACK
from app.domain.alerting.state import State
from app.domain.tenancy import Viewer
from app.errors import Conflict, Forbidden, InvalidInput, NotFound, QueryError
from app.queries import alerts
from app.queries import rules as queries
from app.queries.alerts import AlertFilter
from models.audit import AuditRow
from models.session import tenant_session
from tests.factories.alerting import Rounds, down
from tests.factories.cast import Cast

ANY = AlertFilter(states=frozenset(State))
DOWN = Rule("DeviceUnreachable", "snmp_up == 0", severity=Severity.CRITICAL)


@pytest.fixture
def rounds(cast: Cast, valkey: Redis) -> Rounds:
    """One device does not answer."""
    rounds = Rounds(cast.alice, DOWN)
    rounds.round(down("core-1"))
    return rounds


def rule_id(viewer: Viewer, rounds: Rounds) -> int:
    return queries.group(viewer, rounds.group_id).rules[0].id


def test_the_starter_pack_is_installed_once(cast: Cast) -> None:
    for _ in range(2):
        rules.install_starter_pack(cast.acme)
    found = queries.groups(cast.alice)
    assert {group.name: tuple(item.rule for item in group.rules) for group in found} == {
        group.name: group.rules for group in STARTER_PACK
    } | {its.name: its.rules for its in (anomaly_rules.STARTER, capacity_rules.STARTER)}
    assert queries.groups(cast.charlie) == []


def test_rules_that_stand_still_are_told_of(cast: Cast) -> None:
    rules.install_starter_pack(cast.acme)
    assert queries.late_since(cast.vera, now=utc_now()) is None
    since = queries.late_since(cast.vera, now=utc_now() + timedelta(minutes=2))
    assert since is not None
    assert since <= utc_now()
    assert queries.late_since(cast.charlie, now=utc_now() + timedelta(minutes=2)) is None


def test_a_changed_rule_keeps_its_alerts(cast: Cast, rounds: Rounds) -> None:
    rules.update_rule(cast.alice, rule_id(cast.alice, rounds), Rule("DeviceUnreachable", "snmp_up < 1", for_s=600))
    rounds.round(down("core-1"))
    [alert] = alerts.open_alerts(cast.alice, ANY)
    assert alert.state is State.PENDING
    assert alert.severity is Severity.WARNING
    rounds.round()
    [alert] = alerts.open_alerts(cast.alice, ANY)
    assert alert.state is State.RESOLVED


@pytest.mark.parametrize(
    ("act", "why"),
    [
        pytest.param(lambda v, r: rules.delete_rule(v, rule_id(v, r)), "the rule was deleted", id="rule deleted"),
        pytest.param(lambda v, r: rules.delete_group(v, r.group_id), "the rule was deleted", id="group deleted"),
        pytest.param(
            lambda v, r: rules.replace_group(v, r.group_id, RuleGroup("test", 15, ())),
            "the rule was deleted",
            id="group without it",
        ),
        pytest.param(
            lambda v, r: rules.update_rule(v, rule_id(v, r), Rule("X", "x", is_enabled=False)),
            "the rule was switched off",
            id="rule switched off",
        ),
    ],
)
def test_the_alerts_of_a_rule_that_is_gone_end(
    cast: Cast, rounds: Rounds, act: Callable[[Viewer, Rounds], None], why: str
) -> None:
    act(cast.alice, rounds)
    [alert] = alerts.open_alerts(cast.alice, ANY)
    assert alert.state is State.RESOLVED
    entry = alerts.timeline(cast.alice, alert.id)[-1]
    assert (entry.kind, entry.actor, entry.text) == ("resolved", "Alice", why)


def test_an_import_replaces_groups_of_the_same_name_and_keeps_what_stays(cast: Cast, rounds: Rounds) -> None:
    text = """
    groups:
      - name: test
        interval: 30s
        rules: [{alert: DeviceUnreachable, expr: snmp_up == 0}, {alert: New, expr: up == 0}]
      - {name: other, rules: [{alert: New, expr: up == 0}]}
    """
    rules.import_rule_file(cast.alice, text)
    group = queries.group(cast.alice, rounds.group_id)
    assert (group.interval_s, [item.rule.name for item in group.rules]) == (30, ["DeviceUnreachable", "New"])
    assert [alert.state for alert in alerts.open_alerts(cast.alice, ANY)] == [State.FIRING]
    assert {item.name for item in queries.groups(cast.alice)} == {"test", "other"}


def test_an_import_is_all_or_nothing(cast: Cast) -> None:
    text = "groups: [{name: a, rules: [{alert: A, expr: up}]}, {name: b, rules: [{alert: B, expr: 'up{'}]}]"
    with pytest.raises(QueryError):
        rules.import_rule_file(cast.alice, text)
    assert queries.groups(cast.alice) == []


@pytest.mark.parametrize(
    "group",
    [
        pytest.param(RuleGroup("", 15, ()), id="no name"),
        pytest.param(RuleGroup("g", 0, ()), id="no interval"),
        pytest.param(RuleGroup("g", 15, (DOWN, DOWN)), id="a rule twice"),
        pytest.param(RuleGroup("g", 15, (Rule("a", "rate(x)"),)), id="not a query"),
        pytest.param(RuleGroup("g", 15, (Rule("a", "x", for_s=-1),)), id="negative time"),
    ],
)
def test_a_group_that_could_not_work_is_refused(cast: Cast, group: RuleGroup) -> None:
    with pytest.raises(InvalidInput):
        rules.create_group(cast.alice, group)


def test_a_rule_is_added_to_a_group_that_is_made_when_missing(cast: Cast) -> None:
    rules.add_rule(cast.alice, "mine", DOWN)
    rules.add_rule(cast.alice, "mine", Rule("Other", "up == 0"))
    [group] = queries.groups(cast.alice)
    assert [item.rule.name for item in group.rules] == ["DeviceUnreachable", "Other"]
    with pytest.raises(Conflict):
        rules.add_rule(cast.alice, "mine", DOWN)


def test_changes_are_in_the_audit_log(cast: Cast, rounds: Rounds) -> None:
    rules.update_rule(cast.alice, rule_id(cast.alice, rounds), Rule("DeviceUnreachable", "snmp_up < 1"))
    with tenant_session(cast.acme) as session:
        entries = session.scalars(select(AuditRow).where(AuditRow.noun == "rules").order_by(AuditRow.id)).all()
    assert [entry.action for entry in entries] == ["create", "change"]
    assert entries[1].before is not None and entries[1].after is not None
    assert (entries[1].before["expr"], entries[1].after["expr"]) == ("snmp_up == 0", "snmp_up < 1")


ACTS: dict[str, Callable[[Viewer, Rounds], object]] = {
    "update_rule": lambda v, r: rules.update_rule(v, rule_id(r.viewer, r), DOWN),
    "delete_rule": lambda v, r: rules.delete_rule(v, rule_id(r.viewer, r)),
    "create_rule": lambda v, r: rules.create_rule(v, r.group_id, Rule("New", "up")),
    "replace_group": lambda v, r: rules.replace_group(v, r.group_id, RuleGroup("x", 15, ())),
    "delete_group": lambda v, r: rules.delete_group(v, r.group_id),
    "group": lambda v, r: queries.group(v, r.group_id),
    "rule": lambda v, r: queries.rule(v, rule_id(r.viewer, r)),
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_charlie_of_globex_can_touch_none_of_it(
    cast: Cast, rounds: Rounds, act: Callable[[Viewer, Rounds], object]
) -> None:
    before = queries.group(cast.alice, rounds.group_id)
    with pytest.raises(NotFound):
        act(cast.charlie, rounds)
    assert queries.group(cast.alice, rounds.group_id) == before


def test_another_tenant_may_use_the_same_names(cast: Cast, rounds: Rounds) -> None:
    rules.create_group(cast.charlie, RuleGroup("test", 15, (DOWN,)))
    assert len(queries.groups(cast.charlie)) == len(queries.groups(cast.alice)) == 1


def test_only_admins_change_rules(cast: Cast) -> None:
    for viewer in (cast.bob, cast.vera):
        with pytest.raises(Forbidden):
            rules.create_group(viewer, RuleGroup("g", 15, ()))


def test_preview_bounds(cast: Cast) -> None:
    now = utc_now()
    with pytest.raises(InvalidInput):
        queries.preview(cast.vera, DOWN, start=now, end=now, interval_s=15)
    with pytest.raises(QueryError):
        queries.preview(cast.vera, Rule("a", "rate("), start=now - timedelta(hours=1), end=now, interval_s=15)
    found = queries.preview(cast.charlie, DOWN, start=now - timedelta(days=30), end=now, interval_s=15)
    assert (found.step_s, found.episodes) == (1296, ())


def test_a_rule_of_another_kind_says_what_is_wrong_with_it(cast: Cast) -> None:
    def rule(expr: str = "load", kind: str = "anomaly", **criteria: Any) -> Rule:
        return Rule(name="Unusual", expr=expr, kind=kind, criteria=criteria)

    for wrong, where in (
        (rule(kind="oracle"), "kind"),
        (rule(kind="promql", least_score=1.0), "criteria"),
        (rule(least=1.0), "criteria.least"),
        (rule(direction="left"), "criteria"),
    ):
        with pytest.raises(InvalidInput, match=where):
            rules.add_rule(cast.alice, "custom", wrong)
    with pytest.raises(QueryError):
        rules.add_rule(cast.alice, "custom", rule(expr="rate(load[5m]) > 1"))
    made = rules.add_rule(cast.alice, "custom", rule(direction="up", least_abs=5.0))
    assert queries.rule(cast.alice, made).rule.criteria == {"direction": "up", "least_abs": 5.0}
