"""From two readings of counters to rates: what is a wrap, what a reset, what is no answer. Never a spike.

Raw counters are what is stored; this is for those who need a rate at the moment of polling.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.domain.samples import Float64s

# At this rate an octet counter of 32 bits wraps within a minute, twice within two: its rates mean nothing.
UNRELIABLE_OCTETS_PER_S: Final = 2**32 / 60


class Quality(IntEnum):
    """How a rate came about; only OK and WRAPPED carry a number."""

    OK = 0
    FIRST = 1  # no reading before
    RESET = 2  # the counter started anew
    WRAPPED = 3  # the counter passed its end; the rate is right
    MISSING = 4  # no reading now
    STANDSTILL = 5  # no time passed between the readings


def rates(
    previous: Float64s,
    current: Float64s,
    *,
    elapsed_s: Float64s | float,
    bits: NDArray[np.int64],
    most_per_s: Float64s,
    has_restarted: bool,
) -> tuple[Float64s, NDArray[np.int8]]:
    """Rates per second of n counters, and the Quality of each.

    previous, current (n,) readings, NaN = none; elapsed_s (n,) or one number: between the arrivals of the readings, not
    the interval that was wished; bits (n,) 32 or 64; most_per_s (n,) what the thing counted can do at most (a link's
    octets per second), NaN or inf = unknown. `has_restarted`: sysUpTime or ifCounterDiscontinuityTime says so.

    A 64-bit counter that goes down was reset: it wraps once in a lifetime. A 32-bit one wrapped if the device went on
    and the rate it implies is possible; where that cannot be known it was reset, and there is no rate.
    Source: RFC 2578 section 7.1.6 and RFC 2863 section 3.1.6.
    """
    span_s = np.broadcast_to(np.asarray(elapsed_s, dtype=np.float64), current.shape)
    difference = current - previous
    with np.errstate(divide="ignore", invalid="ignore"):
        wrapped = (difference + 2.0**32) / span_s
        plain = difference / span_s
        is_down = difference < 0
        is_wrap = is_down & (bits == 32) & (wrapped <= most_per_s) & (not has_restarted)
    quality = np.full(current.shape, Quality.OK, dtype=np.int8)
    quality[is_down | (has_restarted & ~np.isnan(difference))] = Quality.RESET
    quality[is_wrap] = Quality.WRAPPED
    quality[~(span_s > 0)] = Quality.STANDSTILL
    quality[np.isnan(previous)] = Quality.FIRST
    quality[np.isnan(current)] = Quality.MISSING
    found = np.where(is_wrap, wrapped, plain)
    found[(quality != Quality.OK) & (quality != Quality.WRAPPED)] = np.nan
    return found, quality


def uptime_restarted(previous_ticks: float, current_ticks: float, *, elapsed_s: float) -> bool:
    """Whether a device restarted between two readings of sysUpTime (hundredths of a second in 32 bits).

    The count starts anew after 497 days without a restart: it is none if it was due to, give or take a tenth.
    """
    if current_ticks >= previous_ticks:
        return False
    expected = previous_ticks + elapsed_s * 100 - 2.0**32
    return abs(current_ticks - expected) > max(elapsed_s * 10, 6000.0)
