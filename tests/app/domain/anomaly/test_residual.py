"""What the forecast says of an hour: only of series with a strong day, and in widths of their own range."""

from __future__ import annotations

import numpy as np
import pytest

from app.domain.anomaly.residual import judge
from app.domain.forecast.base import Forecast


def _forecast(*, half: float) -> Forecast:
    """Two series of 24 hours: one that swings by 60, one that is flat."""
    swings = 50 + 30 * np.sin(2 * np.pi * np.arange(24) / 24)
    mean = np.stack([swings, np.full(24, 50.0)])
    return Forecast(
        mean=mean, lo80=mean - half / 2, hi80=mean + half / 2, lo95=mean - half, hi95=mean + half, model="m"
    )


@pytest.mark.parametrize(
    ("value", "score"),
    [(80.0, 0.0), (84.0, 0.4), (90.0, 1.0), (70.0, 1.0), (np.nan, np.nan)],
)
def test_the_distance_counts_in_half_widths(value: float, score: float) -> None:
    found = judge(np.array([value, 50.0]), _forecast(half=4), hour=6)
    np.testing.assert_allclose(found.score, [score, np.nan])
    assert (found.expected_lo[0], found.expected_hi[0], found.mean[0]) == (76, 84, 80)


def test_a_season_that_is_weak_beside_the_range_is_not_judged() -> None:
    assert np.isnan(judge(np.array([500.0, 500.0]), _forecast(half=31), hour=6).score).all()
