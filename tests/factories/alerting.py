"""Rules, a source of samples in memory, and the clock of evaluations, for tests of alerts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np

from app.actions.evaluations import Outcome, evaluate_group
from app.actions.rules import create_group
from app.domain.alerting.alert import Severity
from app.domain.alerting.rules import Rule, RuleGroup
from app.domain.labels import Labels, labels_of
from app.domain.tenancy import Viewer
from app.errors import QueryError
from app.promql.result import Vector

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
INTERVAL_S = 15


def down(device: str, **labels: str) -> tuple[Labels, float]:
    """A row of a query result: this device does not answer."""
    return labels_of({"__name__": "snmp_up", "device": device, "site": "berlin", **labels}), 0.0


@dataclass
class Source:
    """Answers every query with `rows`; a text in `error` makes it fail as the engine fails."""

    rows: Sequence[tuple[Labels, float]] = ()
    error: str = ""

    def __call__(self, viewer: Viewer, expr: str, *, at_ms: int) -> Vector:
        if self.error:
            raise QueryError(self.error, kind="execution")
        return Vector([labels for labels, _ in self.rows], np.array([value for _, value in self.rows]), at_ms)


@dataclass
class Rounds:
    """A rule group of one tenant, evaluated round by round at aligned times."""

    viewer: Viewer
    rule: Rule = field(
        default_factory=lambda: Rule(
            name="DeviceUnreachable",
            expr="snmp_up == 0",
            severity=Severity.CRITICAL,
            annotations={"summary": "{{ $labels.device }} does not answer"},
        )
    )
    name: str = "test"
    start: datetime = NOON
    source: Source = field(default_factory=Source)

    def __post_init__(self) -> None:
        self.group_id = create_group(self.viewer, RuleGroup(self.name, INTERVAL_S, (self.rule,)))
        self.at = self.start - timedelta(seconds=INTERVAL_S)

    def round(self, *rows: tuple[Labels, float], error: str = "", after_s: int = INTERVAL_S) -> Outcome:
        """Evaluate the next round with these query results."""
        self.at += timedelta(seconds=after_s)
        self.source.rows, self.source.error = rows, error
        return self.evaluate(self.at)

    def evaluate(self, at: datetime, *, now: datetime | None = None) -> Outcome:
        """Evaluate at a given moment."""
        slot_ms = int(at.timestamp() * 1000)
        return evaluate_group(self.viewer.tenant, self.group_id, slot_ms, query=self.source, now=now or at)
