"""When a family has drifted from its model: four measures, each with its bound and a sentence for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Measure(StrEnum):
    """What is looked at."""

    COVERAGE = "coverage_95"
    AGAINST_NAIVE = "mase_against_naive"
    STABILITY = "stability"
    ALERT_RATE = "alert_rate"


# A 95 % range that holds less than this over two weeks; an error above seasonal naive's; a large move of the features;
# anomalies a day and series, of which a calm network has one in a week.
BOUNDS: Final[Mapping[Measure, float]] = {
    Measure.COVERAGE: 0.90,
    Measure.AGAINST_NAIVE: 1.0,
    Measure.STABILITY: 0.25,
    Measure.ALERT_RATE: 0.5,
}
SENTENCES: Final[Mapping[Measure, str]] = {
    Measure.COVERAGE: "The share of two weeks' values that lay inside the 95 % range; below 90 % it is too narrow.",
    Measure.AGAINST_NAIVE: "The forecast's error in units of seasonal naive's; above 1 yesterday's value is better.",
    Measure.STABILITY: "How far the inputs moved since training (population stability index); 0.25 is a large move.",
    Measure.ALERT_RATE: "Anomalies of a series in a day; above one in two days, what is usual here has changed.",
}
# Two weeks, as the coverage is measured.
DAYS: Final = 14


@dataclass(frozen=True)
class Look:
    """One value of one measure of one family."""

    family: str
    measure: Measure
    value: float
    note: str = ""

    @property
    def bound(self) -> float:
        """Where drift begins."""
        return BOUNDS[self.measure]

    @property
    def is_drifting(self) -> bool:
        """Whether the value is past its bound; below it for coverage, above it for the others."""
        return self.value < self.bound if self.measure is Measure.COVERAGE else self.value > self.bound
