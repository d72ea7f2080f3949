"""Half a year of the demo network's past, hour by hour: what would be left of it if it had been watched that long.

Samples of then would be gone by the tenant's terms, so only rollups are made: of an hour, and of a day. They end where
the samples of history.py begin, and hold the same counters.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from app import jobs
from app.actions import injections
from app.auth.operator import operator_of
from app.clock import monotonic_s, now_ms
from app.demo.columns import series_of
from app.demo.growth import BEGAN_DAYS, Ramp
from app.demo.history import Progress, past_readings
from app.demo.incidents import DAY_MS
from app.demo.journal import beginning, demo_folder, read_json, write_atomically
from app.demo.network import Device, build_network
from app.demo.places import ORGANISATIONS
from app.demo.readings import Readings
from app.demo.traffic import HISTORY_DAYS, past_ends_ms
from app.demo.truth import HOUR_MS, full_at, ramps_of
from app.domain.injections import NEVER, Family, Injection
from app.domain.labels import METRIC, labels_of
from app.domain.samples import Int64s
from app.domain.tenancy import TenantId
from app.tsdb.backfill import store_hours

log = logging.getLogger(__name__)

PAST_DAYS: Final = 181
# Devices whose past is made: that of the others shows what is said where there is too little.
ROLES: Final = frozenset({"core", "aggregation", "firewall"})
_DAY: Final = 86_400


def main(home: Path) -> None:
    """Make it once the recent history is there, unless it is made; nobody waits for it."""
    path = demo_folder(home) / "history.json"
    progress = msgspec.convert(read_json(path), Progress)
    if progress.has_past or not progress.done:
        return
    os.nice(10)
    began = beginning(home, now_ms())
    make_past(past_readings(build_network(began.seed), began.epoch_ms))
    progress.has_past = True
    write_atomically(path, msgspec.json.encode(progress))
    for organisation in ORGANISATIONS:
        # What is planned from it need not wait for its turn.
        jobs.enqueue(jobs.CAPACITY, tenant=operator_of(organisation.name).tenant)


def make_past(readings: Readings, *, roles: Collection[str] = ROLES) -> int:
    """Make it for devices of these roles of all tenants, anew if it is there; answers how many values of an hour."""
    began_s, cells = monotonic_s(), 0
    end_ms = past_ends_ms(readings.traffic.epoch_ms)
    first_ms = end_ms - (PAST_DAYS - HISTORY_DAYS) * DAY_MS
    ts_ms = np.arange(first_ms + HOUR_MS, end_ms + 1, HOUR_MS)
    for organisation in ORGANISATIONS:
        viewer = operator_of(organisation.name)
        for device in readings.traffic.network.of_tenant(organisation.name):
            if device.role in roles:
                cells += _make(viewer.tenant, readings, device, ts_ms)
        grown = [_injection(readings, ramp) for ramp in ramps_of(organisation.name, readings)]
        injections.record(viewer, grown)
    log.info("past made", extra={"cells": cells, "seconds": round(monotonic_s() - began_s, 1)})
    return cells


def _make(tenant: TenantId, readings: Readings, device: Device, ts_ms: Int64s) -> int:
    """Store all series of a device; answers how many values."""
    names, columns = [], []
    for metric, labels, values in series_of(readings, device, ts_ms):
        names.append(labels_of({**labels, METRIC: metric}))
        columns.append(np.asarray(values, dtype=np.float64))
    store_hours(tenant, names, ts_ms, np.stack(columns, axis=1))
    return len(names) * len(ts_ms)


def _injection(readings: Readings, ramp: Ramp) -> Injection:
    """What is known of a thing that grows."""
    epoch_ms = readings.traffic.epoch_ms
    full_ms = full_at(readings, ramp)
    labels = {"device": ramp.device} | ({"ifName": ramp.object} if ramp.object else {})
    return Injection(
        ref=f"growth-{ramp.kind}-{ramp.device}",
        family=Family.GROWTH,
        kind=ramp.kind,
        metric="",
        labels=labels,
        affected=(),
        started_at=datetime.fromtimestamp(epoch_ms / 1000 - BEGAN_DAYS * _DAY, UTC),
        ended_at=NEVER if full_ms is None else datetime.fromtimestamp(full_ms / 1000, UTC),
        magnitude=ramp.full_pct,
    )
