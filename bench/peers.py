"""`make bench PEERS=1`: the same bodies and queries against what people would pick instead, in the same run.

Debian's victoria-metrics, prometheus and influxdb, as far as they are installed; each on loopback with its defaults.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import numpy as np
import psutil

from app.runtime.servers import free_port
from bench.bodies import LINES, REMOTE_WRITE, STEP_MS, Body, line_bodies, remote_bodies
from bench.sending import Connection, Sender

STEPS = 25
SETTLE_S = 4.0  # what a peer still does behind its answers counts as well
REPEATS = 30
QUERIES = (
    ("one series", 'avg_over_time(ifHCInOctets{device="access-0001.pop01.example",ifName="xe-0/0/7"}[1m])'),
    ("one device", 'avg_over_time(ifHCInOctets{device="access-0001.pop01.example"}[1m])'),
    ("sum of all rates", "sum by (device) (rate(ifHCInOctets[1m]))"),
)


class Peer(NamedTuple):
    """A program, how it is started (port, folder), where it takes what, and where it answers `query_range`."""

    program: str
    command: Callable[[int, Path], list[str]]
    ready: str
    remote_write: str = ""
    lines: str = ""
    queries: str = ""


def main() -> list[dict[str, Any]]:
    """Three lines for each peer that is installed; nothing for the others."""
    start_ms = int(time.time() * 1000) // 60_000 * 60_000 - STEPS * STEP_MS
    return [row for peer in PEERS if shutil.which(peer.program) for row in measured(peer, start_ms)]


def measured(peer: Peer, start_ms: int) -> list[dict[str, Any]]:
    """What one peer takes for the bodies and the queries."""
    rows = []
    with running(peer) as (process, port):
        loads = (
            ("remote write", peer.remote_write, REMOTE_WRITE, remote_bodies),
            ("lines", peer.lines, LINES, line_bodies),
        )
        for name, path, headers, bodies_of in loads:
            if path:
                warm, bodies = list(bodies_of(start_ms - STEP_MS, 1)), list(bodies_of(start_ms, STEPS))
                rows.append(_fed(peer, name, Sender(port, path, headers), warm, bodies, process))
        if peer.queries:
            rows += [_asked(peer, name, port, expr, start_ms) for name, expr in QUERIES]
    return rows


def _fed(
    peer: Peer, name: str, sender: Sender, warm: Sequence[Body], bodies: Sequence[Body], process: psutil.Process
) -> dict[str, Any]:
    sender.send_all(warm, connections=1)
    before, begun = _cpu_s(process), time.monotonic()
    sender.send_all(bodies, connections=1)  # in order of time, which Prometheus insists on
    wall_s = time.monotonic() - begun
    time.sleep(SETTLE_S)  # what a peer puts off (flushing, merging) counts as its work too
    samples = sum(count for count, _ in bodies)
    return {
        "name": f"peer {peer.program}: {name}",
        "value": round((_cpu_s(process) - before) / samples * 1e6, 3),
        "unit": "CPU s per million samples",
        "note": f"one connection; {samples / wall_s:,.0f} samples/s",
    }


def _asked(peer: Peer, name: str, port: int, expr: str, start_ms: int) -> dict[str, Any]:
    times = {"start": start_ms / 1000 + 60, "end": start_ms / 1000 + STEPS * STEP_MS / 1000, "step": 15}
    path = f"{peer.queries}?{urlencode({'query': expr, **times})}"
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    connection, waits = Connection(port), []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        status, text = connection.ask(head)
        if status != 200 or b'"values"' not in text:
            raise RuntimeError(f"{status} {text[:300]!r}")
        waits.append((time.perf_counter() - begun) * 1000)
    return {
        "name": f"peer {peer.program}: query, {name}, p50",
        "value": round(float(np.percentile(waits, 50)), 1),
        "unit": "ms",
        "note": expr,
    }


@contextmanager
def running(peer: Peer) -> Iterator[tuple[psutil.Process, int]]:
    """The peer with its data in a folder that goes with it, and its port."""
    with tempfile.TemporaryDirectory(prefix="watchfloor-peer-", ignore_cleanup_errors=True) as root:
        port, folder = free_port(), Path(root)
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(peer.command(port, folder), stdout=log, stderr=log, cwd=folder)
        try:
            _wait_until_ready(peer, port)
            yield psutil.Process(process.pid), port
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_until_ready(peer: Peer, port: int) -> None:
    head = f"{peer.ready} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n".encode()
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            if Connection(port).ask(head)[0] < 300:
                return
        except (OSError, ValueError):
            pass
        time.sleep(0.2)  # between two looks whether it has started
    raise RuntimeError(f"{peer.program} did not start")


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _victoria_metrics(port: int, folder: Path) -> list[str]:
    return [
        "victoria-metrics",
        f"-storageDataPath={folder}/data",
        f"-httpListenAddr=127.0.0.1:{port}",
        "-search.disableCache",
    ]


def _prometheus(port: int, folder: Path) -> list[str]:
    config = folder / "prometheus.yml"
    config.write_text("storage: {tsdb: {out_of_order_time_window: 1h}}\n")
    return [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
        "--web.enable-remote-write-receiver",
        "--log.level=warn",
    ]


def _influxdb(port: int, folder: Path) -> list[str]:
    config = folder / "influxdb.conf"
    config.write_text(
        f'reporting-disabled = true\nbind-address = "127.0.0.1:{free_port()}"\n'
        f'[meta]\ndir = "{folder}/meta"\n'
        f'[data]\ndir = "{folder}/data"\nwal-dir = "{folder}/wal"\nindex-version = "tsi1"\nquery-log-enabled = false\n'
        f'[http]\nbind-address = "127.0.0.1:{port}"\nlog-enabled = false\n[monitor]\nstore-enabled = false\n'
    )
    return ["influxd", "-config", str(config)]


PEERS = (
    Peer(
        "victoria-metrics",
        _victoria_metrics,
        "GET /health",
        remote_write="/api/v1/write",
        lines="/write",
        queries="/api/v1/query_range",
    ),
    Peer("prometheus", _prometheus, "GET /-/ready", remote_write="/api/v1/write", queries="/api/v1/query_range"),
    Peer("influxd", _influxdb, "POST /query?q=CREATE%20DATABASE%20noc", lines="/write?db=noc"),
)


if __name__ == "__main__":
    print(json.dumps(main(), indent=1, ensure_ascii=False))
