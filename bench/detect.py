"""Detection: one cycle of 100,000 series, from stored samples to stored scores, states and alerts, on one core.

Each series has 20 samples, one each minute, which the detectors have learned; then one more minute is stored and the
cycle over it is measured: read, scored, written with its anomalies, checked against rules, and a part of the states
saved. The limit is that of the cycle on two cores; the database works on the other one.
"""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np

from app import clock
from app.actions import anomalies
from app.actions.rules import install_starter_pack
from app.domain.anomaly.memory import Memory
from app.domain.anomaly.novelty import Novelty
from app.domain.samples import Float64s
from app.domain.tenancy import TenantId
from app.tsdb.blocks import moment
from bench import fleet
from bench.fleet import WIDTH

SERIES = int(os.environ.get("BENCH_SERIES", "100000"))
STEPS, STEP_MS = 20, 60_000
LIMIT_S, GOAL_S = 20.0, 5.0


def main() -> list[dict[str, Any]]:
    """The rows of the table."""
    with fleet.tenant() as tenant:
        return _measure(tenant)


def _measure(tenant: TenantId) -> list[dict[str, Any]]:
    install_starter_pack(tenant)
    groups = fleet.catalogue(tenant, SERIES)
    now_ms = clock.now_ms() // STEP_MS * STEP_MS
    random = np.random.default_rng(4)
    for step in range(STEPS):
        _store(tenant, groups, now_ms - (STEPS - step) * STEP_MS, random)
    memory = Memory(Novelty)
    _cycle(tenant, memory, now_ms - STEP_MS, budget_s=3600)
    seconds, points = [], 0
    for minute in range(3):
        _store(tenant, groups, now_ms + minute * STEP_MS, random)
        began_s = time.perf_counter()
        points = _cycle(tenant, memory, now_ms + minute * STEP_MS, budget_s=600)
        seconds.append(time.perf_counter() - began_s)
    assert points == len(groups) * WIDTH, points
    scaled_s = float(np.median(seconds)) * 100_000 / SERIES
    note = f"{len(groups) * WIDTH} series, median of 3 cycles: " + ", ".join(f"{its:.1f} s" for its in seconds)
    return [
        {
            "name": "detection: 100,000 series a cycle, stored samples to stored scores",
            "value": scaled_s,
            "unit": "s",
            "limit": LIMIT_S,
            "goal": GOAL_S,
            "note": note,
        }
    ]


def _cycle(tenant: TenantId, memory: Memory, at_ms: int, *, budget_s: float) -> int:
    now_ms = at_ms + anomalies.SETTLE_MS
    cycle = anomalies.score_new_points(tenant, memory, now_ms=now_ms, budget_s=budget_s)
    anomalies.raise_alerts(tenant, now=moment(now_ms))
    return cycle.points


def _store(tenant: TenantId, groups: list[int], ts_ms: int, random: np.random.Generator) -> None:
    """A minute of a day that swings, with noise."""
    minute = ts_ms // STEP_MS % 1440
    values: Float64s = 50 + 30 * np.sin(2 * np.pi * minute / 1440) + random.normal(0, 2, len(groups) * WIDTH)
    fleet.store(tenant, groups, ts_ms, values)
