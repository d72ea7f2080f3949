"""A rule, and how the result of its query moves its alerts.

Knows identity (A1, A2) and which alerts step; the states themselves are in state.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from app.domain.alerting.alert import Severity, severity_of
from app.domain.alerting.state import Clock, Reason, State, Step, Waits, step
from app.domain.alerting.templates import expand
from app.domain.labels import METRIC, Labels, labels_of
from app.errors import QueryError

ALERT_NAME = "alertname"
PROMQL: Final = "promql"


@dataclass(frozen=True)
class Rule:
    """A PromQL expression that raises one alert for each series it returns.

    Rules of other kinds (kinds.py) raise one for each series that `expr`, a selector, selects and `criteria` hold for.
    """

    name: str
    expr: str
    for_s: float = 0.0
    keep_firing_for_s: float = 0.0
    severity: Severity = Severity.WARNING
    alert_class: str = "other"
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    is_enabled: bool = True
    kind: str = PROMQL
    criteria: Mapping[str, Any] = field(default_factory=dict)

    @property
    def waits(self) -> Waits:
        """The two durations as the state machine wants them."""
        return Waits(timedelta(seconds=self.for_s), timedelta(seconds=self.keep_firing_for_s))


@dataclass(frozen=True)
class RuleGroup:
    """Rules that are evaluated together, in order, every `interval_s`."""

    name: str
    interval_s: int
    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class Instance:
    """One label set that a rule's query returned, with what is refreshed at every evaluation."""

    fingerprint: str
    labels: Labels
    value: float
    severity: Severity
    annotations: Mapping[str, str]
    summary: str


class AlertEvent(StrEnum):
    """What others are told about an alert."""

    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True)
class Transition:
    """What one evaluation did to one alert; `instance` is None when its condition is absent."""

    fingerprint: str
    before: Clock | None
    after: Clock | None
    reason: Reason
    instance: Instance | None

    @property
    def is_new(self) -> bool:
        """Whether an episode begins."""
        return self.after is not None and (self.before is None or self.before.active_at != self.after.active_at)

    @property
    def event(self) -> AlertEvent | None:
        """What there is to tell; A10: only firing and resolved."""
        if self.reason in (Reason.FIRED, Reason.FIRED_AT_ONCE):
            return AlertEvent.FIRING
        if self.reason in (Reason.VANISHED, Reason.KEEP_FIRING_OVER):
            return AlertEvent.RESOLVED
        return None


def fingerprint_of(labels: Labels) -> str:
    """The identity of a label set: 16 hexadecimal digits."""
    # 0xFF is no byte of UTF-8, so it can separate what may hold any character.
    data = b"\xff".join(part.encode() for pair in labels for part in pair)
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def identity_of(rule: Rule, labels: Labels, value: float) -> Labels:
    """A1: the result's labels without the metric name, the rule's labels over them, and `alertname`."""
    merged = {name: text for name, text in labels if name != METRIC}
    merged.update({name: expand(text, dict(labels), value) for name, text in rule.labels.items()})
    merged[ALERT_NAME] = rule.name
    return labels_of(merged)


def instances_of(rule: Rule, result: Iterable[tuple[Labels, float]]) -> dict[str, Instance]:
    """The alerts that a query result stands for, by fingerprint.

    Raises QueryError when two results end in the same label set (A2).
    """
    found: dict[str, Instance] = {}
    for labels, value in result:
        instance = _instance(rule, labels, value)
        if instance.fingerprint in found:
            raise QueryError("two results have the same labels once the rule's labels are applied", kind="execution")
        found[instance.fingerprint] = instance
    return found


def evaluate(
    rule: Rule, known: Mapping[str, Clock], found: Mapping[str, Instance], *, at: datetime
) -> list[Transition]:
    """What the evaluation at `at` does to every known and every found alert of `rule`, ordered by fingerprint."""
    transitions = []
    for fingerprint in sorted(known.keys() | found.keys()):
        before = known.get(fingerprint)
        moved: Step = step(before, is_present=fingerprint in found, at=at, waits=rule.waits)
        transitions.append(Transition(fingerprint, before, moved.clock, moved.reason, found.get(fingerprint)))
    return transitions


def state_of(clocks: Iterable[Clock]) -> State | None:
    """The state of a rule: that of its worst alert; None when it has none."""
    states = {clock.state for clock in clocks}
    return next((state for state in (State.FIRING, State.PENDING) if state in states), None)


def _instance(rule: Rule, labels: Labels, value: float) -> Instance:
    identity = identity_of(rule, labels, value)
    names = dict(identity)
    annotations = {name: expand(text, dict(labels), value) for name, text in rule.annotations.items()}
    severity = severity_of(names.get("severity", ""))
    return Instance(
        fingerprint=fingerprint_of(identity),
        labels=identity,
        value=value,
        severity=rule.severity if severity is Severity.UNKNOWN else severity,
        annotations=annotations,
        summary=annotations.get("summary") or _summary(rule, names),
    )


def _summary(rule: Rule, labels: Mapping[str, str]) -> str:
    """A sentence for a rule that brings none: its name and where."""
    place = " ".join(labels[name] for name in ("device", "ifName", "instance") if name in labels)
    return f"{rule.name}: {place}" if place else rule.name
