"""Rules that watch capacity: what is full within some days, and how sure that must be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final

import msgspec

from app.domain.alerting.alert import Severity
from app.domain.alerting.rules import Instance, Rule, RuleGroup, instances_of
from app.domain.forecast.capacity import HORIZON_DAYS
from app.domain.labels import Labels, Matcher, value_of

KIND: Final = "capacity"  # of a rule
# Everything: a selector names at least one label.
EVERYTHING: Final = '{kind=~".+"}'


@dataclass(frozen=True)
class Criteria:
    """How sure it must be (0 to 1) that something is full, and within how many days."""

    chance: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.9
    within_days: Annotated[int, msgspec.Meta(ge=1, lt=HORIZON_DAYS)] = 14


@dataclass(frozen=True)
class Filling:
    """What a rule sees of a thing: its labels with `kind`, and its chances to be full within 0, 1, 2 … days."""

    labels: Labels
    chances: Sequence[float]
    says: str  # a sentence: when
    level: float  # per cent


def criteria_of(document: Mapping[str, Any]) -> Criteria:
    """The criteria that a rule keeps."""
    return msgspec.convert(document, Criteria)


def instances(
    rule: Rule, matchers: Sequence[Matcher], criteria: Criteria, things: Iterable[Filling]
) -> dict[str, Instance]:
    """The alerts that a rule raises, by fingerprint: one for each thing that is full soon and surely enough."""
    raised: dict[str, Instance] = {}
    for thing in things:
        chance = thing.chances[min(criteria.within_days, len(thing.chances) - 1)] if len(thing.chances) else 0.0
        if chance < criteria.chance or not all(its.matches(value_of(thing.labels, its.name)) for its in matchers):
            continue
        notes = {"when": thing.says, "level": f"{thing.level:.1f} %"}
        for fingerprint, instance in instances_of(rule, [(thing.labels, float(chance))]).items():
            raised[fingerprint] = replace(instance, annotations=dict(instance.annotations) | notes)
    return raised


STARTER: Final = RuleGroup(
    "Capacity",
    600,
    (
        Rule(
            name="FillsUp",
            expr=EVERYTHING,
            severity=Severity.WARNING,
            alert_class="resource",
            annotations={
                "summary": "{{ $labels.device }} {{ $labels.object }}: full within 30 days,"
                " {{ $value | humanizePercentage }} sure",
                "description": "From what was used on each day until now. See Capacity for the range of dates.",
            },
            kind=KIND,
            criteria={"chance": 0.8, "within_days": 30},
        ),
    ),
)
