"""What a verdict of a person does to a tenant's sensitivity: one small step, within bounds, that undoing takes back.

The multiplier is 1.05 to the power of the tenant's steps, at least 0.5 and at most 3. "Expected" of what reached the
boundary is a false alarm: the next must be more unusual. "Real" of what did not reach it, or only just, is nearly a
miss: less is enough from now on. Any other verdict says that the boundary lies well and moves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

FACTOR: Final = 1.05
LEAST, MOST = 0.5, 3.0
LEAST_STEPS, MOST_STEPS = -14, 22
# A real one that is less than this above the boundary came near to being missed.
NEAR: Final = 1.25


class Verdict(StrEnum):
    """What a person says of something that detection found unusual, or did not."""

    EXPECTED = "expected"
    REAL = "real"


@dataclass(frozen=True)
class Mark:
    """A verdict: on an anomaly, on an alert, or on a stretch of time of every series that has these labels.

    score: the highest in the stretch, None where nothing was scored. step: how it moved the tenant's sensitivity.
    replaced_id: the mark that stood on it before and stands again when this one is undone.
    """

    id: int
    anomaly_id: int | None
    alert_id: int | None
    labels: Mapping[str, str]
    start_at: datetime
    end_at: datetime
    score: float | None
    verdict: Verdict
    note: str
    step: int
    made_by: str
    made_at: datetime
    undone_by: str
    undone_at: datetime | None
    replaced_id: int | None = None


@dataclass(frozen=True)
class Sensitivity:
    """How sensitive detection is for a tenant, and the verdicts that made it so.

    multiplier: 1.0 as shipped; more asks for more unusual points. boundary: the score at which an anomaly is one now.
    """

    multiplier: float
    boundary: float
    steps: int
    expected: int
    real: int


def multiplier(steps: int) -> float:
    """How many times the profile's boundary a score must reach.

    >>> multiplier(0), round(multiplier(3), 3), multiplier(-100), multiplier(100)
    (1.0, 1.158, 0.5, 3.0)
    """
    return min(MOST, max(LEAST, FACTOR**steps))


def step_of(verdict: Verdict, score: float | None, steps: int) -> int:
    """Which way a verdict on something with this score moves the tenant's steps: -1, 0 or 1.

    >>> step_of(Verdict.EXPECTED, 1.2, 0), step_of(Verdict.EXPECTED, 0.8, 0)
    (1, 0)
    >>> step_of(Verdict.REAL, 0.8, 0), step_of(Verdict.REAL, 1.1, 0), step_of(Verdict.REAL, 2.0, 0)
    (-1, -1, 0)
    """
    if score is None:
        return 0
    boundary = multiplier(steps)
    if verdict is Verdict.EXPECTED and score >= boundary:
        return 1 if steps < MOST_STEPS else 0
    if verdict is Verdict.REAL and score < NEAR * boundary:
        return -1 if steps > LEAST_STEPS else 0
    return 0
