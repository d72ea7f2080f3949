"""Events: what happened at a moment (a change, a deploy, a log line, a trap), as against what was measured."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from app.domain.alerting.alert import Severity


@dataclass(frozen=True)
class Event:
    """One event; an empty `severity` is of one that is neither good nor bad."""

    at: datetime
    kind: str
    text: str
    device: str = ""
    interface: str = ""
    severity: Severity | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> bytes:
        """Of everything it says but its time: two of the same time and digest are one event sent twice."""
        facts = (self.kind, self.device, self.interface, self.severity or "", self.text, sorted(self.labels.items()))
        return hashlib.blake2b(msgspec.json.encode(facts), digest_size=16).digest()


@dataclass(frozen=True)
class StoredEvent:
    """An event as people see it; `agent` sent it."""

    id: int
    at: datetime
    kind: str
    severity: str
    device: str
    interface: str
    text: str
    labels: Mapping[str, str]
    agent: str
    received_at: datetime
