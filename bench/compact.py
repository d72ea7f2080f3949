"""Compaction: bytes per sample in tables and indexes, and samples a second of one core, database included.

The data: 160 series a device (20 interfaces, 8 metrics) each minute: counters, rare errors, a status, a percentage.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray
from sqlalchemy import text

from app.domain.tenancy import TenantId
from app.tsdb import compact, writer
from app.tsdb.blocks import BLOCK_MS
from models.session import close_database, open_database, platform_session, tenant_connection
from models.tenants import TenantRow
from tests.factories.servers import SECRET_KEY, create_database, drop_database, embedded_servers, migrate

DEVICES, INTERFACES, METRICS, STEP_S = 20, 20, 8, 60
STEPS = 86_400 // STEP_S
T0_MS = 1_767_225_600_000


def history(devices: int, steps: int, seed: int = 11) -> NDArray[np.float64]:
    """(steps, devices * INTERFACES * METRICS) samples; rates have a long tail, a daily course and noise."""
    rng = np.random.default_rng(seed)
    ports = devices * INTERFACES
    rate = 10 ** rng.uniform(5, 9.6, ports)
    phase, packet = rng.uniform(0, 2 * np.pi, ports), rng.uniform(300, 1200, ports)
    capacity = np.maximum(1e9, 10 ** np.ceil(np.log10(rate * 2)))
    errors = np.where(rng.random(ports) < 0.03, 0.3, 0.002)
    at_s = T0_MS / 1000 + STEP_S * np.arange(steps)[:, None]
    daily = 1 + 0.6 * np.sin(2 * np.pi * at_s / 86_400 + phase)
    bps = rate * daily * rng.normal(1, 0.08, (steps, ports)).clip(0.2)
    octets = np.floor(bps / 8 * STEP_S)
    out = np.empty((steps, ports, METRICS))
    for metric, amount in enumerate((octets, octets * 0.4, octets / packet, octets * 0.5 / packet)):
        out[:, :, metric] = np.cumsum(np.floor(amount), 0) + rng.integers(0, 2**40, ports)
    for metric in (4, 5):
        out[:, :, metric] = np.cumsum(rng.random((steps, ports)) < errors, 0)
    out[:, :, 6] = np.where(rng.random((steps, ports)) < 0.0005, 2.0, 1.0)
    out[:, :, 7] = np.round(100 * bps / capacity, 2)
    return out.reshape(steps, -1)


def main() -> list[dict[str, Any]]:
    """Size and speed, with servers of its own."""
    with embedded_servers() as servers:
        url = create_database(servers)
        migrate(url)
        open_database(url, role="worker", secret_key=SECRET_KEY)
        rows = measure()
        close_database()
        drop_database(servers, url)
    return rows


def measure() -> list[dict[str, Any]]:
    """The figures, on the database that is open."""
    tenant = _store()
    hot = _bytes(tenant, "sample_hot")
    with _backends() as backend_s:
        began_s, samples = time.process_time(), 0
        for due in compact.due(tenant, T0_MS + 100 * BLOCK_MS):
            samples += compact.compact_bucket(tenant, due.bucket_ms, due.groups).samples
        own_s = time.process_time() - began_s
    both_s = own_s + backend_s()
    sizes = {
        "bytes/sample, hot rows": hot,
        "bytes/sample, blocks": _bytes(tenant, "sample_blocks"),
        "bytes/sample, rollups": _bytes(tenant, "sample_rollups"),
        **{f"bytes/sample, rollups of {tier} s, packed": size for tier, size in _by_tier(tenant).items()},
    }
    rows = [{"name": name, "value": size / samples, "unit": "B"} for name, size in sizes.items()]
    rows[1] |= {"ratio": rows[1]["value"], "limit": 2.0, "goal": 1.6, "note": "table and indexes"}
    speeds = (("compaction", own_s, "this process: blocks and rollups"), ("compaction", both_s, "with the database"))
    for name, seconds, note in speeds:
        rate = samples / seconds / 1e6
        rows.append({"name": name, "value": rate, "unit": "M samples/s a core", "ratio": 2 / rate, "note": note})
        rows[-1] |= {"limit": 1.0, "goal": 0.4}
    return rows


@contextmanager
def _backends() -> Iterator[Callable[[], float]]:
    """CPU seconds that the database's processes used inside."""
    with platform_session() as session:
        backend = psutil.Process(session.scalar(text("select pg_backend_pid()")))
    parent = backend.parent()
    assert parent is not None
    before = _cpu_s(parent)
    yield lambda: _cpu_s(parent) - before


def _cpu_s(parent: psutil.Process) -> float:
    found = 0.0
    for process in (parent, *parent.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        found += times.user + times.system
    return found


def _store() -> TenantId:
    with platform_session() as session:
        row = TenantRow(name="bench", title="bench")
        session.add(row)
        session.flush()
        tenant = TenantId(row.id)
    width = INTERFACES * METRICS
    for device, values in enumerate(np.split(history(DEVICES, STEPS), DEVICES, axis=1)):
        writer.write(
            writer.Rows(
                tenants=np.full(values.size, tenant, dtype=np.int32),
                places=np.tile((device + 1) * 256 + np.arange(width), STEPS),
                ts_ms=np.repeat(T0_MS + 1000 * STEP_S * np.arange(1, STEPS + 1), width),
                values=values.ravel(),
                parts=np.ones(values.size, dtype=np.int64),
            ),
            [],
        )
    return tenant


def _bytes(tenant: TenantId, table: str) -> int:
    """Heap, out-of-line values and indexes, of all partitions."""
    with tenant_connection(tenant) as connection:
        size = text(
            "select pg_total_relation_size(cast(:name as regclass)) +"
            " (select coalesce(sum(pg_total_relation_size(inhrelid)), 0) from pg_inherits"
            " where inhparent = cast(:name as regclass))"
        )
        return int(connection.scalar(size, {"name": table}) or 0)


def _by_tier(tenant: TenantId) -> dict[int, int]:
    with tenant_connection(tenant) as connection:
        rows = connection.execute(
            text("select tier, sum(length(blob)) as size from sample_rollups group by 1 order by 1")
        )
        return {row.tier: int(row.size) for row in rows}
