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
from itertools import pairwise
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
from app.demo.oddities import Oddities
from app.demo.readings import Readings
from app.demo.timeline import Timeline
from app.demo.traffic import HISTORY_DAYS, Traffic, past_ends_ms
from ingest.agent.forward import Forwarder

log = logging.getLogger(__name__)

HOUR_MS: Final = 3_600_000
# Steps of five minutes, of one minute in the last six hours, and of a poll's interval where polling takes over. From
# one to the next they shrink little by little: rate() over a window with two kinds of step would show a dip.
LIVE_STEP_MS, FINE_STEP_MS, STEP_MS = 15_000, 60_000, 300_000
LIVE_RAMP_MS, FINE_MS, FINE_RAMP_MS = 45 * 60_000, 6 * HOUR_MS, 5 * HOUR_MS
# What a first start may take from the making of the demo to the first poll.
LONGEST_START_MS: Final = 300_000
# Requests on their way at once, per tenant: the next is made while the server digests the one before.
IN_FLIGHT: Final = 2
GIVE_UP_AFTER_S: Final = 3_600.0
# Devices of one request: few enough for a body of some megabytes.
DEVICES_AT_ONCE: Final = 6


@dataclass(frozen=True)
class Chunk:
    """One request: some devices of a tenant, at times (t,)."""

    number: int
    tenant: str
    devices: tuple[Device, ...]
    ts_ms: NDArray[np.int64]


class Progress(msgspec.Struct):
    """What $HOME/demo/history.json holds; `chunks` are the numbers of those that are done."""

    percent: float = 0.0
    samples: int = 0
    done: bool = False
    seconds: float = 0.0
    until_ms: int = 0  # where live polling takes over; the first run decides it
    chunks: list[int] = []
    has_past: bool = False  # the rollups of the half year before are there, too


def history_times(epoch_ms: int, *, until_ms: int) -> NDArray[np.int64]:
    """The times of all samples, ascending, up to `until_ms`."""
    coarse_end = (epoch_ms - FINE_MS - FINE_RAMP_MS) // STEP_MS * STEP_MS
    # From a midnight on, where the rollups of half_year.py end.
    coarse = np.arange(past_ends_ms(epoch_ms) + STEP_MS, coarse_end, STEP_MS)
    fine, at_ms = [], coarse_end
    while at_ms <= until_ms:
        fine.append(at_ms)
        at_ms += round(step_ms(epoch_ms - at_ms) / 1000) * 1000
    return np.concatenate([coarse, np.array(fine, dtype=np.int64)])


def step_ms(age_ms: int) -> float:
    """The time between samples that are `age_ms` older than the demo's beginning."""
    if age_ms <= FINE_MS:
        ratio = FINE_STEP_MS / LIVE_STEP_MS
        return float(LIVE_STEP_MS * ratio ** min(max(age_ms / LIVE_RAMP_MS, 0.0), 1.0))
    ratio = STEP_MS / FINE_STEP_MS
    return float(FINE_STEP_MS * ratio ** min((age_ms - FINE_MS) / FINE_RAMP_MS, 1.0))


def plan(network: Network, epoch_ms: int, *, until_ms: int) -> list[Chunk]:
    """All chunks in the order of sending: hours, then days, from the newest to the oldest."""
    times = history_times(epoch_ms, until_ms=until_ms)
    hours = [epoch_ms - hour * HOUR_MS for hour in range((FINE_MS + FINE_RAMP_MS) // HOUR_MS)]
    days = [hours[-1] - day * DAY_MS for day in range(HISTORY_DAYS + 2)]
    edges = [until_ms + 1, *hours, *days[1:]]
    chunks: list[Chunk] = []
    for end_ms, start_ms in pairwise(edges):
        window = times[(times >= start_ms) & (times < end_ms)]
        for tenant in dict.fromkeys(device.tenant for device in network.devices):
            devices = network.of_tenant(tenant)
            for at in range(0, len(devices) if len(window) else 0, DEVICES_AT_ONCE):
                chunks.append(Chunk(len(chunks), tenant, devices[at : at + DEVICES_AT_ONCE], window))
    return chunks


def main(home: Path, base_url: str) -> None:
    """Send what has not been sent yet."""
    # httpx tells of every request at INFO.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    began = beginning(home, now_ms())
    path = demo_folder(home) / "history.json"
    progress = msgspec.convert(read_json(path), Progress)
    if progress.done:
        return
    network = build_network(began.seed)
    # A first run long after the beginning does not make up for the time when nobody polled.
    progress.until_ms = progress.until_ms or min(now_ms(), began.epoch_ms + LONGEST_START_MS)
    chunks = plan(network, began.epoch_ms, until_ms=progress.until_ms)
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
    incidents = [*faults.past(epoch_ms, HISTORY_DAYS), *Oddities(network, traffic).past(epoch_ms)]
    return Readings(Timeline(traffic, faults, incidents))


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
    series: list[dict[str, Any]] = []
    for device in chunk.devices:
        series += device_columns(readings, device, chunk.ts_ms)
    return zstandard.ZstdCompressor(level=1).compress(orjson.dumps({"series": series}))
