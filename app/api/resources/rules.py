"""/api/v1/rules (Prometheus's form for reading, ours for changing), /api/v1/rule-groups, preview and import."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from flask import Blueprint, Response, request

from app.actions import rules as actions
from app.api import prometheus_form
from app.api.openapi import Listed, answer, documented, json_body
from app.api.resources.alerts import prometheus_alert
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.clock import utc_now
from app.domain.alerting import anomaly_rules
from app.domain.alerting.alert import Severity
from app.domain.alerting.preview import Episode
from app.domain.alerting.rulefile import parse_duration
from app.domain.alerting.rules import PROMQL, Rule, RuleGroup
from app.domain.alerting.state import State
from app.domain.tenancy import READ, WRITE
from app.queries import rules as queries
from app.queries.rules import StoredGroup, StoredRule

blueprint = Blueprint("rules", __name__)

DEFAULT_GROUP: Final = "custom"
SHOWN_EPISODES: Final = 200
DEFAULT_HOURS: Final = {anomaly_rules.KIND: 168.0}
NEVER: Final = "0001-01-01T00:00:00Z"


class RuleIn(msgspec.Struct, forbid_unknown_fields=True):
    """A rule; durations as 5m, 1h30m or seconds. Kinds other than promql take a selector as `expr`, and criteria."""

    name: str
    expr: str
    for_: str | float = msgspec.field(name="for", default=0)
    keep_firing_for: str | float = 0
    severity: Severity = Severity.WARNING
    alert_class: str = "other"
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    is_enabled: bool = True
    kind: str = PROMQL
    criteria: dict[str, int | float | str | None] = {}


class RuleInGroup(RuleIn, forbid_unknown_fields=True):
    """A rule and the name of its group, which is made when there is none."""

    group: str = DEFAULT_GROUP


class GroupIn(msgspec.Struct, forbid_unknown_fields=True):
    """A group with all its rules."""

    name: str
    interval_s: int = 15
    rules: list[RuleIn] = []


class PreviewIn(RuleIn, forbid_unknown_fields=True):
    """A rule to try out on the last `hours`: a day when left out, of anomalies a week. Of capacity it is now."""

    hours: float | None = None
    interval_s: int = 15


class FileIn(msgspec.Struct, forbid_unknown_fields=True):
    """The text of a Prometheus rule file."""

    text: str


class Made(msgspec.Struct):
    """The id of what was made."""

    id: int


class Imported(msgspec.Struct):
    """The groups that were taken over, and a sentence for each thing that was left out."""

    groups: list[str]
    rules: int
    left_out: list[str]


class PreviewOut(msgspec.Struct):
    """How often a rule would have fired; `episodes` are the first 200 of `count`."""

    step_s: int
    series: int
    count: int
    firing_now: int
    episodes: list[Episode]


@blueprint.get("/api/v1/rules")
@documented(
    "List rules in Prometheus's form",
    query={
        "type": "alert or record",
        "rule_name[]": "only rules of this name",
        "rule_group[]": "only groups of this name",
        "exclude_alerts": "true leaves the alerts out",
    },
)
@guarded(READ, "rules")
def prometheus_rules() -> Response:
    """As Prometheus's /api/v1/rules."""
    wanted_groups, wanted_rules = request.args.getlist("rule_group[]"), request.args.getlist("rule_name[]")
    written = []
    for group in queries.groups(current_viewer()) if request.args.get("type", "alert") == "alert" else ():
        rules = [rule for rule in group.rules if not wanted_rules or rule.rule.name in wanted_rules]
        if (not wanted_groups or group.name in wanted_groups) and (rules or not wanted_rules):
            written.append(_prometheus_group(group, rules))
    return prometheus_form.answer({"groups": written})


@blueprint.post("/api/v1/rules")
@documented("Add a rule", body=RuleInGroup, answer=Made, status=201)
@guarded(WRITE, "rules")
def create_rule() -> Response:
    """Add a rule to a group."""
    body = json_body(RuleInGroup)
    return answer(Made(actions.add_rule(current_viewer(), body.group, _rule(body))), 201)


@blueprint.get("/api/v1/rules/<int:rule_id>")
@documented("Get a rule", answer=StoredRule)
@guarded(READ, "rules")
def get_rule(rule_id: int) -> Response:
    """One rule with its open alerts."""
    return answer(queries.rule(current_viewer(), rule_id))


@blueprint.put("/api/v1/rules/<int:rule_id>")
@documented("Change a rule", body=RuleIn, answer=StoredRule)
@guarded(WRITE, "rules")
def change_rule(rule_id: int) -> Response:
    """Make a rule be exactly this."""
    viewer = current_viewer()
    actions.update_rule(viewer, rule_id, _rule(json_body(RuleIn)))
    return answer(queries.rule(viewer, rule_id))


@blueprint.delete("/api/v1/rules/<int:rule_id>")
@documented("Delete a rule", status=204)
@guarded(WRITE, "rules")
def delete_rule(rule_id: int) -> Response:
    """Delete a rule; its alerts end."""
    actions.delete_rule(current_viewer(), rule_id)
    return answer(None, 204)


