"""Alerts that others raise and send: what one says, and how its two ends are completed.

Source: Alertmanager's API v2 (postAlertsHandler) and types.Alert.Validate: what is missing, what is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from app.domain.alerting.alert import Severity, severity_of
from app.domain.alerting.rules import ALERT_NAME, Instance, fingerprint_of
from app.domain.labels import LONGEST_NAME, LONGEST_VALUE, MOST_LABELS, labels_of

# Alertmanager's resolve_timeout: an alert without an end is over when it is not sent again for so long.
RESOLVE_TIMEOUT: Final = timedelta(minutes=5)
# What is said of times before this is a mistake.
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
LONGEST_ANNOTATION: Final = 20_000


@dataclass(frozen=True)
class ReceivedAlert:
    """One alert as it was sent; `index` is its place in the request."""

    index: int
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime
    generator_url: str = ""

    def is_firing(self, now: datetime) -> bool:
        """Whether it has not ended."""
        return self.ends_at > now


def completed(starts_at: datetime | None, ends_at: datetime | None, *, now: datetime) -> tuple[datetime, datetime]:
    """Both ends of an alert; raises ValueError when it ends before it starts."""
    if starts_at is None:
        starts_at = now if ends_at is None else ends_at
    if ends_at is None:
        ends_at = now + RESOLVE_TIMEOUT
    if ends_at < starts_at:
        raise ValueError("start time must be before end time")
    return max(starts_at, EARLIEST), ends_at


def check(labels: Mapping[str, str], annotations: Mapping[str, str]) -> None:
    """Raise ValueError unless these can be an alert's."""
    if not labels:
        raise ValueError("at least one label pair required")
    if len(labels) > MOST_LABELS or len(annotations) > MOST_LABELS:
        raise ValueError(f"more than {MOST_LABELS} labels or annotations")
    for pairs, longest in ((labels, LONGEST_VALUE), (annotations, LONGEST_ANNOTATION)):
        for name, value in pairs.items():
            if not name or len(name) > LONGEST_NAME or len(value) > longest:
                raise ValueError("a name or value is empty or too long")
            if "\0" in name or "\0" in value:
                raise ValueError("a NUL character in a name or value")


def instance_of(alert: ReceivedAlert) -> Instance:
    """The alert as those of our rules are."""
    labels = labels_of(alert.labels)
    word = alert.labels.get("severity", "")
    return Instance(
        fingerprint=fingerprint_of(labels),
        labels=labels,
        value=float("nan"),
        severity=severity_of(word) if word else Severity.WARNING,
        annotations=alert.annotations,
        summary=_summary(alert),
    )


def name_of(alert: ReceivedAlert) -> str:
    """What it is called."""
    return alert.labels.get(ALERT_NAME) or "alert"


def _summary(alert: ReceivedAlert) -> str:
    for name in ("summary", "title", "description", "message"):
        lines = alert.annotations.get(name, "").strip().splitlines()
        if lines:
            return lines[0][:500]
    place = " ".join(alert.labels[name] for name in ("device", "ifName", "instance") if name in alert.labels)
    return f"{name_of(alert)}: {place}" if place else name_of(alert)
