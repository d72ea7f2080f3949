"""The data path end to end: CPU seconds per million samples, beside a raw COPY into a narrow indexed table.

The COPY is measured in the same run. Counted are all our processes: web, Valkey, the drain worker and Postgres; the
load generator is this process and is not. Series are known beforehand, as they are on any day but the first.
"""

from __future__ import annotations

import http.client
import json
import struct
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cramjam
import numpy as np
import psycopg

from app.domain.labels import Labels, Matcher, MatchOp, encode_labels, labels_of, length
from app.domain.tenancy import TenantId
from app.tsdb.reader import Reader
from ingest import stream
from tests.factories.stack import Stack, running_stack

DEVICES, PORTS = 64, 20
METRICS = [
    "ifHCInOctets",
    "ifHCOutOctets",
    "ifHCInUcastPkts",
    "ifHCOutUcastPkts",
    "ifInErrors",
    "ifOutDiscards",
    "ifOperStatus",
    "ifSpeed",
]
SERIES_OF_DEVICE = PORTS * len(METRICS)
PER_BODY, COLUMNS_PER_BODY = 5_000, 9_600
REMOTE_STEPS, COLUMN_STEPS = 50, 60
STEP_MS = 15_000
CONNECTIONS = 4
COPY_ROWS = 20_000
OURS = ("web", "valkey", "worker-ingest", "postgres")
LATENCY_RATE, LATENCY_S, LATENCY_BODY = 20_000, 15, 1_000

Body = tuple[int, bytes]


@dataclass(frozen=True)
class Spent:
    """CPU seconds per million samples by process, and stored samples per second of wall time."""

    cpu_s: dict[str, float]
    per_s: float

    @property
    def total(self) -> float:
        """All processes together."""
        return sum(self.cpu_s.values())


def main() -> list[dict[str, Any]]:
    """Measure; one dictionary a figure."""
    with (
        tempfile.TemporaryDirectory(prefix="watchfloor-bench-", ignore_cleanup_errors=True) as root,
        running_stack(Path(root)) as stack,
    ):
        tenant, headers = stack.tenant("bench", samples_per_s=1_000_000_000)
        start_ms = int(time.time() * 1000) // 60_000 * 60_000 - REMOTE_STEPS * STEP_MS
        remote = Sender(stack, "/api/v1/write", headers | REMOTE_WRITE)
        columns = Sender(stack, "/api/v1/ingest", headers | {"Content-Type": "application/json"})
        warm = list(remote_bodies(start_ms - STEP_MS, 1))
        for _ in range(6):  # each web worker meets each series
            remote.send_all(warm)
        drain(stack)
        narrow = copy_narrow(stack, REMOTE_STEPS * DEVICES * SERIES_OF_DEVICE)
        by_remote = measure(stack, remote, list(remote_bodies(start_ms, REMOTE_STEPS)))
        by_columns = measure(stack, columns, list(column_bodies(start_ms - 3_600_000, COLUMN_STEPS)))
        latency = ack_to_queryable(stack, tenant, columns)
    return [
        {
            "name": "ingest: raw COPY into (series, ts, value) + btree",
            "value": round(narrow, 3),
            "unit": "CPU s per million samples",
            "note": "Postgres alone, bodies encoded beforehand",
        },
        _figure("ingest: remote write, end to end", by_remote, narrow, 1.3),
        _figure("ingest: native columns, end to end", by_columns, narrow, 0.5),
        *(
            {
                "name": f"ingest: acknowledged to queryable at {LATENCY_RATE} samples/s, p{p}",
                "value": round(float(np.percentile(latency, p)), 3),
                "unit": "s",
                "limit": limit,
            }
            for p, limit in ((50, 1.0), (95, 2.0))
        ),
    ]


REMOTE_WRITE = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}


