"""When is it full: chances and dates from daily figures."""

from __future__ import annotations

import numpy as np
import pytest

from app.domain.forecast.capacity import (
    HORIZON_DAYS,
    LEAST_DAYS,
    filled_after,
    missing_days,
    outlook_and_fan,
    outlooks,
    weekly_medians,
)
from app.domain.samples import Float64s

DAYS = 180


def growing(*per_day: float, start: float = 50.0, noise: float = 1.0, seed: int = 3) -> Float64s:
    """Daily figures with a week and noise, one row for each growth in points a day."""
    rng = np.random.default_rng(seed)
    days = np.arange(DAYS)
    week = 3 * np.sin(2 * np.pi * days / 7)
    return np.array([start + rate * days + week + rng.normal(0, noise, DAYS) for rate in per_day])


def test_a_link_that_grows_steadily_is_full_when_its_line_says_so() -> None:
    [outlook] = outlooks(growing(0.15), 90.0)  # 76.9 today, 90 after some 87 days
    assert outlook.d10 is not None
    assert outlook.d90 is not None
    assert outlook.d10 < 87 < outlook.d90
    assert outlook.p30 < 0.05
    assert outlook.p180 > 0.95
    assert outlook.per_week == pytest.approx(7 * 0.15, abs=0.15)


def test_a_link_that_does_not_grow_has_no_date() -> None:
    [outlook] = outlooks(growing(0.0), 90.0)
    assert outlook.d90 is None
    assert outlook.p180 < 0.05


def test_a_link_over_its_threshold_is_full_now() -> None:
    [outlook] = outlooks(growing(0.0, start=97.0), 90.0)
    assert (outlook.p30, outlook.d10, outlook.d90) == (1.0, 0.0, 0.0)


def test_chances_and_quantiles_are_in_order() -> None:
    for outlook in outlooks(growing(0.0, 0.05, 0.1, 0.2, 0.3, noise=2.5), 90.0):
        assert outlook.p30 <= outlook.p90 <= outlook.p180
        dates = [outlook.d025, outlook.d10, outlook.d50, outlook.d90, outlook.d975]
        days = [float("inf") if date is None else date for date in dates]
        assert days == sorted(days)


def test_twice_the_growth_is_full_earlier() -> None:
    [usual], [doubled] = outlooks(growing(0.1), 90.0), outlooks(growing(0.1), 90.0, growth=2.0)
    assert usual.d50 is not None
    assert doubled.d50 is not None
    assert doubled.d50 < usual.d50


def test_the_same_question_has_the_same_answer() -> None:
    assert outlooks(growing(0.1), 90.0) == outlooks(growing(0.1), 90.0)


def test_units_do_not_matter() -> None:
    [percent], [bits] = outlooks(growing(0.1), 90.0), outlooks(growing(0.1) * 1e7, 9e8)
    assert bits.d50 == percent.d50
    assert bits.per_week == pytest.approx(percent.per_week * 1e7)


def test_days_without_a_figure_are_bridged() -> None:
    daily = growing(0.15)
    daily[0, 40:60] = np.nan
    daily[0, -2:] = np.nan
    [outlook] = outlooks(daily, 90.0)
    assert outlook.d50 == pytest.approx(87, abs=25)


def test_too_few_days_are_refused() -> None:
    assert missing_days(np.array([1.0, np.nan, 2.0])) == LEAST_DAYS - 2
    with pytest.raises(ValueError, match="30 days"):
        outlooks(growing(0.1)[:, :20], 90.0)


def test_a_fan_opens_around_its_middle_and_agrees_with_the_outlook() -> None:
    daily = growing(0.15)
    outlook, opened = outlook_and_fan(daily[0], 90.0, seed=5)
    assert opened.middle.shape == (HORIZON_DAYS,)
    assert (opened.low90 <= opened.low50).all()
    assert (opened.high50 <= opened.high90).all()
    width = opened.high90 - opened.low90
    assert width[-1] > 2 * width[0]
    assert [outlook] == outlooks(daily, 90.0, seeds=[5])
    assert outlook.d50 == pytest.approx(np.argmax(opened.middle >= 90.0), abs=7)


