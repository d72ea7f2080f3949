"""The state of a view and its query string: short, readable, editable by hand.

Unknown keys are kept; a bad value falls back to the default and is reported, it never breaks a page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote
from zoneinfo import ZoneInfo, available_timezones

from app.domain.timerange import Window, between, last
from app.errors import InvalidInput

DEFAULT_RANGE = "24h"
ZONE_COOKIE = "watchfloor_zone"
_KEEP_IN_KEY = "-_.~:,/()[]{}!*@;"
_KEEP = _KEEP_IN_KEY + "="


@dataclass(frozen=True)
class Query:
    """A query string: each key with its values, in order."""

    pairs: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, search: str | None) -> Query:
        """`?t=24h&f=sev:critical` (the question mark may be missing) as a Query."""
        return cls(tuple(parse_qsl((search or "").lstrip("?"), keep_blank_values=True)[:100]))

    def get(self, key: str, default: str = "") -> str:
        """The last value of `key`."""
        return next((value for name, value in reversed(self.pairs) if name == key), default)

    def all(self, key: str) -> tuple[str, ...]:
        """Every value of `key`, in order."""
        return tuple(value for name, value in self.pairs if name == key)

    def with_(self, changes: Mapping[str, str | Sequence[str] | None]) -> Query:
        """A copy with some keys replaced; None or "" removes a key. All others stay."""
        kept = [pair for pair in self.pairs if pair[0] not in changes]
        for key, value in changes.items():
            values = (value,) if isinstance(value, str) else value or ()
            kept += [(key, item) for item in values if item != ""]
        return Query(tuple(kept))

    def __str__(self) -> str:
        text = "&".join(f"{quote(key, safe=_KEEP_IN_KEY)}={quote(value, safe=_KEEP)}" for key, value in self.pairs)
        return f"?{text}" if text else ""


@dataclass(frozen=True)
class View:
    """What every page reads from its address: the time range and the zone, and what was wrong with them."""

    query: Query
    window: Window
    zone: ZoneInfo
    zone_name: str  # as the header shows it: UTC, Europe/Berlin, ...
    problems: tuple[str, ...] = field(default_factory=tuple)


def view_of(search: str | None, *, now_ms: int, default: str = DEFAULT_RANGE, browser_zone: str | None = None) -> View:
    """The common part of a page's state; a bad value falls back and is named in `problems`."""
    query = Query.parse(search)
    problems: list[str] = []
    try:
        window = _window(query, now_ms, default)
    except InvalidInput as error:
        problems.append(f"{error}; showing the last {default} instead")
        window = last(default, now_ms=now_ms)
    wanted = query.get("tz", "utc")
    zone = _zone(wanted, browser_zone)
    if zone is None:
        problems.append(f"tz: {wanted!r} is no time zone; showing UTC instead")
        zone = ZoneInfo("UTC")
    return View(query, window, zone, zone.key, tuple(problems))


def _window(query: Query, now_ms: int, default: str) -> Window:
    if query.get("from"):
        return between(query.get("from"), query.get("to"), now_ms=now_ms)
    return last(query.get("t", default), now_ms=now_ms)


def _zone(name: str, browser_zone: str | None) -> ZoneInfo | None:
    if name in ("utc", "UTC", ""):
        return ZoneInfo("UTC")
    if name == "browser":
        name = browser_zone or "UTC"
    return ZoneInfo(name) if name in available_timezones() else None
