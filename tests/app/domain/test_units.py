"""Numbers as people read them."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest

from app.domain.units import format_age, format_duration, format_number, format_value, scale_for, shortened


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (9.62e9, "bps", "9.62 Gb/s"),
        (1.79e12, "bps", "1.79 Tb/s"),
        (352e9, "bps", "352 Gb/s"),
        (0.0, "bps", "0 b/s"),
        (0.384, "ratio", "38.4 %"),
        (3 * 2**30, "bytes", "3.00 GiB"),
        (-21.4, "dbm", "−21.4 dBm"),
        (0.0042, "seconds", "4.20 ms"),
        (259_200, "seconds", "3.00 d"),
        (1_667, "count", "1.67 k"),
        (float("nan"), "bps", "– b/s"),
    ],
)
def test_values(value: float, unit: str, text: str) -> None:
    assert format_value(value, unit) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(1667, "1,667"), (0.00123, "0.00123"), (99.982, "100.0"), (-5.1, "−5.10"), (math.inf, "∞"), (-math.inf, "−∞")],
)
def test_numbers(value: float, text: str) -> None:
    assert format_number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0 s"), (59, "59 s"), (2280, "38 min"), (7800, "2 h 10 min"), (100_800, "1 d 4 h"), (1_040_000, "12 d")],
)
def test_durations(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_age() -> None:
    now = datetime(2026, 11, 24, tzinfo=UTC)
    assert format_age(now - timedelta(minutes=5), now) == "5 min"
    assert scale_for(float("inf"), "bps").unit == "b/s"


def test_a_text_that_is_too_long_says_so() -> None:
    assert shortened("traffic", 7) == "traffic"
    assert shortened("traffic is unusual", 9) == "traffic…"
