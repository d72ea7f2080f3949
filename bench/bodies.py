"""What the ingest benchmarks send: one data set as remote write, line protocol and our columns, all encoded beforehand.

64 devices of 20 ports with 8 metrics each, a sample of every series every 15 s: counters, some of them at zero.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator
from itertools import chain, islice

import cramjam
import numpy as np

from app.domain.labels import Labels, encode_labels, labels_of, length

DEVICES, PORTS = 64, 20
METRICS = (
    "ifHCInOctets",
    "ifHCOutOctets",
    "ifHCInUcastPkts",
    "ifHCOutUcastPkts",
    "ifInErrors",
    "ifOutDiscards",
    "ifOperStatus",
    "ifSpeed",
)
SERIES_OF_DEVICE = PORTS * len(METRICS)
SERIES = DEVICES * SERIES_OF_DEVICE
PER_BODY, COLUMNS_PER_BODY = 5_000, 9_600
STEP_MS = 15_000

REMOTE_WRITE = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}
JSON = {"Content-Type": "application/json"}
LINES = {"Content-Type": "text/plain; charset=utf-8"}

Body = tuple[int, bytes]  # how many samples, and the body


def labels_of_series(device: int, number: int) -> Labels:
    """The labels of one series of a device."""
    port, metric = divmod(number, len(METRICS))
    return labels_of({"__name__": METRICS[metric], **_tags(device, port)})


def values_of(step: int) -> np.ndarray:
    """(devices, series) values of one step: counters, and some that are zero."""
    chance = np.random.default_rng(step)
    values = np.floor(chance.random((DEVICES, SERIES_OF_DEVICE)) * 1e9) + step * 1e9
    values[:, 4 :: len(METRICS)] = 0.0
    return values


def remote_bodies(start_ms: int, steps: int) -> Iterator[Body]:
    """Remote write requests as a Prometheus sends them: series in their order, PER_BODY together, across steps."""
    keys = [encode_labels(labels_of_series(d, n)) for d in range(DEVICES) for n in range(SERIES_OF_DEVICE)]
    yield from _requests(
        _remote_series(keys, values_of(step).reshape(-1), start_ms + step * STEP_MS) for step in range(steps)
    )


def remote_bodies_of(keys: list[bytes], ts_ms: int) -> Iterator[Body]:
    """Remote write requests of one sample of each series."""
    yield from _requests([_remote_series(keys, np.ones(len(keys)), ts_ms)])


def _requests(series: Iterable[Iterable[bytes]]) -> Iterator[Body]:
    for chunk in _chunks(chain.from_iterable(series), PER_BODY):
        yield len(chunk), bytes(cramjam.snappy.compress_raw(b"".join(chunk)))


def _remote_series(keys: list[bytes], values: np.ndarray, ts_ms: int) -> Iterator[bytes]:
    pack = struct.Struct("<d").pack
    stamp = b"\x10" + length(ts_ms)
    full, zero = b"\x12\x10\x09", b"\x12\x07" + stamp
    for key, value in zip(keys, values.tolist(), strict=True):
        content = key + (full + pack(value) + stamp if value else zero)
        yield b"\x0a" + length(len(content)) + content


def line_bodies(start_ms: int, steps: int) -> Iterator[Body]:
    """Line protocol as Telegraf sends it: a line for each port with all its fields, PER_BODY samples together."""
    for chunk in _chunks(_lines(start_ms, steps), PER_BODY // len(METRICS)):
        yield len(chunk) * len(METRICS), b"\n".join(chunk)


def _lines(start_ms: int, steps: int) -> Iterator[bytes]:
    heads = [
        "snmp," + ",".join(f"{name}={value}" for name, value in _tags(device, port).items())
        for device in range(DEVICES)
        for port in range(PORTS)
    ]
    for step in range(steps):
        values = values_of(step).reshape(-1, len(METRICS)).astype(np.int64).tolist()
        for head, row in zip(heads, values, strict=True):
            fields = ",".join(f"{name}={value}i" for name, value in zip(METRICS, row, strict=True))
            yield f"{head} {fields} {start_ms + step * STEP_MS}000000".encode()


def _chunks(items: Iterator[bytes], size: int) -> Iterator[list[bytes]]:
    while chunk := list(islice(items, size)):
        yield chunk


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


def _tags(device: int, port: int) -> dict[str, str]:
    return {"device": f"access-{device:04}.pop{device % 17:02}.example", "ifName": f"xe-0/0/{port}", "job": "snmp"}
