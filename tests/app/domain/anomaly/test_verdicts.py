"""What a verdict does to the sensitivity."""

from __future__ import annotations

import doctest

import pytest

from app.domain.anomaly import verdicts
from app.domain.anomaly.verdicts import LEAST_STEPS, MOST_STEPS, Verdict, multiplier, step_of


def test_the_examples_hold() -> None:
    assert doctest.testmod(verdicts).failed == 0


@pytest.mark.parametrize(
    ("name", "verdict", "score", "steps", "step"),
    [
        ("a false alarm at the boundary", Verdict.EXPECTED, 1.0, 0, 1),
        ("expected, and nobody was told of it", Verdict.EXPECTED, 0.99, 0, 0),
        ("a false alarm, but no longer one at this multiplier", Verdict.EXPECTED, 1.1, 3, 0),
        ("a false alarm at the upper bound", Verdict.EXPECTED, 4.0, MOST_STEPS, 0),
        ("a real one that was missed", Verdict.REAL, 0.7, 0, -1),
        ("a real one that was nearly missed", Verdict.REAL, 1.2, 0, -1),
        ("a real one that was clear", Verdict.REAL, 1.25, 0, 0),
        ("a real one that was missed, at the lower bound", Verdict.REAL, 0.1, LEAST_STEPS, 0),
        ("an alert of a plain rule", Verdict.EXPECTED, None, 0, 0),
    ],
)
def test_one_step_or_none(name: str, verdict: Verdict, score: float | None, steps: int, step: int) -> None:
    assert step_of(verdict, score, steps) == step, name


def test_the_multiplier_is_bounded() -> None:
    factors = [multiplier(steps) for steps in range(LEAST_STEPS, MOST_STEPS + 1)]
    assert factors == sorted(factors)
    assert min(factors) >= 0.5 and max(factors) <= 3.0
