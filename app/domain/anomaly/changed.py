"""How unusual a window of time was for a series: by its scores, or without any by how far its mean went.

Rank by scores = peak * (1 + share) / (1 + usual): the highest score, up to twice as much when all of the window was
above the boundary, and less for a series that has `usual` such points in any window as long as this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.domain.anomaly.base import Bytes
from app.domain.samples import Float64s

# This many robust standard deviations from its usual mean make a window as unusual as the boundary of a score.
BOUNDARY_DEVIATIONS: Final = 6.0
HIGHEST: Final = 3.97
# A mean that is this near to the usual one is no change, however steady the series was.
LEAST_RELATIVE: Final = 0.02


@dataclass(frozen=True)
class ChangedSeries:
    """One series in a window: how unusual it was and why.

    score: the highest in the window, 1.0 is the boundary. share: of the window above the boundary, 0 to 1; usual_share:
    the same before it. values: its course over the window and as long before it, NaN where nothing was measured (None
    in JSON); of a counter per second. source: `scores`, or `rollups` where the window was not scored.
    """

    metric: str
    labels: Mapping[str, str]
    device: str
    interface: str
    rank: float
    score: float
    share: float
    usual_share: float
    peak_at: datetime | None
    view: str
    why: str
    anomaly_id: int | None
    is_rate: bool
    values: list[float | None]
    source: str


@dataclass(frozen=True)
class Changed:
    """What was unusual in a window: series by rank, how many were looked at, how many were without any answer."""

    items: list[ChangedSeries]
    series: int
    above: int  # how many reached the boundary
    unranked: int  # neither scored nor with a past to compare with


def ranks(inside: Bytes, before: Bytes, boundary: int) -> tuple[Float64s, Bytes, Float64s, Float64s]:
    """Rank, peak, share and usual share of the columns of stored scores (t, n), as bytes: 0 is "not scored".

    `boundary` is the byte of the boundary. A column that is not scored inside has the peak 0 and the rank 0.
    """
    peak = inside.max(axis=0, initial=0)
    count, usual_count = (inside > 0).sum(axis=0), (before > 0).sum(axis=0)
    share = (inside >= boundary).sum(axis=0) / np.maximum(count, 1)
    usual = (before >= boundary).sum(axis=0) / np.maximum(usual_count, 1)
    score = np.maximum(peak.astype(np.float64) - 1, 0)
    return score * (1 + share) / (1 + usual * count), peak, share, usual


def deviations(inside: Float64s, before: Float64s) -> Float64s:
    """By how many robust deviations the mean inside (t, n) is off the median of what was before (u, n); NaN: unknown.

    At least 6 buckets before are needed. The deviation is 1.4826 MAD, at least LEAST_RELATIVE of the median and a
    tenth of that of the range.
    """
    count = np.isfinite(inside).sum(axis=0)
    mean = np.where(count > 0, np.where(np.isfinite(inside), inside, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)
    known = np.isfinite(before).sum(axis=0) >= 6
    found = np.full(inside.shape[1], np.nan)
    chosen: NDArray[np.intp] = np.flatnonzero(known & np.isfinite(mean))
    if not len(chosen):
        return found
    past = before[:, chosen]
    middle = np.nanmedian(past, axis=0)
    spread = 1.4826 * np.nanmedian(np.abs(past - middle), axis=0)
    width = np.nanmax(past, axis=0) - np.nanmin(past, axis=0)
    least = np.maximum(np.maximum(LEAST_RELATIVE * np.abs(middle), LEAST_RELATIVE * width), 1e-9)
    found[chosen] = np.abs(mean[chosen] - middle) / np.maximum(spread, least)
    return found
