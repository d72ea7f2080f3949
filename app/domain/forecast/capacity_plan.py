"""Capacity as people see it: things that can be full, what is said of each, and how past sayings came out."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

import numpy as np

from app.domain.forecast.capacity import HORIZON_DAYS, LEAST_DAYS, PATHS, Outlook, missing_days, outlooks
from app.domain.samples import Float64s

# For how many days ahead chances are kept and compared with what came.
HORIZONS: Final = (30, 90, 180)
# The quantiles d10, d50 and d90 of the day on which something is full.
Range = tuple[float | None, float | None, float | None]
# The upper ends of the bins that chances are sorted into.
BINS: Final = (0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0)
# Things that on no day used more of their size than this (per cent) are left out.
IDLE_PERCENT: Final = 1.0
LEAST_THRESHOLD: Final = 1.0
MOST_THRESHOLD: Final = 100.0
# What a what-if may multiply growth by.
LEAST_GROWTH: Final = 0.0
MOST_GROWTH: Final = 5.0
# Comparisons that an error of one thing must rest on.
LEAST_COMPARED: Final = 2
# The rank of what does not fill within a year, whatever happens; what nothing can be said of comes after it.
NO_CHANCE: Final = 2.0 * HORIZON_DAYS
# Days left -> severity; more is fine.
_SEVERITIES: Final = ((60.0, "major"), (120.0, "minor"), (180.0, "warning"))


@dataclass(frozen=True)
class Item:
    """One thing that can be full. Levels and threshold in per cent of `size`; days count from the day after `last_day`.

    `missing_days`: how many more days with a figure are needed before anything is said; all after it is None then.
    d10 … d90: quantiles of the day on which it is full, None = beyond a year.
    """

    id: int
    kind: str
    device: str
    object: str
    labels: Mapping[str, str]
    note: str  # what people wrote on the port
    size: float
    unit: str
    threshold: float
    is_own_threshold: bool
    last_day: date
    days: int
    missing_days: int
    now: float | None
    per_week: float | None
    p30: float | None
    p90: float | None
    p180: float | None
    p365: float | None
    d10: float | None
    d50: float | None
    d90: float | None
    error: float | None
    naive_error: float | None
    rank: float
    computed_at: datetime

    @property
    def severity(self) -> str:
        """How pressing it is: critical is full now."""
        if self.missing_days or self.now is None:
            return "unknown"
        return severity_of(self.d50)

    @property
    def is_worse_than_naive(self) -> bool:
        """Whether expecting no change would have been nearer to what came, a month ahead."""
        return self.error is not None and self.naive_error is not None and self.error > self.naive_error


@dataclass(frozen=True)
class Detail:
    """One thing with its days and where it goes; None while too few days are known.

    `daily` and `weekly` (t,) float64 per cent, the newest for the item's last_day; NaN = no figure. Fan arrays
    (HORIZON_DAYS,): quantiles of the weekly median on each coming day.
    """

    item: Item
    threshold: float
    growth: float
    daily: Float64s
    weekly: Float64s
    outlook: Outlook | None
    low90: Float64s
    low50: Float64s
    middle: Float64s
    high50: Float64s
    high90: Float64s


@dataclass(frozen=True)
class Bin:
    """Sayings whose chance was in (low, high]: how many, the mean chance, and in what share of them it came true."""

    low: float
    high: float
    count: int
    said: float
    came: float


@dataclass(frozen=True)
class Reliability:
    """What was said `horizon` days ahead against what came. `brier`: mean squared error of the chances, 0 is perfect.

    `base_brier` is that of always saying the share that came true: what is not below it knows nothing. `held80`: in
    what share the day lay in the 10 to 90 % range, of those whose day is known. `backtests` of the `count` were said
    afterwards, from nothing but what was known on their day.
    """

    horizon: int
    bins: tuple[Bin, ...]
    count: int
    backtests: int
    brier: float | None
    base_brier: float | None
    held80: float | None
    held_of: int


@dataclass(frozen=True)
class Run:
    """The newest run of a tenant: when, over which days, and what it found."""

    ran_at: datetime
    last_day: date
    items: int
    idle: int
    duration_s: float


def severity_of(d50: float | None) -> str:
    """How pressing days left are."""
    if d50 is None:
        return "ok"
    if d50 <= 0:
        return "critical"
    return next((name for days, name in _SEVERITIES if d50 <= days), "ok")


def day_after(last_day: date, days: float) -> date:
    """The date of a day that is counted from the day after `last_day`."""
    return last_day + timedelta(days=1 + round(days))


def rank_of(outlook: Outlook | None) -> float:
    """What is full first comes first; then what may be, by its chances; last what nothing can be said of."""
    if outlook is None:
        return 2 * NO_CHANCE
    if outlook.d50 is not None:
        return outlook.d50 - (outlook.now / 1e3 if outlook.d50 <= 0 else 0.0)
    last = outlook.chances[-1]
    return NO_CHANCE - HORIZON_DAYS * last - outlook.p180


def saying(days: Range, *, last_day: date, threshold: float) -> str:
    """One sentence about when it is full, from the quantiles of the day; never a bare date."""
    _, d50, d90 = days
    if d50 is not None and d50 <= 0:
        return f"Over its threshold of {threshold:g} % now."
    if d50 is None:
        return f"No trend that fills it: {not_before(days, last_day)}."
    last = "beyond a year" if d90 is None else _words(last_day, d90)
    first = _words(last_day, days[0])
    return f"Likely full on {_words(last_day, d50)}; in 8 of 10 cases between {first} and {last}."


def not_before(days: Range, last_day: date) -> str:
    """Before when it is not full, 90 % sure."""
    if days[0] is None:
        return f"not within {HORIZON_DAYS} days, with 90 % certainty"
    return f"not before {_words(last_day, days[0])} ({round(days[0])} days), with 90 % certainty"


def missing_words(missing_days: int) -> str:
    """What a thing with too little history is told."""
    more = "1 more day" if missing_days == 1 else f"{missing_days} more days"
    return f"{more} of figures are needed: a forecast needs {LEAST_DAYS} days."


def outlooks_of(
    daily: Float64s, thresholds: Sequence[float], seeds: Sequence[int], *, paths: int = PATHS
) -> list[Outlook | None]:
    """An outlook for each row of `daily` (n, t), per cent, from its first figure on; None where there are too few days.

    Rows of one threshold that begin on the same day are asked together.
    """
    found: list[Outlook | None] = [None] * len(daily)
    alike: dict[tuple[float, int], list[int]] = {}
    for place, row in enumerate(daily):
        if not missing_days(row):
            alike.setdefault((thresholds[place], int(np.isfinite(row).argmax())), []).append(place)
    for (threshold, first), places in alike.items():
        answers = outlooks(daily[places, first:], threshold, seeds=[seeds[place] for place in places], paths=paths)
        for place, answer in zip(places, answers, strict=True):
            found[place] = answer
    return found


def seed_of(kind: str, device: str, name: str) -> int:
    """The seed of a thing's paths: the same question has the same answer wherever it is asked."""
    return zlib.crc32(f"{kind}\0{device}\0{name}".encode())


def bins_of(rows: Mapping[int, tuple[int, float, int]]) -> tuple[Bin, ...]:
    """The bins from (how many, sum of chances, how many came true) by the number of the bin."""
    found = []
    low = 0.0
    for number, high in enumerate(BINS):
        count, said, came = rows.get(number, (0, 0.0, 0))
        found.append(Bin(low, high, count, said / count if count else 0.0, came / count if count else 0.0))
        low = high
    return tuple(found)


def _words(last_day: date, days: float | None) -> str:
    return "a day beyond a year" if days is None else f"{day_after(last_day, days):%-d %b %Y}"
