"""Ranges of time as people choose them, and the step a chart draws at."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from app.errors import InvalidInput

# What the picker offers, with the words for it.
PRESETS: Final = (
    ("5m", "Last 5 min"),
    ("15m", "Last 15 min"),
    ("1h", "Last 1 h"),
    ("6h", "Last 6 h"),
    ("24h", "Last 24 h"),
    ("2d", "Last 2 d"),
    ("7d", "Last 7 d"),
    ("15d", "Last 15 d"),
)
UNITS_MS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
LONGEST_MS: Final = 400 * 86_400_000
# Round steps, so that points stay where they are when the window moves on.
STEPS_MS: Final = tuple(
    seconds * 1000
    for seconds in (1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
)

_DURATION = re.compile(r"(\d{1,5})(s|m|h|d|w)")


@dataclass(frozen=True)
class Window:
    """A range of time in ms since 1970. `relative` is its name (`24h`) when it moves with the clock."""

    start_ms: int
    end_ms: int
    relative: str | None = None

    @property
    def length_ms(self) -> int:
        """How long it is."""
        return self.end_ms - self.start_ms

    def step_ms(self, points: int) -> int:
        """The smallest round step that needs at most `points` points; windows are asked for at multiples of it."""
        wanted = self.length_ms / max(points, 1)
        return next((step for step in STEPS_MS if step >= wanted), STEPS_MS[-1])

    def aligned(self, step_ms: int) -> Window:
        """The same window with both ends on multiples of `step_ms`, not later than its own."""
        return Window(self.start_ms // step_ms * step_ms, self.end_ms // step_ms * step_ms, self.relative)

    def earlier(self, by_ms: int) -> Window:
        """The window `by_ms` before this one."""
        return Window(self.start_ms - by_ms, self.end_ms - by_ms)

    def words(self) -> str:
        """Its name for people, in UTC when it has fixed ends."""
        if self.relative:
            return dict(PRESETS).get(self.relative, f"Last {self.relative}")
        start, end = (datetime.fromtimestamp(ms / 1000, UTC) for ms in (self.start_ms, self.end_ms))
        same_day = start.date() == end.date()
        return f"{start:%d %b %H:%M} to {end:%H:%M}" if same_day else f"{start:%d %b %H:%M} to {end:%d %b %H:%M}"


def duration_ms(text: str) -> int:
    """Milliseconds of `90s`, `5m`, `24h`, `7d`, `2w`; raises InvalidInput."""
    match = _DURATION.fullmatch(text.strip())
    if not match or not int(match[1]):
        raise InvalidInput("t", f"{text!r} is not a duration such as 15m, 24h or 7d")
    length = int(match[1]) * UNITS_MS[match[2]]
    if length > LONGEST_MS:
        raise InvalidInput("t", f"{text!r} is longer than 400 days")
    return length


def moment_ms(text: str, *, field: str) -> int:
    """Milliseconds of an RFC 3339 time (a missing zone means UTC) or of unix seconds; raises InvalidInput."""
    try:
        return int(float(text) * 1000) if re.fullmatch(r"\d{9,11}(\.\d+)?", text) else _iso_ms(text)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(field, f"{text!r} is not a time such as 2026-11-23T16:00Z") from error


def last(name: str, *, now_ms: int) -> Window:
    """The window of the last `name` (`24h`), ending now."""
    return Window(now_ms - duration_ms(name), now_ms, name.strip())


def between(start: str, end: str, *, now_ms: int) -> Window:
    """The window from `start` to `end` (`now` and the empty string mean now); raises InvalidInput."""
    start_ms = moment_ms(start, field="from")
    end_ms = now_ms if end in ("", "now") else moment_ms(end, field="to")
    if end_ms <= start_ms:
        raise InvalidInput("to", "the end is not after the start")
    if end_ms - start_ms > LONGEST_MS:
        raise InvalidInput("from", "the range is longer than 400 days")
    return Window(start_ms, end_ms)


def format_moment(ms: int) -> str:
    """`2026-11-23T16:00:00Z`, as addresses carry it."""
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _iso_ms(text: str) -> int:
    moment = datetime.fromisoformat(text.replace(" ", "+") if text.count(" ") == 1 and "T" in text else text)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(aware.timestamp() * 1000)
