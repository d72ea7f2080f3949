"""Admin: alert rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from dash import Dash, dcc, html, set_props
from dash.development.base_component import Component

from app.actions import rules as actions
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.clock import utc_now
from app.domain.alerting import anomaly_rules, capacity_rules
from app.domain.alerting.alert import SEVERITIES, Severity
from app.domain.alerting.kinds import KINDS
from app.domain.alerting.preview import Preview
from app.domain.alerting.rulefile import format_duration, parse_duration
from app.domain.alerting.rules import PROMQL, Rule
from app.domain.tenancy import READ, WRITE, Viewer, may
from app.domain.units import format_age
from app.errors import InvalidInput
from app.queries import rules
from app.queries.rules import StoredGroup, StoredRule
from app.ui.components.admin import (
    action,
    area,
    choice,
    command_id,
    confirm,
    field,
    form,
    pair,
    row_actions,
    tick,
    ticks,
)
from app.ui.components.attributes import attrs
from app.ui.components.marks import SEVERITY_WORDS, severity
from app.ui.components.states import nothing
from app.ui.components.table import Column, table
from callbacks.admin import KEPT, Command, Reply, bind, done, opened

COLUMNS = [
    Column("Severity", width="100px"),
    Column("Rule", width="180px"),
    Column("Expression", "mono"),
    Column("For", "num", width="60px", about="How long its condition must hold before an alert fires."),
    Column("Firing", "num", width="64px", about="How many alerts of it fire now."),
    Column("Health", width="84px", about="Whether its newest evaluation worked."),
    Column("", width="204px"),
]
CLASSES: Final = (
    "other", "unreachable", "no-data", "link-down", "link-degraded", "adjacency-down", "adjacency-flap", "power",
    "restart", "resource", "traffic", "environment", "service", "change", "security",
)  # fmt: skip
DEFAULT_GROUP: Final = "custom"
KIND_WORDS: Final = {
    "promql": "PromQL",
    "anomaly": "Anomaly of series",
    "capacity": "Capacity: fills up",
}
CRITERIA_ABOUT: Final = (
    "anomaly: least_score, direction (both, up, down), least_abs, least_rel, valid_lo, valid_hi, "
    "source (series, peers). "
    "capacity: chance, within_days."
)
# Of a kind, so far back it is tried out; of others a day.
PREVIEW_DAYS: Final = {anomaly_rules.KIND: 7}
SHOWN_THINGS: Final = 4


@guarded(READ, "rules")
def show(_search: str, _version: int, _refresh: int) -> list[Component] | Component:
    """Every group with its rules."""
    viewer, now = current_viewer(), utc_now()
    groups = rules.groups(viewer)
    if not groups:
        return nothing("No rules yet", "A rule is a PromQL expression that raises an alert.", icon_name="siren")
    can_change = may(viewer, WRITE, "rules")
    return html.Div(
        [part for group in groups for part in _group(group, now, can_change=can_change)], className="scroll"
    )


@guarded(WRITE, "rules")
def run(command: Command) -> Reply:  # noqa: PLR0911  one branch per command, nothing else
    """Do what a button or form asks."""
    viewer = current_viewer()
    match command.verb:
        case "new":
            return opened("New rule", _form(viewer, None))
        case "edit":
            return opened("Edit rule", _form(viewer, rules.rule(viewer, command.number)))
        case "save":
            return _save(viewer, command)
        case "preview":
            return _preview(viewer, command)
        case "enable" | "disable":
            stored = rules.rule(viewer, command.number)
            actions.update_rule(viewer, stored.id, replace(stored.rule, is_enabled=command.verb == "enable"))
            return done(f"{stored.rule.name} is {command.verb}d.")
        case "ask-delete":
            stored = rules.rule(viewer, command.number)
            text = f"{stored.rule.name} goes, and its {len(stored.alerts)} open alerts end."
            return opened("Delete rule", confirm("rules", "delete", text, submit="Delete", id=stored.id))
        case "delete":
            actions.delete_rule(viewer, command.number)
            return done("Deleted.")
        case "import":
            fields = [area("text", "Prometheus rule file", about="YAML; a group of the same name is replaced", rows=12)]
            return opened("Import rules", form("rules", "import-file", fields, submit="Import"))
        case "import-file":
            found = actions.import_rule_file(viewer, command.text("text"))
            count = sum(len(group.rules) for group in found.groups)
            left = f" Left out: {'; '.join(found.left_out)}." if found.left_out else ""
            return done(f"{count} rules in {len(found.groups)} groups are in.{left}")
    raise InvalidInput("verb", f"{command.verb!r} is not something that can be done to a rule")


def register(dash_app: Dash) -> None:
    """Bind the section."""
    bind(dash_app, "rules", show=show, run=run)


def _group(group: StoredGroup, now: datetime, *, can_change: bool) -> list[Component]:
    seen = f"evaluated {format_age(group.evaluated_at, now)} ago" if group.evaluated_at else "not evaluated yet"
    took = f", {group.duration_s * 1000:.0f} ms" if group.duration_s is not None else ""
    missed = f", {group.missed} rounds missed" if group.missed else ""
    head = html.Div(
        [html.H3(group.name), html.Span(f"every {group.interval_s} s, {seen}{took}{missed}", className="t3")],
        className="admin-group",
    )
    rows = [_row(stored, can_change=can_change) for stored in group.rules]
    return [head, table(COLUMNS, rows, label=f"Rules of {group.name}")]


def _row(stored: StoredRule, *, can_change: bool) -> tuple[object, ...]:
    rule = stored.rule
    firing = sum(str(alert.state) == "firing" for alert in stored.alerts)
    health = "disabled" if not rule.is_enabled else stored.health
    name = [rule.name] if rule.is_enabled else [html.Span(rule.name, className="t3")]
    buttons = []
    if can_change:
        verb = "disable" if rule.is_enabled else "enable"
        buttons = [
            action("rules", "edit", "Edit", id=stored.id, label=f"Edit {rule.name}"),
            action("rules", verb, verb.capitalize(), id=stored.id, label=f"{verb.capitalize()} {rule.name}"),
            action("rules", "ask-delete", "Delete", id=stored.id, kind="danger", label=f"Delete {rule.name}"),
        ]
    shown_firing = dcc.Link(str(firing), href="/alerts?view=open&q=" + rule.name) if firing else "0"
    return (
        severity(str(rule.severity)),
        name,
        html.Div(rule.expr, className="admin-change", title=rule.expr),
        format_duration(rule.for_s) if rule.for_s else "0",
        shown_firing,
        html.Span(health, title=stored.last_error, className="c-major" if health == "error" else "t2"),
        row_actions(*buttons),
    )


def _form(viewer: Viewer, stored: StoredRule | None) -> Component:
    rule = stored.rule if stored else Rule(name="", expr="")
    groups = [(group.name, group.name) for group in rules.groups(viewer)]
    where = (
        []
        if stored
        else [
            choice(
                "group",
                "Group",
                [*groups, *([] if (DEFAULT_GROUP, DEFAULT_GROUP) in groups else [(DEFAULT_GROUP, "custom (new)")])],
                DEFAULT_GROUP,
            )
        ]
    )
    try_out = html.Button(
        "How often would it have fired?",
        className="btn",
        type="button",
        **attrs({"data-action": "admin-form", "data-command": command_id("rules"), "data-verb": "preview"}),
    )
    fields = [
        pair(field("name", "Name", rule.name, required=True), *where),
        area(
            "expr",
            "Expression",
            rule.expr,
            about="PromQL, an alert for each series it returns; for other kinds a selector",
        ),
        pair(
            choice("kind", "Kind", [(kind, KIND_WORDS.get(kind, kind)) for kind in KINDS], rule.kind),
            area("criteria", "Criteria of other kinds", _criteria_lines(rule), about=CRITERIA_ABOUT, rows=2),
        ),
        html.Div([try_out, html.Div(id="rules-preview", role="status", className="grow")], className="row wrap"),
        pair(
            field("for", "For", format_duration(rule.for_s), about="How long it must hold: 0s, 90s, 5m"),
            field(
                "keep",
                "Keep firing for",
                format_duration(rule.keep_firing_for_s),
                about="After the condition ended; of anomalies 0s means 15m",
            ),
        ),
        pair(
            choice(
                "severity", "Severity", [(str(each), SEVERITY_WORDS[each]) for each in SEVERITIES], str(rule.severity)
            ),
            choice("class", "Class", [(each, each) for each in CLASSES], rule.alert_class),
        ),
        area("labels", "Labels", _lines(rule.labels), about="name: value, one a line", rows=2),
        area(
            "annotations", "Annotations", _lines(rule.annotations), about="summary: {{ $labels.device }} is …", rows=2
        ),
        ticks("State", [tick("enabled", "Enabled", on=rule.is_enabled)]),
    ]
    return form("rules", "save", fields, submit="Save rule", id=stored.id if stored else "")


def _save(viewer: Viewer, command: Command) -> Reply:
    rule = _rule_of(command)
    if command.number:
        actions.update_rule(viewer, command.number, rule)
    else:
        actions.add_rule(viewer, command.text("group") or DEFAULT_GROUP, rule)
    return done(f"{rule.name} is saved; the next round judges by it.")


def _preview(viewer: Viewer, command: Command) -> Reply:
    end, rule = utc_now(), _rule_of(command)
    days = PREVIEW_DAYS.get(rule.kind, 1)
    found = rules.preview(viewer, rule, start=end - timedelta(days=days), end=end, interval_s=15)
    text = _tells_of(found) if rule.kind == capacity_rules.KIND else _fired(found, days)
    set_props("rules-preview", {"children": html.Div(text, className="admin-note")})
    return KEPT


def _fired(found: Preview, days: int) -> str:
    """How often, in a sentence."""
    count = len(found.episodes)
    times = "once" if count == 1 else f"{count} times"
    words = f"It would have fired {times}, {found.firing_now} of them now," if count else "It would not have fired"
    span = "24 h" if days == 1 else f"{days} days"
    return f"{words} in the last {span} (looked at every {format_duration(found.step_s)})."


def _tells_of(found: Preview) -> str:
    """Of how many things a rule of capacity would tell, in a sentence."""
    looked = f"of {found.series:,} that it selects and that may be full within a year"
    count = len(found.episodes)
    if not count:
        return f"It would tell of nothing now, {looked}."
    return f"It would tell of {count:,} now, {looked}: {_some(found)}."


def _some(found: Preview) -> str:
    named = [dict(its.labels) for its in found.episodes[:SHOWN_THINGS]]
    names = [" ".join(filter(None, (its.get("device", ""), its.get("object", "")))) for its in named]
    return ", ".join(names) + (" …" if len(found.episodes) > SHOWN_THINGS else "")


def _rule_of(command: Command) -> Rule:
    return Rule(
        name=command.text("name"),
        expr=command.text("expr"),
        for_s=parse_duration("for", command.text("for") or "0s"),
        keep_firing_for_s=parse_duration("keep", command.text("keep") or "0s"),
        severity=Severity(command.text("severity") or "warning"),
        alert_class=command.text("class") or "other",
        labels=_pairs("labels", command.text("labels")),
        annotations=_pairs("annotations", command.text("annotations")),
        is_enabled=bool(command.many("enabled")),
        kind=command.text("kind") or PROMQL,
        criteria={name: _plain(text) for name, text in _pairs("criteria", command.text("criteria")).items()},
    )


def _criteria_lines(rule: Rule) -> str:
    return _lines({name: f"{value:g}" if isinstance(value, float) else value for name, value in rule.criteria.items()})


def _plain(text: str) -> float | str:
    """A number where it is one."""
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number.is_integer() else number


def _lines(pairs: Mapping[str, str]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in pairs.items())


def _pairs(where: str, text: str) -> dict[str, str]:
    found = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise InvalidInput(f"{where}, line {number}", "write name: value")
        found[name.strip()] = value.strip()
    return found