@blueprint.post("/api/v1/rules/preview")
@documented("Try a rule out on the past", body=PreviewIn, answer=PreviewOut)
@guarded(READ, "rules")
def preview() -> Response:
    """How often it would have fired."""
    body = json_body(PreviewIn)
    end = utc_now()
    asked = DEFAULT_HOURS.get(body.kind, 24.0) if body.hours is None else body.hours
    hours = min(max(asked, 0.01), 24 * 400)
    found = queries.preview(
        current_viewer(), _rule(body), start=end - timedelta(hours=hours), end=end, interval_s=body.interval_s
    )
    shown = list(found.episodes[:SHOWN_EPISODES])
    return answer(PreviewOut(found.step_s, found.series, len(found.episodes), found.firing_now, shown))


@blueprint.post("/api/v1/rules/import")
@documented("Take over a Prometheus rule file", body=FileIn, answer=Imported)
@guarded(WRITE, "rules")
def import_file() -> Response:
    """Groups of the same name are replaced."""
    parsed = actions.import_rule_file(current_viewer(), json_body(FileIn).text)
    names = [group.name for group in parsed.groups]
    return answer(Imported(names, sum(len(group.rules) for group in parsed.groups), list(parsed.left_out)))


@blueprint.get("/api/v1/rule-groups")
@documented("List rule groups", answer=Listed[StoredGroup])
@guarded(READ, "rules")
def list_groups() -> Response:
    """All groups with their rules."""
    return answer({"items": queries.groups(current_viewer()), "next": None})


@blueprint.post("/api/v1/rule-groups")
@documented("Make a rule group", body=GroupIn, answer=Made, status=201)
@guarded(WRITE, "rules")
def create_group() -> Response:
    """Make a group with its rules."""
    return answer(Made(actions.create_group(current_viewer(), _group(json_body(GroupIn)))), 201)


@blueprint.get("/api/v1/rule-groups/<int:group_id>")
@documented("Get a rule group", answer=StoredGroup)
@guarded(READ, "rules")
def get_group(group_id: int) -> Response:
    """One group with its rules."""
    return answer(queries.group(current_viewer(), group_id))


@blueprint.put("/api/v1/rule-groups/<int:group_id>")
@documented("Change a rule group", body=GroupIn, answer=StoredGroup)
@guarded(WRITE, "rules")
def change_group(group_id: int) -> Response:
    """Make a group be exactly this."""
    viewer = current_viewer()
    actions.replace_group(viewer, group_id, _group(json_body(GroupIn)))
    return answer(queries.group(viewer, group_id))


@blueprint.delete("/api/v1/rule-groups/<int:group_id>")
@documented("Delete a rule group", status=204)
@guarded(WRITE, "rules")
def delete_group(group_id: int) -> Response:
    """Delete a group with its rules; their alerts end."""
    actions.delete_group(current_viewer(), group_id)
    return answer(None, 204)


def _rule(body: RuleIn) -> Rule:
    return Rule(
        name=body.name,
        expr=body.expr,
        for_s=parse_duration("for", body.for_),
        keep_firing_for_s=parse_duration("keep_firing_for", body.keep_firing_for),
        severity=body.severity,
        alert_class=body.alert_class,
        labels=body.labels,
        annotations=body.annotations,
        is_enabled=body.is_enabled,
        kind=body.kind,
        criteria=body.criteria,
    )


def _group(body: GroupIn) -> RuleGroup:
    return RuleGroup(body.name, body.interval_s, tuple(_rule(rule) for rule in body.rules))


def _prometheus_group(group: StoredGroup, rules: Sequence[StoredRule]) -> dict[str, object]:
    return {
        "name": group.name,
        "file": "watchfloor",
        "interval": group.interval_s,
        "limit": 0,
        "rules": [_prometheus_rule(rule) for rule in rules],
        "evaluationTime": group.duration_s or 0.0,
        "lastEvaluation": _moment(group.evaluated_at),
    }


def _prometheus_rule(stored: StoredRule) -> dict[str, object]:
    rule = stored.rule
    written: dict[str, object] = {
        "state": stored.state,
        "name": rule.name,
        "query": rule.expr,
        "duration": rule.for_s,
        "keepFiringFor": rule.keep_firing_for_s,
        "labels": {**({} if rule.severity is Severity.UNKNOWN else {"severity": rule.severity}), **rule.labels},
        "annotations": dict(rule.annotations),
        "alerts": [],
        "health": {"ok": "ok", "error": "err"}.get(stored.health, "unknown"),
        "evaluationTime": stored.duration_s or 0.0,
        "lastEvaluation": _moment(stored.evaluated_at),
        "type": "alerting",
    }
    if request.args.get("exclude_alerts", "").lower() not in ("true", "1"):
        written["alerts"] = [prometheus_alert(alert) for alert in stored.alerts if alert.state is not State.RESOLVED]
    if stored.last_error:
        written["lastError"] = stored.last_error
    return written


def _moment(moment: datetime | None) -> object:
    return moment or NEVER
