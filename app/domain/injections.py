"""What was injected on purpose, and how what was found compares with it. Pure.

An anomaly is a hit when its series is one that something was injected into, and it lies in that time; it is explained
when a fault was going on in the tenant, whose detours and echoes nobody lists; else it is a false alarm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from statistics import median
from typing import Final

# A detector that looks at means of some time finds what is over already.
GRACE: Final = timedelta(minutes=15)
# How long the traffic needs to find its ways back after a fault.
ECHO: Final = timedelta(minutes=30)
# When what does not grow reaches its threshold.
NEVER: Final = datetime(9999, 12, 31, tzinfo=UTC)


class Family(StrEnum):
    """What detection should find, what explains other anomalies, and what forecasts should foresee."""

    ODDITY = "oddity"
    FAULT = "fault"
    GROWTH = "growth"


@dataclass(frozen=True)
class Injection:
    """One injection.

    `labels` are those that its series have, maybe among others. `affected` of a fault: devices, and ports as
    device:ifName. Of a growth `ended_at` is when it reaches `magnitude` per cent of its capacity, by its own formula;
    NEVER for what does not grow.
    """

    ref: str
    family: Family
    kind: str
    metric: str
    labels: Mapping[str, str]
    affected: Sequence[str]
    started_at: datetime
    ended_at: datetime
    magnitude: float


@dataclass(frozen=True)
class Found:
    """One anomaly, as far as a comparison needs it."""

    metric: str
    labels: Mapping[str, str]
    started_at: datetime
    last_at: datetime
    score: float


@dataclass(frozen=True)
class Outcome:
    """What became of one injection: how many anomalies hit it, the highest score, and the delay of the first in s."""

    injection: Injection
    hits: int
    score: float | None
    delay_s: float | None


@dataclass(frozen=True)
class Comparison:
    """Anomalies of one boundary against the log. `explained` are neither hits nor false alarms."""

    outcomes: Sequence[Outcome]
    hits: int
    explained: int
    false_alarms: Sequence[Found]

    @property
    def found(self) -> int:
        """How many injections were found."""
        return sum(1 for outcome in self.outcomes if outcome.hits)

    @property
    def recall(self) -> float | None:
        """The share of injections that were found; None when there is none."""
        return self.found / len(self.outcomes) if self.outcomes else None

    @property
    def precision(self) -> float | None:
        """Of the anomalies that no fault explains, the share that hit an injection; None when there is none."""
        told = self.hits + len(self.false_alarms)
        return self.hits / told if told else None

    @property
    def delay_s(self) -> float | None:
        """The median delay of those that were found."""
        delays = [outcome.delay_s for outcome in self.outcomes if outcome.delay_s is not None]
        return median(delays) if delays else None


def compared(log: Sequence[Injection], anomalies: Sequence[Found], *, boundary: float) -> Comparison:
    """The anomalies with a score of `boundary` or more against all oddities and faults of the log."""
    odd = [injection for injection in log if injection.family is Family.ODDITY]
    faults = [injection for injection in log if injection.family is Family.FAULT]
    by_metric: dict[str, list[int]] = {}
    for number, injection in enumerate(odd):
        by_metric.setdefault(injection.metric, []).append(number)
    hits: list[list[Found]] = [[] for _ in odd]
    hit_count, explained = 0, 0
    false_alarms = []
    for anomaly in anomalies:
        if anomaly.score < boundary:
            continue
        its = [number for number in by_metric.get(anomaly.metric, ()) if _is_hit(odd[number], anomaly)]
        for number in its:
            hits[number].append(anomaly)
        if its:
            hit_count += 1
        elif any(_overlaps(fault, anomaly, ECHO) for fault in faults):
            explained += 1
        else:
            false_alarms.append(anomaly)
    outcomes = [_outcome(injection, its) for injection, its in zip(odd, hits, strict=True)]
    return Comparison(outcomes, hit_count, explained, false_alarms)


def by_kind(comparison: Comparison) -> dict[str, Comparison]:
    """The injections of each kind on their own; false alarms have no kind."""
    kinds = sorted({outcome.injection.kind for outcome in comparison.outcomes})
    found = {}
    for kind in kinds:
        outcomes = [outcome for outcome in comparison.outcomes if outcome.injection.kind == kind]
        found[kind] = Comparison(outcomes, sum(outcome.hits for outcome in outcomes), 0, ())
    return found


def _outcome(injection: Injection, its: Sequence[Found]) -> Outcome:
    if not its:
        return Outcome(injection, 0, None, None)
    first = min(anomaly.started_at for anomaly in its)
    delay_s = max(0.0, (first - injection.started_at).total_seconds())
    return Outcome(injection, len(its), max(anomaly.score for anomaly in its), delay_s)


def _is_hit(injection: Injection, anomaly: Found) -> bool:
    return injection.labels.items() <= anomaly.labels.items() and _overlaps(injection, anomaly, GRACE)


def _overlaps(injection: Injection, anomaly: Found, after: timedelta) -> bool:
    return anomaly.started_at <= injection.ended_at + after and anomaly.last_at >= injection.started_at
