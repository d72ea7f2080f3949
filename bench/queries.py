"""Queries through `query_range` over HTTP: milliseconds until the answer is there, p50 and p95.

1,000 devices of 20 ports: 160,000 series with the last hour of all metrics, 20,000 counters with six hours, and two
devices with thirty days, all a sample a minute; closed buckets are compacted. Warm: each query has been asked before,
as a screen asks again.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import numpy as np
import psycopg

from app.domain.labels import Labels, encode_labels, labels_of
from app.domain.tenancy import TenantId
from app.tsdb import compact, writer
from app.tsdb.catalog import series_places
from bench.bodies import METRICS
from bench.sending import Connection
from tests.factories.stack import Stack, running_stack

DEVICES, PORTS = 1_000, 20
LONG_DEVICES = 2
STEP_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
WAVE_S = 6_000
REPEATS = 40


class Query(NamedTuple):
    """One line of the table: what is asked, over which time back from the newest sample, and its bounds in ms."""

    name: str
    expr: str
    range_ms: int
    step_ms: int
    limit: float
    goal: float
    repeats: int = REPEATS


PORT = '{device="access-0001",ifName="xe-0/0/7"}'
QUERIES = (
    Query("one series, 24 h", f"avg_over_time(ifHCInOctets{PORT}[5m])", DAY_MS, 5 * STEP_MS, 15, 5),
    Query(
        "one device, 6 h",
        'avg_over_time(ifHCInOctets{device="access-0001"}[5m])',
        6 * HOUR_MS,
        5 * STEP_MS,
        20,
        8,
    ),
    Query("top 10 of 20,000 by rate over 1 h", "topk(10, rate(ifHCInOctets[1h]))", 0, STEP_MS, 120, 40),
    Query("one series, 30 d hourly", f"avg_over_time(ifHCInOctets{PORT}[1h])", 30 * DAY_MS, HOUR_MS, 25, 8),
    Query(
        "sum by (site)(rate) of 20,000, 6 h at 1 min",
        "sum by (site) (rate(ifHCInOctets[5m]))",
        6 * HOUR_MS,
        STEP_MS,
        2_000,
        600,
        5,
    ),
)


def main() -> list[dict[str, Any]]:
    """Two lines for each query: the median and the 95th percentile."""
    with (
        tempfile.TemporaryDirectory(prefix="watchfloor-bench-", ignore_cleanup_errors=True) as root,
        running_stack(Path(root), ("web",)) as stack,
    ):
        tenant, headers = stack.tenant("bench", samples_per_s=1_000_000_000, new_series_per_min=None)
        end_ms = int(time.time() * 1000) // HOUR_MS * HOUR_MS
        fill(tenant, end_ms)
        settle(stack, tenant)
        return [row for query in QUERIES for row in rows_of(query, ask(stack, headers, query, end_ms))]


def fill(tenant: TenantId, end_ms: int) -> None:
    """Store the data set up to `end_ms`."""
    places = np.concatenate([_places(tenant, first, first + 25) for first in range(0, DEVICES, 25)])
    octets = places[:, METRICS.index("ifHCInOctets") :: len(METRICS)]
    _store(tenant, places, end_ms - HOUR_MS, end_ms)
    _store(tenant, octets, end_ms - 6 * HOUR_MS - 10 * STEP_MS, end_ms - HOUR_MS)
    _store(tenant, places[:LONG_DEVICES], end_ms - 30 * DAY_MS - HOUR_MS, end_ms - 6 * HOUR_MS - 10 * STEP_MS)


def settle(stack: Stack, tenant: TenantId) -> None:
    """What the compactor and autovacuum would have done by the time that anybody asks."""
    for due in compact.due(tenant, int(time.time() * 1000)):
        compact.compact_bucket(tenant, due.bucket_ms, due.groups)
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        connection.execute("vacuum analyze")


def ask(stack: Stack, headers: Mapping[str, str], query: Query, end_ms: int) -> list[float]:
    """Milliseconds of each answer, over one connection, after enough rounds that each web worker has been asked."""
    times = {"start": (end_ms - query.range_ms) / 1000, "end": end_ms / 1000, "step": query.step_ms / 1000}
    path = f"/api/v1/query_range?{urlencode({'query': query.expr, **times})}"
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{fields}\r\n".encode()
    for _ in range(6):
        _answer(Connection(stack.settings.port), head)
    connection = Connection(stack.settings.port)
    waits = []
    for _ in range(query.repeats):
        begun = time.perf_counter()
        _answer(connection, head)
        waits.append((time.perf_counter() - begun) * 1000)
    return waits


def rows_of(query: Query, waits_ms: list[float]) -> list[dict[str, Any]]:
    """The lines of one query."""
    name = f"query: {query.name}"
    return [
        {
            "name": f"{name}, p50",
            "value": round(float(np.percentile(waits_ms, 50)), 1),
            "unit": "ms",
            "limit": query.limit,
            "goal": query.goal,
            "note": query.expr,
        },
        {"name": f"{name}, p95", "value": round(float(np.percentile(waits_ms, 95)), 1), "unit": "ms"},
    ]


def _answer(connection: Connection, head: bytes) -> None:
    status, text = connection.ask(head)
    if status != 200 or b'"values"' not in text:
        raise RuntimeError(f"{status} {text[:300]!r}")


def labels_of_series(device: int, number: int) -> Labels:
    """The labels of one series of a device."""
    port, metric = divmod(number, len(METRICS))
    return labels_of(
        {
            "__name__": METRICS[metric],
            "device": f"access-{device:04}",
            "site": f"pop{device % 17:02}",
            "ifName": f"xe-0/0/{port}",
            "job": "snmp",
        }
    )


def _places(tenant: TenantId, first: int, until: int) -> np.ndarray:
    """(devices, series): the places of the series of some devices."""
    of_device = PORTS * len(METRICS)
    keys = [encode_labels(labels_of_series(device, n)) for device in range(first, until) for n in range(of_device)]
    places, reasons = series_places(tenant, keys)
    assert not reasons
    return places.reshape(-1, of_device)


def _store(tenant: TenantId, places: np.ndarray, start_ms: int, end_ms: int) -> None:
    """Counters of so many (devices, series) at start < ts <= end, a step at a time as they would arrive."""
    chance = np.random.default_rng(len(places))
    rate = chance.integers(1_000, 100_000_000, places.size).astype(np.float64)
    steps = np.arange(start_ms + STEP_MS, end_ms + 1, STEP_MS)
    at_once = max(1, 400_000 // places.size)
    for first in range(0, len(steps), at_once):
        times = steps[first : first + at_once]
        # The sum up to each time of a rate that goes up and down by a tenth: a counter never falls.
        seconds = times[:, None] % (400 * DAY_MS) / 1000
        values = np.floor(rate * (0.9 * seconds - 0.1 * WAVE_S * np.cos(seconds / WAVE_S)))
        size = len(times) * places.size
        writer.write(
            writer.Rows(
                tenants=np.full(size, tenant, dtype=np.int32),
                places=np.tile(places.reshape(-1), len(times)),
                ts_ms=np.repeat(times, places.size),
                values=values.reshape(-1),
                parts=np.ones(size, dtype=np.int64),
            ),
            (),
        )


if __name__ == "__main__":
    print(json.dumps(main(), indent=1, ensure_ascii=False))
