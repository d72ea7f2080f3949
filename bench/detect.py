"""Detection: one cycle of 100,000 series, from stored samples to stored scores, states and alerts, on one core.

Each series has 20 samples, one each minute, which the detectors have learned; then one more minute is stored and the
cycle over it is measured: read, scored, written with its anomalies, checked against rules, and a part of the states
saved. The limit is that of the cycle on two cores; the database works on the other one.
"""

from __future__ import annotations

import os
import time
from typing import Any

import msgspec
import numpy as np
from redis import Redis
from sqlalchemy import text

from app import clock
from app.actions import anomalies
from app.actions.rules import install_starter_pack
from app.domain.anomaly.memory import Memory
from app.domain.anomaly.novelty import Novelty
from app.domain.labels import encode_labels, labels_of
from app.domain.tenancy import TenantId
from app.tsdb import writer
from app.tsdb.blocks import moment
from app.valkey import use_valkey
from models.session import close_database, open_database, platform_session, tenant_connection
from models.tenants import TenantRow
from tests.factories.servers import SECRET_KEY, create_database, drop_database, embedded_servers, migrate

SERIES = int(os.environ.get("BENCH_SERIES", "100000"))
WIDTH, STEPS, STEP_MS = 200, 20, 60_000
LIMIT_S, GOAL_S = 20.0, 5.0

_GROUPS = text(
    "insert into series_groups (tenant_id, group_key, ordinal, slots, created_at)"
    " select :tenant, 'device-' || n, 0, :width, now() - interval '1 day'"
    " from generate_series(1, :count) n returning id"
)
_SERIES = text(
    "insert into series (tenant_id, group_id, slot, key, labels) select :tenant, * from"
    " unnest(cast(:groups as int[]), cast(:slots as int[]), cast(:keys as bytea[]), cast(:labels as jsonb[]))"
)


def main() -> list[dict[str, Any]]:
    """The rows of the table."""
    with embedded_servers() as servers:
        use_valkey(Redis.from_url(servers.redis_url))
        url = create_database(servers)
        migrate(url)
        open_database(url, role="worker", secret_key=SECRET_KEY)
        try:
            return _measure()
        finally:
            close_database()
            drop_database(servers, url)


def _measure() -> list[dict[str, Any]]:
    with platform_session() as session:
        row = TenantRow(name="acme", title="Acme")
        session.add(row)
        session.flush()
        tenant = TenantId(row.id)
    install_starter_pack(tenant)
    groups = _catalogue(tenant)
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


def _catalogue(tenant: TenantId) -> list[int]:
    """Groups of WIDTH gauges, written as the catalogue would."""
    with tenant_connection(tenant) as connection:
        count = SERIES // WIDTH
        groups = list(connection.scalars(_GROUPS, {"tenant": tenant, "width": WIDTH, "count": count}))
        for number, group_id in enumerate(groups):
            labels = [
                {"__name__": "ifUtilisation", "device": f"device-{number}", "ifName": f"xe-{slot}"}
                for slot in range(WIDTH)
            ]
            parameters = {
                "tenant": tenant,
                "groups": [group_id] * WIDTH,
                "slots": list(range(WIDTH)),
                "keys": [encode_labels(labels_of(its)) for its in labels],
                "labels": [msgspec.json.encode(its).decode() for its in labels],
            }
            connection.execute(_SERIES, parameters)
    return groups


def _store(tenant: TenantId, groups: list[int], ts_ms: int, random: np.random.Generator) -> None:
    count = len(groups) * WIDTH
    minute = ts_ms // STEP_MS % 1440
    values = 50 + 30 * np.sin(2 * np.pi * minute / 1440) + random.normal(0, 2, count)
    writer.write(
        writer.Rows(
            tenants=np.full(count, tenant, dtype=np.int32),
            places=(np.repeat(groups, WIDTH).astype(np.int64) << 8) + np.tile(np.arange(WIDTH), len(groups)),
            ts_ms=np.full(count, ts_ms, dtype=np.int64),
            values=values.round(2),
            parts=np.ones(count, dtype=np.int64),
        ),
        [],
    )
