"""The edge agent: what this machine says of itself, read every few seconds, spooled to disk, sent on.

Reading never waits for the network: a thread of its own sends, and what it cannot send stays in the spool.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final

import msgspec
import orjson
import psutil

from app.clock import now_ms
from ingest.agent.forward import Forwarder, NotTaken
from ingest.agent.spool import Spool

log = logging.getLogger(__name__)

INTERVAL_S: Final = 15.0
SPOOL_BYTES: Final = 64 * 1024 * 1024
MOST_READINGS_AT_ONCE: Final = 200
# How long one request is tried before the agent looks again at what is oldest in its spool.
TRY_S: Final = 120.0
PAUSE_AFTER_REFUSAL_S: Final = 60.0

Labels = Mapping[str, str]


class Reading(msgspec.Struct):
    """All that was read at one moment: (metric, labels beyond the machine's own, value)."""

    ts_ms: int
    samples: list[tuple[str, dict[str, str], float]]


class Agent:
    """One machine's agent. `read_once()` and `send_once()` are the two halves of its life."""

    def __init__(self, forwarder: Forwarder, spool: Spool, *, labels: Labels) -> None:
        self.forwarder = forwarder
        self.spool = spool
        self.labels = dict(labels)
        psutil.cpu_percent(None)  # the first answer is meaningless; the next is about the time since this one

    def read_once(self, at_ms: int) -> None:
        """Read the machine and put the reading into the spool."""
        reading = Reading(at_ms, [(metric, dict(labels), float(value)) for metric, labels, value in machine()])
        self.spool.put(msgspec.json.encode(reading))

    def send_once(self) -> int:
        """Send the oldest readings; answers how many are done with. Raises NotTaken when the server has no ear."""
        entries = self.spool.oldest(MOST_READINGS_AT_ONCE)
        if not entries:
            return 0
        readings = [msgspec.json.decode(content, type=Reading) for _, content in entries]
        body = orjson.dumps({"series": columns(readings, self.labels)})
        key = f"agent-{hashlib.sha256(body).hexdigest()[:32]}"
        self.forwarder.send(body, key=key, give_up_after_s=TRY_S)
        self.spool.remove(name for name, _ in entries)
        return len(entries)


def machine() -> Iterator[tuple[str, Labels, float]]:
    """The machine's readings now: processor, memory, disks, network."""
    yield "agent_up", {}, 1
    yield "cpu_utilisation_ratio", {"cpu": "all"}, psutil.cpu_percent(None) / 100
    memory = psutil.virtual_memory()
    yield "memory_used_bytes", {"pool": "physical"}, memory.total - memory.available
    yield "memory_size_bytes", {"pool": "physical"}, memory.total
    for mount in mounts():
        try:
            disk = psutil.disk_usage(mount)
        except OSError:
            continue  # unmounted meanwhile, or not ours to see
        yield "storage_used_bytes", {"storage": mount}, disk.used
        yield "storage_size_bytes", {"storage": mount}, disk.total
    for name, counters in psutil.net_io_counters(pernic=True).items():
        if name != "lo":
            yield "network_receive_bytes_total", {"ifName": name}, counters.bytes_recv
            yield "network_transmit_bytes_total", {"ifName": name}, counters.bytes_sent


def mounts() -> list[str]:
    """The mount points of real disks, the root always among them."""
    found = {part.mountpoint for part in psutil.disk_partitions(all=False) if Path(part.mountpoint).is_dir()}
    return sorted({"/", *found})


def columns(readings: Sequence[Reading], labels: Labels) -> list[dict[str, Any]]:
    """Readings as the columns of POST /api/v1/ingest; `labels` are added to every series."""
    series: dict[tuple[str, tuple[tuple[str, str], ...]], dict[str, Any]] = {}
    for reading in readings:
        for metric, own, value in reading.samples:
            key = (metric, tuple(sorted(own.items())))
            column = series.setdefault(key, {"metric": metric, "labels": {**labels, **own}, "ts": [], "values": []})
            column["ts"].append(reading.ts_ms)
            column["values"].append(value)
    return list(series.values())


def main(url: str, token: str, *, device: str, site: str, folder: Path, interval_s: float, stopping: Event) -> None:
    """Read and send until `stopping` is set; what is not sent by then is sent at the next start."""
    # httpx tells of every request at INFO.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    labels = {"device": device, "job": "agent", "role": "server"} | ({"site": site} if site else {})
    spool = Spool(folder, most_bytes=SPOOL_BYTES)
    with Forwarder(url, token, sleep=lambda wait_s: _wait(stopping, wait_s)) as forwarder:
        agent = Agent(forwarder, spool, labels=labels)
        sender = Thread(target=_send, args=(agent, stopping, interval_s), name="forward", daemon=True)
        sender.start()
        while not stopping.wait(interval_s - now_ms() / 1000 % interval_s):
            agent.read_once(now_ms())


def _wait(stopping: Event, wait_s: float) -> None:
    stopping.wait(wait_s)


def _send(agent: Agent, stopping: Event, interval_s: float) -> None:
    """Send whenever there is something; a refusal is logged and tried again after a pause."""
    while not stopping.is_set():
        try:
            sent = agent.send_once()
        except NotTaken as error:
            log.warning("samples not taken", extra={"why": str(error), "waiting": len(agent.spool)})
            stopping.wait(PAUSE_AFTER_REFUSAL_S)
            continue
        if not sent:
            stopping.wait(min(interval_s / 5, 1.0))
