"""Rules that watch capacity: what is full within some days, and how sure that must be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from app.domain.alerting.alert import Severity
from app.domain.alerting.rules import Instance, Rule, instances_of
from app.domain.forecast.capacity import HORIZON_DAYS
from app.domain.labels import Labels, Matcher, value_of
from app.errors import InvalidInput

GROUP: Final = "Capacity"
KIND: Final = "capacity"  # of a rule
# Everything: a selector names at least one label.
EVERYTHING: Final = '{kind=~".+"}'


@dataclass(frozen=True)
class Criteria:
    """How sure it must be (0 to 1) that something is full, and within how many days."""

    chance: float = 0.9
    within_days: int = 14


@dataclass(frozen=True)
class Filling:
    """What a rule sees of a thing: its labels with `kind`, and its chances to be full within 0, 1, 2 … days."""

    labels: Labels
    chances: Sequence[float]
    says: str  # a sentence: when
    level: float  # per cent


def criteria_of(document: Mapping[str, Any]) -> Criteria:
    """The criteria that a rule's row keeps."""
    return Criteria(**{name: document[name] for name in Criteria.__dataclass_fields__ if name in document})


def document_of(criteria: Criteria) -> dict[str, Any]:
    """What criteria_of() reads back."""
    return asdict(criteria)


def check(criteria: Criteria) -> Criteria:
    """The criteria; raises InvalidInput for those that can never or always be met."""
    if not 0 < criteria.chance <= 1:
        raise InvalidInput("chance", "must be above 0 and at most 1")
    if not 1 <= criteria.within_days < HORIZON_DAYS:
        raise InvalidInput("within_days", f"must be from 1 to {HORIZON_DAYS - 1}")
    return criteria


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


STARTER_RULES: Final = (
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
        ),
        Criteria(chance=0.8, within_days=30),
    ),
)
