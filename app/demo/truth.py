"""When the things that grow in the demo are full: read off the network's own future, which follows from its seed."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.demo.growth import RAMPS, Ramp
from app.demo.incidents import DAY_MS
from app.demo.readings import MEMORY_UNIT, Readings

Floats = NDArray[np.float64]

HOUR_MS: Final = 3_600_000
# How much longer than its line says is looked for the day.
SLACK_DAYS: Final = 12
WEEK: Final = 7


def full_at(readings: Readings, ramp: Ramp) -> int | None:
    """The day (ms of its start, UTC) on which the median of seven days is at the threshold; None if it never is.

    Of each day the 95th percentile of its hours counts, as capacity planning has it; incidents are left out.
    """
    if ramp.full_in_days is None:
        return None
    first_ms = (readings.traffic.epoch_ms // DAY_MS - WEEK) * DAY_MS
    days = ramp.full_in_days + SLACK_DAYS + WEEK
    ends = first_ms + np.arange(days * 24 + 1) * HOUR_MS
    daily = np.quantile(hourly_percent(readings, ramp, ends).reshape(days, 24), 0.95, axis=1)
    weekly = np.median(np.lib.stride_tricks.sliding_window_view(daily, WEEK), axis=1)
    full = np.flatnonzero(weekly >= ramp.full_pct)
    return first_ms + (int(full[0]) + WEEK - 1) * DAY_MS if len(full) else None


def hourly_percent(readings: Readings, ramp: Ramp, edges_ms: NDArray[np.int64]) -> Floats:
    """(t,): what is used of it in the hours between (t + 1,) edges, per cent; of a link its busier direction."""
    traffic = readings.traffic
    device = traffic.network.by_name[ramp.device]
    middle = edges_ms[:-1] + HOUR_MS // 2
    if ramp.kind == "link":
        port = traffic.network.port(ramp.device, ramp.object)
        flows = np.array([port.in_flow, port.out_flow])
        octets = np.diff(traffic.octets(traffic.seconds(edges_ms), flows), axis=0)
        return np.asarray(octets.max(axis=1) * 8 / (HOUR_MS / 1000) / port.speed_bps * 100)
    if ramp.kind == "disk":
        return np.asarray(readings.disk_units(device, middle) * MEMORY_UNIT / device.hardware.disk_bytes * 100)
    if ramp.kind == "memory":
        return np.asarray(readings.memory_units(device, middle) * MEMORY_UNIT / device.hardware.memory_bytes * 100)
    return np.asarray(readings.sessions(device, middle) / device.hardware.sessions * 100)


def ramps_of(tenant: str, readings: Readings) -> list[Ramp]:
    """The things of a tenant that grow, and that one which does not."""
    by_name = readings.traffic.network.by_name
    return [ramp for ramp in RAMPS if by_name[ramp.device].tenant == tenant]
