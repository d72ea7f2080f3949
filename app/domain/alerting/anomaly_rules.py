"""Rules that watch anomalies: which series, how unusual, in which direction, and what is too small to matter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import msgspec

from app.domain.alerting.alert import Severity
from app.domain.alerting.rules import Instance, Rule, RuleGroup, instances_of
from app.domain.labels import Labels, Matcher, labels_of, value_of

KIND: Final = "anomaly"  # of a rule
# How long an alert stays after the newest unusual point: the record rule passes on no second one for a while.
KEEP_FOR_S: Final = 900.0


class Direction(StrEnum):
    """Which side of the expected range counts."""

    BOTH = "both"
    UP = "up"
    DOWN = "down"


@dataclass(frozen=True)
class Criteria:
    """What an anomaly must be like for a rule. `least_score`: 1.0 is the boundary of the balanced profile."""

    least_score: float = 1.0
    direction: Direction = Direction.BOTH
    least_abs: float = 0.0  # distance from the expected range, in the unit of the series
    least_rel: float = 0.0  # the same, as a share of the nearer end of the range
    valid_lo: float | None = None  # values outside are faults of measuring
    valid_hi: float | None = None
    source: str = "series"  # or "peers": unlike the other devices of its role


@dataclass(frozen=True)
class Unusual:
    """What a rule sees of an anomaly: the point with the highest score."""

    labels: Labels
    score: float
    value: float
    expected_lo: float | None
    expected_hi: float | None
    nearest: float | None
    why: str  # a sentence: the view that fired
    source: str = "series"


@dataclass(frozen=True)
class AnomalyRule:
    """A rule of alerts whose condition is an anomaly of the series that `matchers` select."""

    rule: Rule
    matchers: Sequence[Matcher] = ()
    criteria: Criteria = field(default_factory=Criteria)


def criteria_of(document: Mapping[str, Any]) -> Criteria:
    """The criteria that a rule keeps."""
    return msgspec.convert(document, Criteria)


def kept_s(rule: Rule) -> float:
    """How long an alert stays after the newest unusual point: as the rule says, KEEP_FOR_S where it says nothing.

    A point is found some minutes after it was measured: an alert that is kept for no time would never be seen.
    """
    return rule.keep_firing_for_s or KEEP_FOR_S


def meets(criteria: Criteria, found: Unusual) -> bool:
    """Whether an anomaly counts for a rule."""
    if found.source != criteria.source or found.score < criteria.least_score:
        return False
    if criteria.valid_lo is not None and found.value < criteria.valid_lo:
        return False
    if criteria.valid_hi is not None and found.value > criteria.valid_hi:
        return False
    side, distance, end = _deviation(found)
    if criteria.direction is not Direction.BOTH and side is not criteria.direction:
        return False
    return distance >= criteria.least_abs and distance >= criteria.least_rel * abs(end)


def applies(watched: AnomalyRule, found: Unusual) -> bool:
    """Whether a rule raises an alert for an anomaly."""
    selects = all(matcher.matches(value_of(found.labels, matcher.name)) for matcher in watched.matchers)
    return selects and meets(watched.criteria, found)


def instances(watched: AnomalyRule, unusual: Iterable[Unusual]) -> dict[str, Instance]:
    """The alerts that a rule raises for these anomalies, by fingerprint; of one label set the worst."""
    rows: dict[Labels, tuple[Unusual, Labels]] = {}
    for found in unusual:
        if not applies(watched, found):
            continue
        known = rows.get(found.labels)
        if known is None or known[0].score < found.score:
            rows[found.labels] = (found, labels_of(dict(found.labels) | {"metric": value_of(found.labels, "__name__")}))
    raised: dict[str, Instance] = {}
    for found, labels in rows.values():
        for fingerprint, instance in instances_of(watched.rule, [(labels, found.value)]).items():
            notes = dict(instance.annotations) | notes_of(found)
            raised[fingerprint] = Instance(
                fingerprint, instance.labels, instance.value, instance.severity, notes, instance.summary
            )
    return raised


def notes_of(found: Unusual) -> dict[str, str]:
    """What an alert says about why it was raised."""
    notes = {"view": found.why, "score": f"{found.score:.2f}"}
    if found.expected_lo is not None and found.expected_hi is not None:
        notes["expected"] = f"{found.expected_lo:.6g} to {found.expected_hi:.6g}"
    if found.nearest is not None:
        notes["nearest_past_value"] = f"{found.nearest:.6g}"
    return notes


def _deviation(found: Unusual) -> tuple[Direction, float, float]:
    """The side, the distance from the expected range (0 inside of it), and the end that is nearer."""
    low, high = found.expected_lo, found.expected_hi
    if high is not None and found.value > high:
        return Direction.UP, found.value - high, high
    if low is not None and found.value < low:
        return Direction.DOWN, low - found.value, low
    if found.nearest is not None:
        # Inside of the range but where nothing ever was: measured from the nearest past value.
        side = Direction.UP if found.value > found.nearest else Direction.DOWN
        return side, abs(found.value - found.nearest), found.nearest
    return Direction.BOTH, 0.0, 0.0


def _starter(name: str, what: str, expr: str, alert_class: str, **criteria: float | str) -> Rule:
    return Rule(
        name=name,
        expr=expr,
        keep_firing_for_s=KEEP_FOR_S,
        severity=Severity.WARNING,
        alert_class=alert_class,
        annotations={"summary": f"{{{{ $labels.device }}}} {{{{ $labels.ifName }}}}: {what} is unusual"},
        kind=KIND,
        criteria=criteria,
    )


# Few, and quiet: what is far from anything seen in two weeks, and large enough to matter. Of noise alone one series in
# ten sets a record above 1.0 within a week; above 4.0 one in a hundred does.
STARTER: Final = RuleGroup(
    "Anomalies",
    60,
    (
        _starter(
            "TrafficAnomaly",
            "traffic",
            '{__name__=~"ifHCInOctets|ifHCOutOctets"}',
            "traffic",
            least_score=4.0,
            least_abs=125_000,
            least_rel=0.5,
        ),
        _starter(
            "ErrorsAnomaly",
            "the rate of errors",
            '{__name__=~"if(In|Out)(Errors|Discards)"}',
            "link-degraded",
            least_score=1.25,
            direction="up",
            least_abs=0.5,
        ),
    ),
)