class Sender:
    """Posts bodies over kept connections."""

    def __init__(self, stack: Stack, path: str, headers: dict[str, str]) -> None:
        self.address = ("127.0.0.1", stack.settings.port)
        self.path, self.headers = path, headers

    def send_all(self, bodies: Sequence[Body]) -> None:
        """Post every body; raises when one is not taken."""
        waiting = iter(bodies)
        lock, faults = threading.Lock(), []

        def run() -> None:
            connection = http.client.HTTPConnection(*self.address, timeout=30)
            while True:
                with lock:
                    body = next(waiting, None)
                if body is None or faults:
                    return
                if fault := self.post(connection, body[1]):
                    faults.append(fault)

        threads = [threading.Thread(target=run) for _ in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if faults:
            raise RuntimeError(faults[0])

    def post(self, connection: http.client.HTTPConnection, body: bytes) -> str:
        """Post one body; answers what went wrong."""
        connection.request("POST", self.path, body, self.headers)
        answer = connection.getresponse()
        text = answer.read()
        return "" if answer.status in (202, 204) else f"{answer.status} {text[:300]!r}"


def measure(stack: Stack, sender: Sender, bodies: Sequence[Body]) -> Spent:
    """What the bodies cost until the last sample is committed."""
    samples = sum(count for count, _ in bodies)
    before = {name: stack.cpu_s(name) for name in OURS}
    begun = time.monotonic()
    sender.send_all(bodies)
    drain(stack)
    wall_s = time.monotonic() - begun
    return Spent({name: (stack.cpu_s(name) - before[name]) / samples * 1e6 for name in OURS}, samples / wall_s)


def drain(stack: Stack) -> None:
    """Wait until the stream is empty."""
    if not stack.tend(60, lambda: all(stream.waiting(shard) == 0 for shard in range(stream.SHARDS))):
        raise RuntimeError("the stream was not drained")


def copy_narrow(stack: Stack, samples: int) -> float:
    """CPU seconds per million samples of Postgres for the same samples as narrow rows."""
    row = np.dtype(
        [("n", ">i2"), ("l1", ">i4"), ("id", ">i4"), ("l2", ">i4"), ("ts", ">i8"), ("l3", ">i4"), ("v", ">f8")]
    )
    series = DEVICES * SERIES_OF_DEVICE
    rows = np.empty(samples, row)
    rows["n"], rows["l1"], rows["l2"], rows["l3"] = 3, 4, 8, 8
    rows["id"] = np.arange(samples) % series
    rows["ts"] = np.arange(samples) // series * STEP_MS * 1000
    rows["v"] = np.random.default_rng(7).random(samples)
    head, tail = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        connection.execute(
            "create table bench_narrow (series int4 not null, ts timestamptz not null, value float8 not null)"
        )
        connection.execute("create unique index on bench_narrow (series, ts)")
        before = stack.cpu_s("postgres")
        for first in range(0, samples, COPY_ROWS):
            with connection.cursor().copy("copy bench_narrow from stdin (format binary)") as copy:
                copy.write(head + rows[first : first + COPY_ROWS].tobytes() + tail)
        spent = stack.cpu_s("postgres") - before
        connection.execute("drop table bench_narrow")
    return spent / samples * 1e6


def labels_of_series(device: int, number: int) -> Labels:
    """The labels of one series of a device."""
    port, metric = divmod(number, len(METRICS))
    return labels_of(
        {
            "__name__": METRICS[metric],
            "device": f"access-{device:04}.pop{device % 17:02}.example",
            "ifName": f"xe-0/0/{port}",
            "job": "snmp",
        }
    )


def values_of(step: int) -> np.ndarray:
    """(devices, series) values of one step: counters, and some that are zero."""
    chance = np.random.default_rng(step)
    values = np.floor(chance.random((DEVICES, SERIES_OF_DEVICE)) * 1e9) + step * 1e9
    values[:, 4 :: len(METRICS)] = 0.0
    return values


def remote_bodies(start_ms: int, steps: int) -> Iterator[Body]:
    """Remote write requests as a Prometheus sends them: one sample of each series, PER_BODY together."""
    keys = [encode_labels(labels_of_series(d, n)) for d in range(DEVICES) for n in range(SERIES_OF_DEVICE)]
    pack = struct.Struct("<d").pack
    for step in range(steps):
        stamp = b"\x10" + length(start_ms + step * STEP_MS)
        full, zero = b"\x12\x10\x09", b"\x12\x07" + stamp
        parts = []
        for key, value in zip(keys, values_of(step).reshape(-1).tolist(), strict=True):
            content = key + (full + pack(value) + stamp if value else zero)
            parts.append(b"\x0a" + length(len(content)) + content)
        for first in range(0, len(parts), PER_BODY):
            chunk = parts[first : first + PER_BODY]
            yield len(chunk), bytes(cramjam.snappy.compress_raw(b"".join(chunk)))


def column_bodies(start_ms: int, steps: int) -> Iterator[Body]:
    """Our columns as an agent sends its backlog: one device, all its series, some steps."""
    at_once = COLUMNS_PER_BODY // SERIES_OF_DEVICE
    all_values = np.stack([values_of(step) for step in range(steps)])
    for first in range(0, steps, at_once):
        times = [start_ms + step * STEP_MS for step in range(first, min(first + at_once, steps))]
        for device in range(DEVICES):
            series = []
            for number in range(SERIES_OF_DEVICE):
                labels = dict(labels_of_series(device, number))
                values = all_values[first : first + at_once, device, number].tolist()
                series.append({"metric": labels.pop("__name__"), "labels": labels, "ts": times, "values": values})
            yield len(times) * SERIES_OF_DEVICE, json.dumps({"series": series}, separators=(",", ":")).encode()


def ack_to_queryable(stack: Stack, tenant: TenantId, sender: Sender) -> list[float]:
    """Seconds from an answer to the moment a query sees the sample, at a steady rate."""
    stopping = threading.Event()
    load = threading.Thread(target=_steady_load, args=(sender, stopping))
    load.start()
    connection = http.client.HTTPConnection(*sender.address, timeout=30)
    reader, probe = Reader(tenant), Matcher("__name__", MatchOp.EQUAL, "probe")
    waits: list[float] = []
    end = time.monotonic() + LATENCY_S
    while time.monotonic() < end:
        now_ms = int(time.time() * 1000)
        body = {"samples": [{"metric": "probe", "labels": {"device": "probe"}, "ts": now_ms, "value": 1}]}
        sender.post(connection, json.dumps(body).encode())
        acknowledged = time.monotonic()
        while not reader.select([probe], start_ms=now_ms, end_ms=now_ms):
            stack.tend(0.005)
            if time.monotonic() > acknowledged + 30:
                raise RuntimeError("a sample did not become visible")
        waits.append(time.monotonic() - acknowledged)
        time.sleep(0.05)
    stopping.set()
    load.join()
    return waits


def _steady_load(sender: Sender, stopping: threading.Event) -> None:
    """LATENCY_RATE samples a second in rows of LATENCY_BODY, all due at the beginning of their slot."""
    connection = http.client.HTTPConnection(*sender.address, timeout=30)
    series = [labels_of_series(0, number) for number in range(SERIES_OF_DEVICE)]
    begun, sent = time.monotonic(), 0
    while not stopping.wait(max(0.0, begun + sent * LATENCY_BODY / LATENCY_RATE - time.monotonic())):
        now_ms = int(time.time() * 1000)
        body = {
            "series": [
                {
                    "metric": dict(labels)["__name__"],
                    "labels": {**dict(labels), "device": f"load-{sent % 20}"},
                    "ts": [now_ms - 100 * i for i in range(LATENCY_BODY // SERIES_OF_DEVICE + 1)],
                    "values": [float(i) for i in range(LATENCY_BODY // SERIES_OF_DEVICE + 1)],
                }
                for labels in series
            ]
        }
        sender.post(connection, json.dumps(body).encode())
        sent += 1


def _figure(name: str, spent: Spent, narrow: float, limit: float) -> dict[str, Any]:
    parts = ", ".join(f"{process} {cpu_s:.2f}" for process, cpu_s in spent.cpu_s.items())
    return {
        "name": name,
        "value": round(spent.total, 3),
        "unit": "CPU s per million samples",
        "ratio": round(spent.total / narrow, 2),
        "limit": limit,
        "note": f"{parts}; {spent.per_s:,.0f} samples/s stored",
    }


if __name__ == "__main__":
    print(json.dumps(main(), indent=1))
