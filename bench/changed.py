"""What changed here: 20,000 series with a score each minute, ranked over the last hour; with labels and sparklines."""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np

from app import clock
from app.domain.tenancy import Role, TenantId, Viewer
from app.domain.timerange import Window
from app.queries.changed import changed
from app.tsdb import scores
from app.tsdb.scores import ScoredRow
from bench import fleet
from bench.fleet import WIDTH
from models.session import tenant_session

SERIES = int(os.environ.get("BENCH_SERIES", "20000"))
STEP_MS = 60_000
HOURS, SAMPLED_HOURS = 8, 2
LIMIT_S = 2.0


def main() -> list[dict[str, Any]]:
    """The rows of the table."""
    with fleet.tenant() as tenant:
        return _measure(tenant)


def _measure(tenant: TenantId) -> list[dict[str, Any]]:
    groups = fleet.catalogue(tenant, SERIES)
    end_ms = clock.now_ms() // STEP_MS * STEP_MS
    random = np.random.default_rng(4)
    for minute in range(HOURS * 60):
        _scored(tenant, groups, end_ms - minute * STEP_MS, random)
    for minute in range(SAMPLED_HOURS * 60):
        fleet.store(tenant, groups, end_ms - minute * STEP_MS, random.normal(50, 2, len(groups) * WIDTH))
    viewer = Viewer(tenant=tenant, tenant_name="acme", name="bench", role=Role.VIEWER)
    rows = []
    for hours in (1, 4):
        window = Window(end_ms - hours * 3_600_000, end_ms)
        seconds = []
        for _again in range(4):
            began_s = time.perf_counter()
            found = changed(viewer, window, limit=50)
            seconds.append(time.perf_counter() - began_s)
            assert (found.series, len(found.items)) == (len(groups) * WIDTH, 50)
        note = f"{found.series} series, the first of 4 took {seconds[0]:.2f} s"
        rows.append(
            {
                "name": f"what changed here: 20,000 series, a window of {hours} h",
                "value": float(np.median(seconds)),
                "unit": "s",
                "limit": LIMIT_S,
                "note": note,
            }
        )
    return rows


def _scored(tenant: TenantId, groups: list[int], ts_ms: int, random: np.random.Generator) -> None:
    """A minute of scores: one in a thousand above the boundary."""
    found = scores.encode(random.exponential(0.15, (len(groups), WIDTH)))
    with tenant_session(tenant) as session:
        rows = [ScoredRow(group, ts_ms, line.tobytes()) for group, line in zip(groups, found, strict=True)]
        scores.write(session, tenant, rows)
