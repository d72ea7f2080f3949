"""How long a tenant keeps each resolution of its samples, and what goes by these terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from app.errors import InvalidInput

# The resolutions by name, with the seconds of a cell; raw samples have none, and the archive holds raw samples.
TIERS: Final[Mapping[str, int]] = {"raw": 0, "5m": 300, "1h": 3600, "1d": 86_400, "archive": 0}
# What each term may be, in days. An archive of 0 days is none: raw samples go without a copy.
BOUNDS: Final[Mapping[str, tuple[int, int]]] = {
    "raw": (1, 3650),
    "5m": (1, 3650),
    "1h": (1, 36_500),
    "1d": (1, 36_500),
    "archive": (0, 36_500),
}
EARLIEST: Final = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Terms:
    """Days that each tier is kept. What came in through a window that was opened for old data stays: `keep_from`."""

    raw: int
    five_minutes: int
    hour: int
    day: int
    archive: int
    keep_from: datetime | None = None

    @staticmethod
    def nothing() -> Terms:
        """The terms by which everything goes: their preview is all there is."""
        return Terms(-2, -2, -2, -2, -2)

    def days(self) -> dict[str, int]:
        """The days by the name of the tier."""
        return dict(zip(TIERS, (self.raw, self.five_minutes, self.hour, self.day, self.archive), strict=True))

    def before(self, tier: str, now: datetime) -> datetime:
        """What is older than this goes."""
        try:
            moment = now - timedelta(days=self.days()[tier])
        except OverflowError:
            return EARLIEST
        if tier != "archive" and self.keep_from is not None:
            moment = min(moment, self.keep_from)
        return moment

    def changed(self, days: Mapping[str, int]) -> Terms:
        """These terms with other days for some tiers; raises InvalidInput where they make no sense."""
        wanted = {**self.days(), **days}
        for tier, value in wanted.items():
            if tier not in BOUNDS:
                raise InvalidInput(tier, f"is no resolution; there are {', '.join(TIERS)}")
            least, most = BOUNDS[tier]
            if isinstance(value, bool) or not least <= value <= most:
                raise InvalidInput(tier, f"must be a whole number of days from {least} to {most}")
        for finer, coarser in (("raw", "5m"), ("5m", "1h"), ("1h", "1d")):
            if wanted[finer] > wanted[coarser]:
                raise InvalidInput(coarser, f"must be kept at least as long as {finer} ({wanted[finer]} days)")
        if 0 < wanted["archive"] < wanted["raw"]:
            raise InvalidInput(
                "archive", f"must be kept longer than raw samples ({wanted['raw']} days), or be 0 for none"
            )
        return Terms(
            raw=wanted["raw"],
            five_minutes=wanted["5m"],
            hour=wanted["1h"],
            day=wanted["1d"],
            archive=wanted["archive"],
            keep_from=self.keep_from,
        )


@dataclass(frozen=True)
class Going:
    """What goes of one tier: rows (or objects), samples (cells of a coarser tier), bytes, from when to when."""

    tier: str
    rows: int
    samples: int
    bytes: int
    first: datetime | None
    last: datetime | None


@dataclass(frozen=True)
class Held(Going):
    """What is stored of one tier, in the same figures."""
