"""The demo: how long its history takes through the public route, how much disk it fills, what the simulator costs."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from app.demo.agent import answer
from app.demo.history import Progress
from app.demo.mib import IF_ENTRY, IFX_ENTRY, Mib
from app.demo.seed import POLL_INTERVAL_S
from app.demo.simulator import Simulation
from ingest import shards, stream
from ingest.snmp import codec
from tests.factories.stack import Stack, running_stack

# What a poll asks of each port (ingest/snmp/profiles/_if-mib.yaml), and of how much at once.
COLUMNS = (
    *((*IF_ENTRY, column) for column in (7, 8, 10, 13, 14, 16, 19, 20)),
    *((*IFX_ENTRY, column) for column in (6, 7, 10, 11, 15)),
)
VARBINDS = 48
CYCLES = 5


def main() -> list[dict[str, Any]]:
    """The rows of this benchmark."""
    with tempfile.TemporaryDirectory(prefix="wf-bench-") as folder, running_stack(Path(folder)) as stack:
        return [*_history(stack), _simulator(stack.home.root)]


def _history(stack: Stack) -> list[dict[str, Any]]:
    _verb(stack, "seed")
    begun = time.monotonic()
    _verb(stack, "history")
    stored = stack.tend(300, until=lambda: not any(stream.waiting(shard) for shard in range(shards.DEFAULT)))
    seconds = time.monotonic() - begun
    assert stored, "the history was not stored within five minutes"
    progress = msgspec.json.decode((stack.home.root / "demo" / "history.json").read_bytes(), type=Progress)
    with psycopg.connect(stack.database_url) as connection:
        size = connection.execute("select pg_database_size(current_database())").fetchone()
    assert size is not None
    megabytes = size[0] / 1e6
    rate = f"{progress.samples:,} samples, {progress.samples / seconds:,.0f} a second, stored"
    bytes_each = f"{size[0] / progress.samples:.1f} bytes a sample, without the write-ahead log"
    return [
        {"name": "history of the demo", "value": round(seconds, 1), "unit": "s", "limit": 90, "note": rate},
        {"name": "its size", "value": round(megabytes), "unit": "MB", "limit": 400, "note": bytes_each},
    ]


def _simulator(home: Path) -> dict[str, Any]:
    """The share of a core that answering all polls takes."""
    simulation = Simulation(home, int(time.time() * 1000))
    requests = {name: _poll(mib) for name, mib in simulation.mibs.items()}
    begun = time.process_time()
    for cycle in range(CYCLES):
        now_ms = simulation.started_ms + cycle * POLL_INTERVAL_S * 1000
        for name, datagrams in requests.items():
            for datagram in datagrams:
                assert answer(simulation.mibs[name], b"c", datagram, now_ms)
    share = (time.process_time() - begun) / CYCLES / POLL_INTERVAL_S
    return {
        "name": "simulated network under polls",
        "value": round(100 * share, 2),
        "unit": "% of a core",
        "limit": 3,
        "note": f"{len(requests)} devices every {POLL_INTERVAL_S} s, sockets not counted",
    }


def _poll(mib: Mib) -> list[bytes]:
    names = [
        name
        for port in mib.device.ports
        for column in COLUMNS
        if mib.find(name := codec.encode_oid((*column, port.if_index)))
    ]
    parts = [names[at : at + VARBINDS] for at in range(0, len(names), VARBINDS)]
    return [codec.prepare(codec.GET, part, community=b"c").with_id(codec.FIRST_ID) for part in parts]


def _verb(stack: Stack, verb: str) -> None:
    environment = stack.settings.environment(stack.home.metrics)
    subprocess.run([sys.executable, "-m", "app", "demo", verb], env=environment, check=True)


if __name__ == "__main__":
    print(main())
