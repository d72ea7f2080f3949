"""Sends fifteen days of the demo network's past through the ingest API, the newest first, and tells how far it is.

The plan is a fixed list of chunks that follows from the demo's beginning; what is done is noted after each, so a
run that was cut off goes on where it was. A chunk that arrives twice counts once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import orjson
import zstandard
from numpy.typing import NDArray

from app.clock import monotonic_s, now_ms
from app.demo.columns import device_columns
from app.demo.incidents import DAY_MS, Faults
from app.demo.journal import beginning, demo_folder, read_json, write_atomically
from app.demo.network import Device, Network, build_network
from app.demo.readings import Readings
from app.demo.timeline import Timeline
from app.demo.traffic import HISTORY_DAYS, Traffic
from ingest.agent.forward import Forwarder

log = logging.getLogger(__name__)

FINE_STEP_MS, FINE_HOURS = 60_000, 6
STEP_MS: Final = 300_000
HOUR_MS: Final = 3_600_000
# Requests on their way at once, per tenant: the next is made while the server digests the one before.
IN_FLIGHT: Final = 2
GIVE_UP_AFTER_S: Final = 3_600.0
# Devices of one request: few enough for a body of some megabytes.
DEVICES_AT_ONCE: Final = 6


@dataclass(frozen=True)
class Chunk:
    """One request: some devices of a tenant during a window, in steps; start_ms <= t < end_ms."""

    number: int
    tenant: str
    devices: tuple[Device, ...]
    start_ms: int
    end_ms: int
    step_ms: int

    def times(self) -> NDArray[np.int64]:
        """The times of its samples."""
        return np.arange(self.start_ms, self.end_ms, self.step_ms, dtype=np.int64)


class Progress(msgspec.Struct):
    """What $HOME/demo/history.json holds; `chunks` are the numbers of those that are done."""

    percent: float = 0.0
    samples: int = 0
    done: bool = False
    seconds: float = 0.0
    chunks: list[int] = []


def plan(network: Network, epoch_ms: int) -> list[Chunk]:
    """All chunks in the order of sending: hours of fine steps, then days, each from the newest to the oldest."""
    fine_from = epoch_ms - FINE_HOURS * HOUR_MS
    windows = [(fine_from + hour * HOUR_MS, HOUR_MS, FINE_STEP_MS) for hour in reversed(range(FINE_HOURS))]
    first = (fine_from - (HISTORY_DAYS * DAY_MS - FINE_HOURS * HOUR_MS)) // STEP_MS * STEP_MS
    end = fine_from // STEP_MS * STEP_MS
    days = [(max(first, end - (day + 1) * DAY_MS), end - day * DAY_MS) for day in range(HISTORY_DAYS)]
    windows += [(start, stop - start, STEP_MS) for start, stop in days if stop > start]
    chunks: list[Chunk] = []
    for start_ms, length_ms, step_ms in windows:
        for tenant in dict.fromkeys(device.tenant for device in network.devices):
            devices = network.of_tenant(tenant)
            for at in range(0, len(devices), DEVICES_AT_ONCE):
                some = devices[at : at + DEVICES_AT_ONCE]
                chunks.append(Chunk(len(chunks), tenant, some, start_ms, start_ms + length_ms, step_ms))
    return chunks


def main(home: Path, base_url: str) -> None:
    """Send what has not been sent yet."""
    began = beginning(home, now_ms())
    path = demo_folder(home) / "history.json"
    progress = msgspec.convert(read_json(path), Progress)
    if progress.done:
        return
    network = build_network(began.seed)
    chunks = plan(network, began.epoch_ms)
    readings = past_readings(network, began.epoch_ms)
    tokens = {t["name"]: t["tokens"]["ingest"] for t in read_json(home / "credentials.json")["tenants"]}
    started_s = monotonic_s() - progress.seconds
    senders = {name: Forwarder(base_url, token, sleep=time.sleep) for name, token in tokens.items()}
    missing = [chunk for chunk in chunks if chunk.number not in set(progress.chunks)]
    try:
        for chunk, accepted in send_all(missing, readings, senders, epoch_ms=began.epoch_ms):
            progress.chunks.append(chunk.number)
            progress.samples += accepted
            progress.percent = round(100 * len(progress.chunks) / len(chunks), 1)
            progress.done = len(progress.chunks) == len(chunks)
            progress.seconds = round(monotonic_s() - started_s, 1)
            write_atomically(path, msgspec.json.encode(progress))
    finally:
        for sender in senders.values():
            sender.client.close()
    log.info("history sent", extra={"samples": progress.samples, "seconds": progress.seconds})


def past_readings(network: Network, epoch_ms: int) -> Readings:
    """The readings before the demo began, with the incidents of that time."""
    traffic = Traffic(network, epoch_ms)
    faults = Faults(network, traffic.router)
    return Readings(Timeline(traffic, faults, faults.past(epoch_ms, HISTORY_DAYS)))


def send_all(
    chunks: list[Chunk], readings: Readings, senders: dict[str, Forwarder], *, epoch_ms: int
) -> Iterator[tuple[Chunk, int]]:
    """Send chunks in order, some at once; each is answered when it is durable, with the samples accepted."""

    def send(chunk: Chunk, body: bytes) -> int:
        key = f"demo-history-{epoch_ms}-{chunk.number}"
        return senders[chunk.tenant].send(body, key=key, encoding="zstd", give_up_after_s=GIVE_UP_AFTER_S)

    with ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="history") as pool:
        waiting: list[tuple[Chunk, Future[int]]] = []
        for chunk in chunks:
            waiting.append((chunk, pool.submit(send, chunk, chunk_body(readings, chunk))))
            if len(waiting) > IN_FLIGHT:
                first, future = waiting.pop(0)
                yield first, future.result()
        for first, future in waiting:
            yield first, future.result()


def chunk_body(readings: Readings, chunk: Chunk) -> bytes:
    """The request's body, compressed with zstd."""
    ts_ms = chunk.times()
    series: list[dict[str, Any]] = []
    for device in chunk.devices:
        series += device_columns(readings, device, ts_ms)
    return zstandard.ZstdCompressor(level=1).compress(orjson.dumps({"series": series}))
