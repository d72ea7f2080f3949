"""Telegraf's JSON (`data_format = "json"`): one metric, or a batch of them.

As with line protocol a field becomes the metric `name_field`, tags become labels, and texts are no samples.
Source: Telegraf, plugins/serializers/json.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Final

import msgspec
import numpy as np

from app.domain.labels import METRIC, encode_labels, labels_of
from app.domain.samples import Batch, Rejection
from app.errors import DecodeError
from ingest.protocols.bounds import NOT_JSON, check_items, check_json, check_keys, check_samples
from ingest.protocols.times import FURTHEST_MS

PROTOCOL: Final = "telegraf"
# Units in a millisecond; Telegraf writes seconds unless json_timestamp_units says otherwise.
PER_MS: Final[Mapping[str, float]] = {"s": 1e-3, "ms": 1.0, "us": 1e3, "ns": 1e6}
# The format does not tell its unit, but times from 1973 to 5138 in one unit are no times of ours in another.
BY_SIZE: Final = ((1e11, "s"), (1e14, "ms"), (1e17, "us"), (float("inf"), "ns"))


class Metric(msgspec.Struct):
    """One point: its fields at one time."""

    name: str
    fields: dict[str, float | bool | str | None]
    timestamp: int | float
    tags: dict[str, str] = {}


class Body(msgspec.Struct):
    """A batch."""

    metrics: list[msgspec.Raw] | None = None
    name: msgspec.Raw = msgspec.Raw(b"")
    fields: msgspec.Raw = msgspec.Raw(b"")


_read_body = msgspec.json.Decoder(Body).decode
_read_metric = msgspec.json.Decoder(Metric).decode


class _Columns:
    """The samples read so far; a series is known by its metric's name and tags and the name of the field."""

    def __init__(self) -> None:
        self.numbers: dict[tuple[str, tuple[tuple[str, str], ...]], dict[str, int]] = {}
        self.keys: list[bytes] = []
        self.key_bytes = 0
        self.series: list[int] = []
        self.ts_ms: list[int] = []
        self.values: list[float] = []
        self.positions: list[int] = []

    def add(self, index: int, metric: Metric, ts_ms: int) -> None:
        """The fields of a point that are numbers."""
        known = self.numbers.setdefault((metric.name, tuple(metric.tags.items())), {})
        for field, value in metric.fields.items():
            if value is None or isinstance(value, str):
                continue
            number = known.get(field)
            if number is None:
                number = known[field] = len(self.keys)
                key = encode_labels(labels_of({**metric.tags, METRIC: f"{metric.name}_{field}"}))
                self.key_bytes += len(key)
                check_keys(self.key_bytes)
                self.keys.append(key)
            self.series.append(number)
            self.ts_ms.append(ts_ms)
            self.values.append(value)
            self.positions.append(index)


def decode(body: bytes, *, precision: str = "") -> Batch:
    """The samples of a batch or of one metric; bad metrics are in `rejected`, by their index.

    Without `precision` the unit of each time is known by its size. Raises DecodeError when the body is neither,
    TooLarge when it has too many metrics.
    """
    if precision and precision not in PER_MS:
        raise DecodeError(PROTOCOL, "precision", f"{precision} is not one of s, ms, us, ns")
    columns, rejected = _Columns(), list[Rejection]()
    for index, item in enumerate(_items(body)):
        try:
            metric = _read_metric(item)
            if not metric.name:
                raise ValueError("no name")
            columns.add(index, metric, _time(metric.timestamp, precision))
            check_samples(len(columns.values))
        except (*NOT_JSON, ValueError) as error:
            rejected.append(Rejection(index, str(error)))
    return Batch(
        keys=columns.keys,
        series=np.array(columns.series, dtype=np.int32),
        ts_ms=np.array(columns.ts_ms, dtype=np.int64),
        values=np.array(columns.values, dtype=np.float64),
        positions=np.array(columns.positions, dtype=np.int32),
        rejected=rejected,
    )


def _items(body: bytes) -> Iterable[bytes | msgspec.Raw]:
    check_json(body)
    try:
        read = _read_body(body)
    except NOT_JSON as error:
        raise DecodeError(PROTOCOL, "body", str(error)) from None
    items: Sequence[bytes | msgspec.Raw] | None = read.metrics
    if items is None and bytes(read.name) and bytes(read.fields):
        items = [body]
    if items is None:
        raise DecodeError("ingest", "body", "needs samples or series (or metrics, as Telegraf writes them)")
    check_items(len(items))
    return items


def _time(stamp: int | float, precision: str) -> int:
    if not isfinite(stamp):
        raise ValueError("timestamp is not a time")
    unit = precision or next(unit for limit, unit in BY_SIZE if abs(stamp) < limit or limit == float("inf"))
    ts_ms = stamp * 1_000 if unit == "s" else stamp // 1_000_000 if unit == "ns" else stamp / PER_MS[unit]
    if abs(ts_ms) > FURTHEST_MS:
        raise ValueError("timestamp is out of range: is the precision right?")
    return int(ts_ms)
