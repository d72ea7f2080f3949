"""Hours to days."""

from __future__ import annotations

import numpy as np
import pytest

from app.domain.forecast.daily_use import LEAST_HOURS, daily_p95


def test_the_percentile_of_a_day_is_that_of_its_hours() -> None:
    hours = np.random.default_rng(2).normal(50, 10, (3, 48))
    found = daily_p95(hours)
    assert found == pytest.approx(np.quantile(hours.reshape(3, 2, 24), 0.95, axis=2), rel=1e-6)


def test_hours_without_a_value_do_not_count() -> None:
    hours = np.full((1, 24), np.nan)
    hours[0, 4:14] = np.arange(10)
    assert daily_p95(hours)[0, 0] == pytest.approx(np.quantile(np.arange(10), 0.95), rel=1e-6)


def test_a_day_with_few_hours_has_no_figure() -> None:
    hours = np.full((1, 24), np.nan)
    hours[0, : LEAST_HOURS - 1] = 1.0
    assert np.isnan(daily_p95(hours)).all()
    hours[0, LEAST_HOURS - 1] = 1.0
    assert daily_p95(hours).tolist() == [[1.0]]
