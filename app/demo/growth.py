"""What grows steadily in the demo, so that it is full on a known day: the truth that forecasts are held against.

Each tenant has other things that grow, and one that does not. Growth began half a year before the demo and goes on
while it runs, until a little after the day on which the thing is full.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BEGAN_DAYS: Final = 190
# How far beyond its threshold a thing grows, in per cent of its size: it must stay within it.
BEYOND: Final = 3.0


@dataclass(frozen=True)
class Ramp:
    """A thing of a device, by kind (link, disk, memory, sessions): the daily 95th percentile of its use is a line.

    `start_pct` of its size when growth began; `full_pct` after `full_in_days` of the demo, or never (None).
    """

    kind: str
    device: str
    object: str  # the port of a link
    start_pct: float
    full_in_days: int | None
    full_pct: float = 90.0

    @property
    def per_day(self) -> float:
        """Per cent of its size."""
        if self.full_in_days is None:
            return 0.0
        return (self.full_pct - self.start_pct) / (BEGAN_DAYS + self.full_in_days)

    @property
    def until_day(self) -> float:
        """The day of the demo on which growth ends."""
        return 0.0 if self.full_in_days is None else self.full_in_days + BEYOND / self.per_day

    def percent(self, day: Floats) -> Floats:
        """Its use at days since the demo began; before growth began and after it ended it stands still."""
        grown = np.clip(day, -BEGAN_DAYS, self.until_day) + BEGAN_DAYS
        return np.asarray(self.start_pct + self.per_day * grown)


RAMPS: Final = (
    Ramp("link", "fra1-agg-01", "Ethernet10", 38.0, 23),
    Ramp("link", "ams2-agg-01", "Ethernet8", 35.0, 64),
    Ramp("link", "lon1-agg-01", "xe-0/0/8", 30.0, 140),
    Ramp("link", "par3-agg-01", "Ethernet7", 56.0, None),
    Ramp("disk", "nyc1-fw-01", "", 31.0, 41),
    Ramp("memory", "lon1-core-01", "", 44.0, 75, 95.0),
    Ramp("sessions", "fra1-fw-01", "", 34.0, 33),
    Ramp("link", "dub1-agg-01", "Ethernet7", 41.0, 37),
    Ramp("link", "dub1-core-01", "TenGigE0/0/1/6", 28.0, 110),
    Ramp("link", "zrh1-core-01", "xe-0/1/5", 62.0, None),
    Ramp("disk", "dub1-fw-01", "", 26.0, 58),
    Ramp("sessions", "zrh1-fw-01", "", 30.0, 92),
)
LINKS: Final[Mapping[tuple[str, str], tuple[int, Ramp]]] = {
    (ramp.device, ramp.object): (number, ramp)
    for number, ramp in enumerate(ramp for ramp in RAMPS if ramp.kind == "link")
}
GAUGES: Final[Mapping[tuple[str, str], Ramp]] = {
    (ramp.kind, ramp.device): ramp for ramp in RAMPS if ramp.kind != "link"
}


def busy_level(cells: Floats) -> float:
    """The middle of the days' 95th percentiles of the hours of a profile: (2016,) five minutes each, from a Monday."""
    hours = cells.reshape(7, 24, 12).mean(axis=2)
    return float(np.median(np.quantile(hours, 0.95, axis=1)))
