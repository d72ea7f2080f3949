"""From hours to days: the 95th percentile of the hours of each day."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.domain.samples import Float64s

DAY_MS: Final = 86_400_000
HOURS: Final = 24
SHARE: Final = 0.95
# A day with fewer hours than this has no figure.
LEAST_HOURS: Final = 6

Float32s = NDArray[np.float32]


def daily_p95(hours: Float64s) -> Float32s:
    """(n, days) the 95th percentile of the hours of each day; `hours` (n, 24 days), NaN = none.

    A day with under LEAST_HOURS hours is NaN. Between two hours a share of the way, as numpy's quantile does.
    """
    ordered = np.sort(hours.reshape(len(hours), -1, HOURS), axis=2)  # NaN last
    known = np.isfinite(ordered).sum(axis=2)
    place = SHARE * np.maximum(known - 1, 0)
    below = np.floor(place).astype(np.intp)
    above = np.minimum(below + 1, np.maximum(known - 1, 0))
    low, high = (np.take_along_axis(ordered, at[:, :, None], axis=2)[:, :, 0] for at in (below, above))
    found = low + (high - low) * (place - below)
    return np.asarray(np.where(known >= LEAST_HOURS, found, np.nan).astype(np.float32))
