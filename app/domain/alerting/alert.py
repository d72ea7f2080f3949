"""What people see of an alert: one episode of one label set of one rule, its severity and its timeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from app.domain.alerting.state import State


class Severity(StrEnum):
    """How bad an alert is, worst first."""

    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"
    WARNING = "warning"
    UNKNOWN = "unknown"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return SEVERITIES.index(self)


SEVERITIES: Final = tuple(Severity)

# Words of other systems' rules for the same thing.
SYNONYMS: Final[Mapping[str, Severity]] = {
    "page": Severity.CRITICAL,
    "emergency": Severity.CRITICAL,
    "disaster": Severity.CRITICAL,
    "error": Severity.MAJOR,
    "high": Severity.MAJOR,
    "average": Severity.MINOR,
    "medium": Severity.MINOR,
    "low": Severity.WARNING,
    "info": Severity.WARNING,
    "warn": Severity.WARNING,
    "none": Severity.UNKNOWN,
}


def severity_of(word: str) -> Severity:
    """The severity that a rule's label means; UNKNOWN when it is none of ours nor a synonym."""
    word = word.strip().lower()
    return Severity(word) if word in SEVERITIES else SYNONYMS.get(word, Severity.UNKNOWN)


@dataclass(frozen=True)
class Alert:
    """One episode of an alert, from its first appearance to its end."""

    id: int
    rule_id: int | None
    fingerprint: str
    name: str
    severity: Severity
    alert_class: str
    state: State
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    summary: str
    value: float | None
    device_id: int | None
    device: str
    interface: str
    site: str
    active_at: datetime
    fired_at: datetime | None
    keep_firing_since: datetime | None
    resolved_at: datetime | None
    resolved_by: str
    evaluated_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str
    assigned_to: int | None
    assigned_name: str
    snoozed_until: datetime | None
    version: int
    source: str = "rule"  # or the protocol by which others sent it
    ends_at: datetime | None = None  # when it ends unless it is sent again

    @property
    def since(self) -> datetime:
        """When it began to matter: firing, or pending for one that has not fired."""
        return self.fired_at or self.active_at

    def is_snoozed(self, now: datetime) -> bool:
        """Whether someone asked not to be bothered with it until later."""
        return self.snoozed_until is not None and self.snoozed_until > now

    def needs_action(self, now: datetime) -> bool:
        """Firing, and nobody has acknowledged, taken or snoozed it."""
        is_taken = self.acknowledged_at is not None or self.assigned_to is not None
        return self.state is State.FIRING and not is_taken and not self.is_snoozed(now)


@dataclass(frozen=True)
class TimelineEntry:
    """One line of an alert's activity; `actor` is empty for what happened by itself."""

    id: int
    at: datetime
    kind: str
    actor: str
    text: str
    details: Mapping[str, Any]
