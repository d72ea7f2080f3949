"""Devices of one role that are unlike the others: robust distance from the median of their peers, over some hours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from app.domain.samples import Float64s

LEAST_PEERS: Final = 3
# So many scaled median absolute deviations off is the boundary; of few devices the spread is known badly.
TOLERANCE: Final = 5.0
FEW: Final = 3.0
# Devices that agree to within this share of their median differ by nothing that matters.
AGREED: Final = 0.1
# In at least so many of the hours looked at.
LEAST_SHARE: Final = 0.8
_TO_SIGMA: Final = 1.4826  # of a median absolute deviation, were the values normal


@dataclass(frozen=True)
class Ratio:
    """What devices of a role are compared by: a series, or its share of another one's value."""

    metric: str
    of: str = ""


COMPARED: Final = (
    Ratio("cpu_utilisation_ratio"),
    Ratio("memory_used_bytes", "memory_size_bytes"),
    Ratio("snmp_poll_duration_seconds"),
)


@dataclass(frozen=True)
class Apart:
    """How far each device is from its peers, all (n,): score (1.0 is the boundary), and what is expected of the newest.

    nearest: the value of the peer nearest to it. NaN where there are too few peers, or too few hours.
    """

    score: Float64s
    expected_lo: Float64s
    expected_hi: Float64s
    nearest: Float64s


def compare(values: Float64s) -> Apart:
    """Compare devices; values (n, t), one row a device, one column an hour, the newest last, NaN = missing.

    The score is what is exceeded in LEAST_SHARE of the hours, so that a short peak of one device is none.
    """
    count = len(values)
    nothing = np.full(count, np.nan)
    if count < LEAST_PEERS or not values.shape[1]:
        return Apart(nothing, nothing, nothing, nothing)
    enough = np.isfinite(values).sum(axis=0) >= LEAST_PEERS
    if not enough[-1] or enough.mean() < LEAST_SHARE:
        return Apart(nothing, nothing, nothing, nothing)
    known = values[:, enough]
    middle = np.nanmedian(known, axis=0)
    spread = np.maximum(_TO_SIGMA * np.nanmedian(np.abs(known - middle), axis=0), AGREED * np.abs(middle))
    tolerance = TOLERANCE * (1 + FEW / count) * np.where(spread > 0, spread, np.inf)
    off = np.abs(known - middle) / tolerance
    score = np.quantile(np.where(np.isnan(off), 0.0, off), 1 - LEAST_SHARE, axis=1)
    newest = known[:, -1]
    score[np.isnan(newest)] = np.nan
    low, high = middle[-1] - tolerance[-1], middle[-1] + tolerance[-1]
    return Apart(score, np.full(count, low), np.full(count, high), _nearest(newest))


def _nearest(values: Float64s) -> Float64s:
    """Of each value the nearest other one, (n,)."""
    order = np.argsort(values)  # NaN come last
    ranked = values[order]
    below, above = np.concatenate([[np.nan], ranked[:-1]]), np.concatenate([ranked[1:], [np.nan]])
    is_below = ~(np.abs(above - ranked) < np.abs(ranked - below))
    found = np.empty_like(values)
    found[order] = np.where(np.isnan(below) | (~is_below & ~np.isnan(above)), above, below)
    return found
