"""Ranges of time as people write them."""

from __future__ import annotations

import pytest

from app.domain.timerange import Window, between, duration_ms, format_moment, last, moment_ms
from app.errors import InvalidInput

NOW = 1_795_000_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90s", 90_000), ("5m", 300_000), ("24h", 86_400_000), ("7d", 604_800_000), ("2w", 1_209_600_000)],
)
def test_durations(text: str, expected: int) -> None:
    assert duration_ms(text) == expected


@pytest.mark.parametrize("text", ["", "h", "0h", "-1h", "1y", "1 h", "99999d", "1.5h", "24h; drop"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(InvalidInput) as error:
        duration_ms(text)
    assert error.value.field == "t"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-23T16:00Z", 1_795_449_600_000),
        ("2026-11-23T16:00", 1_795_449_600_000),
        ("2026-11-23 16:00", 1_795_449_600_000),
        ("2026-11-23T17:00+01:00", 1_795_449_600_000),
        ("2026-11-23T17:00 01:00", 1_795_449_600_000),  # a plus sign that the address turned into a space
        ("1795449600", 1_795_449_600_000),
    ],
)
def test_moments(text: str, expected: int) -> None:
    assert moment_ms(text, field="from") == expected


@pytest.mark.parametrize(
    ("start", "end", "field"),
    [
        ("yesterday", "", "from"),
        ("2026-11-23T16:00Z", "2026-11-23T15:00Z", "to"),
        ("2026-11-23T16:00Z", "soon", "to"),
        ("1999-01-01", "2026-01-01", "from"),
    ],
)
def test_what_is_no_range(start: str, end: str, field: str) -> None:
    with pytest.raises(InvalidInput) as error:
        between(start, end, now_ms=NOW)
    assert error.value.field == field


def test_windows() -> None:
    window = last("24h", now_ms=NOW)
    assert (window.length_ms, window.relative, window.words()) == (86_400_000, "24h", "Last 24 h")
    assert window.step_ms(300) == 300_000
    assert window.step_ms(1_000_000) == 1_000
    assert window.aligned(300_000) == Window(1_794_913_500_000, 1_794_999_900_000, "24h")
    assert window.earlier(1_000) == Window(window.start_ms - 1_000, NOW - 1_000)
    assert last("3h", now_ms=NOW).words() == "Last 3h"
    fixed = between("2026-11-23T16:00Z", "2026-11-23T18:30Z", now_ms=NOW * 2)
    assert fixed.words() == "23 Nov 16:00 to 18:30"
    assert format_moment(fixed.start_ms) == "2026-11-23T16:00:00Z"
