"""What wall clocks are ahead of UTC, for many moments at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from app.domain.samples import Int64s

# Clocks change at quarters of an hour.
QUARTER_HOUR_MS: Final = 900_000
UTC: Final = "UTC"


def offsets_ms(ts_ms: Int64s, zones: Sequence[str], zone: NDArray[np.intp]) -> Int64s:
    """What the clock of zones[zone[i]] is ahead of UTC at ts_ms[i], (n,) ms; `zones` are IANA names."""
    offsets = np.zeros(len(ts_ms), dtype=np.int64)
    for place, name in enumerate(zones):
        if name == UTC:
            continue
        rows = np.flatnonzero(zone == place)
        quarters, at = np.unique(ts_ms[rows] // QUARTER_HOUR_MS, return_inverse=True)
        ahead = [_ahead_ms(quarter * QUARTER_HOUR_MS, ZoneInfo(name)) for quarter in quarters.tolist()]
        offsets[rows] = np.array(ahead, dtype=np.int64)[at]
    return offsets


def _ahead_ms(ts_ms: int, zone: ZoneInfo) -> int:
    ahead = datetime.fromtimestamp(ts_ms / 1000, zone).utcoffset()
    return round(ahead.total_seconds() * 1000) if ahead else 0
