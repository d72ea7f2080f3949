"""OTLP's protobuf to columns with no object for each sample's parts: what gauges and sums are almost always like.

A number's data point is a head of fixed length (times and value) and its attributes. Heads are gathered for all points
at once; the attributes' bytes name the series within their metric, and are read once for many requests. Points that
look different, histograms and summaries go the way of otlp.py, which is also what this must come to.
Source: opentelemetry-proto metrics.proto, NumberDataPoint.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.domain.labels import METRIC, Labels, encode_labels, labels_of
from app.domain.samples import Batch, Float64s, Int64s, Metadata
from app.errors import DecodeError
from ingest.protocols.bounds import bounded, check_items
from ingest.protocols.otlp import (
    PROTOCOL,
    Columns,
    TreeReader,
    attributes_of,
    read_metric,
    read_point,
    tell_target,
)
from ingest.protocols.otlp_names import attribute_labels, instance_labels, metric_name
from ingest.protocols.protobuf import BYTES, VARINT, Field, fields
from ingest.protocols.times import FURTHEST_MS

DELTA: Final = 1
# Tags of NumberDataPoint: start_time, time, as_double, as_int, attributes.
_START, _TIME, _DOUBLE, _INT, _ATTRIBUTE = 0x11, 0x19, 0x21, 0x31, 7
# A head with and without a start time; behind the last byte the array goes on for as long.
_LONG: Final = 27
_SHORT: Final = 18
_EIGHT: Final = np.arange(8)
# Attributes that are read once: senders say the same ones again and again. What is long is not kept.
_KEPT: Final = 32_768
_LONGEST_KEPT: Final = 1_024


class _Metric(NamedTuple):
    """What the points of one metric share: name, and the labels of their resource."""

    name: str
    kind: str
    resource: Labels


class _Target(NamedTuple):
    """A resource, and where its samples begin and end among points and among the columns of the slow way.

    `end` is the number of data points in the request up to its last.
    """

    attributes: dict[str, str]
    labels: dict[str, str]
    points: tuple[int, int]
    slow: tuple[int, int]
    end: int


class _Read(NamedTuple):
    """The plain points: which they are, their keys, times and values."""

    chosen: NDArray[np.intp]
    keys: list[bytes]
    ts_ms: Int64s
    values: Float64s


@dataclass
class _Points:
    """Where the data points of gauges and sums stand, each with its metric and its number in the request."""

    starts: list[int] = field(default_factory=list)
    stops: list[int] = field(default_factory=list)
    metrics: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)


def decode(body: bytes) -> Batch:
    """The samples of an ExportMetricsServiceRequest; `positions` number the data points. Raises DecodeError."""
    reader = _Reader(body)
    reader.read()
    return reader.batch()


class _Reader:
    """One request on its way to columns."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.tree = TreeReader(body)
        self.out = Columns()
        self.points = _Points()
        self.metrics: list[_Metric] = []
        self.targets: list[_Target] = []

    def read(self) -> None:
        """Find every data point; read those that are no plain numbers."""
        for resource in self._parts(0, len(self.body), 1):
            tree: dict[str, object] = {}
            for part in self._parts(resource.start, resource.stop, 1):
                tree = self.tree.message(part, "Resource", 2)
            attributes = attributes_of(tree.get("attributes"))  # type: ignore[arg-type]  # the schema says what it is
            labels = instance_labels(attributes)
            first = len(self.points.starts), len(self.out.ts_ms)
            for scope in self._parts(resource.start, resource.stop, 2):
                for metric in self._parts(scope.start, scope.stop, 2):
                    self._read_metric(metric, labels)
            last = len(self.points.starts), len(self.out.ts_ms)
            self.targets.append(_Target(attributes, labels, (first[0], last[0]), (first[1], last[1]), self.out.points))

    def batch(self) -> Batch:
        """Everything as columns."""
        read = self._read_points()
        self._tell_targets(read)
        slow = self.out.batch()
        keys = bounded([*read.keys, *slow.keys])
        count = len(read.keys)
        positions = np.concatenate((np.array(self.points.positions, dtype=np.int32)[read.chosen], _of(slow)))
        # In the order of the request: of two samples of one series and time the later one wins.
        order = np.argsort(positions, kind="stable")
        return Batch(
            keys=keys,
            series=np.concatenate((np.arange(count, dtype=np.int32), slow.series + np.int32(count)))[order],
            ts_ms=np.concatenate((read.ts_ms, slow.ts_ms))[order],
            values=np.concatenate((read.values, slow.values))[order],
            positions=positions[order],
            rejected=slow.rejected,
            metadata=slow.metadata,
        )

    def _parts(self, start: int, stop: int, number: int) -> list[Field]:
        parts = [one for one in fields(PROTOCOL, self.body, start, stop) if one.number == number and one.wire == BYTES]
        check_items(len(parts))
        return parts

    def _read_metric(self, metric: Field, labels: dict[str, str]) -> None:
        texts = {1: "", 2: "", 3: ""}
        found: list[Field] = []
        for one in fields(PROTOCOL, self.body, metric.start, metric.stop):
            if one.number in texts and one.wire == BYTES:
                texts[one.number] = self.body[one.start : one.stop].decode(errors="replace")
            elif one.number in (5, 7, 9, 10, 11):
                found.append(one)
        if len(found) != 1 or found[0].number not in (5, 7) or found[0].wire != BYTES or not self._find(found[0]):
            read_metric(self.tree.message(metric, "Metric", 4), labels, self.out)
            return
        data = found[0]
        kind = "gauge" if data.number == 5 else "sum"
        name = metric_name(texts[1], texts[3], kind=kind, is_counter=self.is_counter and kind == "sum")
        known = "counter" if self.is_counter and kind == "sum" else "gauge"
        self.out.metadata.setdefault(name, Metadata(name, known, texts[2].replace("\0", "")))
        self.metrics.append(_Metric(name, kind, labels_of(labels)))
        points, count = self.points, len(self.spans)
        points.starts += [start for start, _ in self.spans]
        points.stops += [stop for _, stop in self.spans]
        points.metrics += [len(self.metrics) - 1] * count
        points.positions += range(self.out.points, self.out.points + count)
        self.out.points += count
        check_items(len(points.starts))

    def _find(self, data: Field) -> bool:
        """Note the spans of a metric's points, and whether it only grows; False for delta temporality."""
        self.spans: list[tuple[int, int]] = []
        self.is_counter, temporality = False, 0
        body, at, end = self.body, data.start, data.stop
        while at < end:
            size = body[at + 1] if at + 1 < end else 0x80
            if body[at] == 0x0A and size < 0x80:
                self.spans.append((at + 2, at + 2 + size))
                at += 2 + size
                if at > end:
                    raise DecodeError(PROTOCOL, f"byte {end}", "cut off")
                continue
            one = next(fields(PROTOCOL, body, at, end))
            at = one.stop
            if one.number == 1 and one.wire == BYTES:
                self.spans.append((one.start, one.stop))
            elif one.number == 2 and one.wire == VARINT:
                temporality = one.value
            elif one.number == 3 and one.wire == VARINT:
                self.is_counter = bool(one.value)
        return temporality != DELTA

    def _read_points(self) -> _Read:
        octets = np.frombuffer(self.body + bytes(2 * _LONG), dtype=np.uint8)
        starts, stops = (np.array(each, dtype=np.int64) for each in (self.points.starts, self.points.stops))
        heads = _heads(octets, starts, stops)
        plain = np.flatnonzero(heads)
        at = (starts + heads)[plain]
        ts_ms = (_gathered(octets, at - 17, "<u8") // np.uint64(1_000_000)).astype(np.int64)
        raw = _gathered(octets, at - 8, "<f8")
        values = np.where(octets[at - 9] == _INT, raw.view(np.int64).astype(np.float64), raw)
        keys = [self._key(index, tail_at) for index, tail_at in zip(plain.tolist(), at.tolist(), strict=True)]
        is_good = np.fromiter((key is not None for key in keys), np.bool_, len(keys)) & (ts_ms <= FURTHEST_MS)
        others = np.setdiff1d(np.arange(len(starts)), plain[is_good], assume_unique=True)
        for index in others.tolist():
            self._read_slowly(index)
        chosen = np.flatnonzero(is_good).tolist()
        return _Read(plain[is_good], [keys[place] or b"" for place in chosen], ts_ms[is_good], values[is_good])

    def _key(self, index: int, tail_at: int) -> bytes | None:
        tail = self.body[tail_at : self.points.stops[index]]
        metric = self.metrics[self.points.metrics[index]]
        return _series_key(metric.name, metric.resource, tail)

    def _read_slowly(self, index: int) -> None:
        """A point with flags, exemplars, fields in another order, or without a value."""
        points, metric = self.points, self.metrics[self.points.metrics[index]]
        message = Field(1, BYTES, points.starts[index], points.stops[index], 0)
        after, self.out.points = self.out.points, points.positions[index]
        point = self.tree.message(message, "Number", 5)
        read_point(point, metric.kind, metric.name, resource=dict(metric.resource), out=self.out)
        self.out.points = after

    def _tell_targets(self, read: _Read) -> None:
        """Tell of each resource beside its newest sample."""
        slow_points = np.array(self.out.positions, dtype=np.int64)
        slow_ts = list(self.out.ts_ms)
        positions = self.points.positions
        for target in self.targets:
            newest = []
            first, last = np.searchsorted(read.chosen, target.points)
            if last > first:
                newest.append(int(read.ts_ms[first:last].max()))
            newest += slow_ts[target.slow[0] : target.slow[1]]
            if target.points[1] > target.points[0]:
                low, high = positions[target.points[0]], positions[target.points[1] - 1]
                within = np.flatnonzero((slow_points >= low) & (slow_points <= high)).tolist()
                newest += [slow_ts[place] for place in within]
            if newest:
                self.out.points = target.end
                tell_target(target.attributes, target.labels, max(newest), self.out)


def _heads(octets: NDArray[np.uint8], starts: Int64s, stops: Int64s) -> Int64s:
    """How long the head of each point is; 0 where it is none that is known."""
    heads = np.zeros(len(starts), dtype=np.int64)
    for length, time_at in ((_LONG, 9), (_SHORT, 0)):
        value = octets[starts + time_at + 9]
        is_so = (
            (octets[starts + time_at] == _TIME) & ((value == _DOUBLE) | (value == _INT)) & (stops - starts >= length)
        )
        if time_at:
            is_so &= octets[starts] == _START
        heads[is_so] = length
    return heads


def _gathered(octets: NDArray[np.uint8], at: Int64s, kind: str) -> NDArray[np.float64]:
    """The eight bytes at each place, as numbers."""
    cells: NDArray[np.float64] = np.ascontiguousarray(octets[at[:, None] + _EIGHT]).view(kind).reshape(-1)
    return cells


def _series_key(name: str, resource: Labels, tail: bytes) -> bytes | None:
    is_short = len(tail) + len(name) + sum(len(value) for _, value in resource) <= _LONGEST_KEPT
    return (_kept_key if is_short else _kept_key.__wrapped__)(name, resource, tail)


@lru_cache(maxsize=_KEPT)
def _kept_key(name: str, resource: Labels, tail: bytes) -> bytes | None:
    """The key of the series with these attributes; None when there is more than attributes."""
    reader = TreeReader(tail)
    pairs = []
    try:
        for one in fields(PROTOCOL, tail, 0, len(tail)):
            if one.number != _ATTRIBUTE or one.wire != BYTES:
                return None
            pairs.append(reader.message(one, "KeyValue", 6))
    except DecodeError:  # the slow way says where
        return None
    labels = {**attribute_labels(attributes_of(pairs)), **dict(resource), METRIC: name}
    return encode_labels(labels_of(labels))


def _of(batch: Batch) -> NDArray[np.int32]:
    positions: NDArray[np.int32] = np.empty(0, dtype=np.int32) if batch.positions is None else batch.positions
    return positions