def test_a_row_has_the_same_answer_whatever_stands_beside_it() -> None:
    rows = growing(0.1, 0.2)
    assert outlooks(rows, 90.0, seeds=[8, 9])[1] == outlooks(rows[1:], 90.0, seeds=[9])[0]


def test_the_chance_of_any_number_of_days() -> None:
    [outlook] = outlooks(growing(0.15), 90.0)
    assert [outlook.chance_within(days) for days in (30, 90, 180)] == [outlook.p30, outlook.p90, outlook.p180]
    assert outlook.chance_within(9999) == outlook.chances[-1]


@pytest.mark.parametrize("row", [np.full(90, 40.0), np.repeat([30.0, 35.0, 40.0], 30)], ids=["constant", "in steps"])
def test_a_disk_that_hardly_moves_is_foreseen_without_a_fault(row: Float64s) -> None:
    [outlook] = outlooks(row[None], 90.0)
    assert outlook.p30 < 0.1


@pytest.mark.parametrize("step", [-40.0, 35.0], ids=["a disk was cleaned", "a link got more traffic"])
@pytest.mark.parametrize("days_ago", [8, 20, 90])
def test_a_level_that_moved_is_believed_after_a_week(step: float, days_ago: int) -> None:
    daily = growing(0.02)
    daily[0, -days_ago:] += step
    [outlook] = outlooks(daily, 130.0)
    assert outlook.now == pytest.approx(np.median(daily[0, -7:]), abs=4)
    assert outlook.p30 < 0.05


@pytest.mark.parametrize("phase", [0, 3, 7, 12])
def test_a_disk_whose_logs_are_rotated_does_not_fill_up(phase: int) -> None:
    days = np.arange(DAYS) + phase
    daily = 50 + 0.75 * (days % 14) + np.random.default_rng(4).normal(0, 0.2, DAYS)
    [outlook] = outlooks(daily[None], 90.0)
    assert outlook.p90 < 0.1
    assert outlook.d50 is None or outlook.d50 > 200


def test_weekends_that_grow_apart_from_the_week_are_no_jumps() -> None:
    days = np.arange(DAYS)
    level = 42 + np.maximum(days - 140, 0) * 0.7
    daily = level * np.where(days % 7 >= 5, 0.32, 1.0) + np.random.default_rng(4).normal(0, 0.2, DAYS)
    [outlook] = outlooks(daily[None], 90.0)  # 69.3 today, 0.7 a day
    assert outlook.per_week == pytest.approx(4.9, abs=1.5)
    assert outlook.d50 == pytest.approx(31, abs=14)


def test_when_it_was_full_is_when_the_median_of_a_week_was() -> None:
    daily = np.array([80.0] * 20 + [99.0] + [80.0] * 5 + [95.0] * 14)
    weekly = weekly_medians(daily[None])[0]
    assert np.isnan(weekly[:6]).all()
    assert filled_after(weekly, 9, 90.0) == 29 - 10
    assert filled_after(weekly, 35, 90.0) == 0
    assert filled_after(weekly, 9, 99.0) is None


@pytest.mark.parametrize(
    "daily",
    [
        pytest.param(50 + (np.arange(180) // 7) * 1.2, id="by a step each week"),
        pytest.param(50 + 0.2 * np.arange(180) + np.arange(180) % 7, id="on a saw of the week, to the digit"),
        pytest.param(40 + (np.arange(180) // 30) * 6.0, id="by a step each month"),
    ],
)
def test_what_grows_in_steps_grows(daily: Float64s) -> None:
    (its,) = outlooks(daily[None, :], 90.0)
    assert its.p180 > 0.9
    assert its.per_week > 0.9
