"""OpenTelemetry metrics (OTLP/HTTP), protobuf or JSON, to Prometheus's series.

Both forms become the same tree of dictionaries, keyed as the JSON form is, and one walk reads it.
Source: opentelemetry-proto metrics.proto; the specification "Prometheus and OpenMetrics compatibility" for names.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import numpy as np

from app.domain.labels import METRIC, encode_labels, labels_of
from app.domain.samples import STALE, Batch, Metadata, Rejection
from app.errors import DecodeError, TooLarge
from ingest.protocols.bounds import NOT_JSON, bounded, check_json, check_samples
from ingest.protocols.otlp_names import TARGET_INFO, attribute_labels, instance_labels, metric_name, target_labels
from ingest.protocols.protobuf import BYTES, FIXED64, VARINT, Field, fields, signed
from ingest.protocols.times import FURTHEST_MS

PROTOCOL: Final = "otlp"
DELTA: Final = (1, "1", "AGGREGATION_TEMPORALITY_DELTA")
NO_VALUE: Final = 1  # the flag of a point that marks the end of its series
OUT_OF_RANGE: Final = "the time is out of range"
MOST_DEPTH: Final = 12
# Messages of one request: one may be two bytes short and cost a hundred here.
MOST_MESSAGES: Final = 2_000_000

Tree = dict[str, Any]

# message -> field number -> (JSON name, kind, repeated). A kind that is a message is read on.
_POINT: Final = {2: ("startTimeUnixNano", "fixed", False), 3: ("timeUnixNano", "fixed", False)}
SCHEMA: Final[Mapping[str, Mapping[int, tuple[str, str, bool]]]] = {
    "Request": {1: ("resourceMetrics", "ResourceMetrics", True)},
    "ResourceMetrics": {1: ("resource", "Resource", False), 2: ("scopeMetrics", "ScopeMetrics", True)},
    "Resource": {1: ("attributes", "KeyValue", True)},
    "ScopeMetrics": {2: ("metrics", "Metric", True)},
    "Metric": {
        1: ("name", "text", False),
        2: ("description", "text", False),
        3: ("unit", "text", False),
        5: ("gauge", "Numbers", False),
        7: ("sum", "Numbers", False),
        9: ("histogram", "Histogram", False),
        10: ("exponentialHistogram", "Unread", False),
        11: ("summary", "Summary", False),
    },
    "Numbers": {
        1: ("dataPoints", "Number", True),
        2: ("aggregationTemporality", "int", False),
        3: ("isMonotonic", "int", False),
    },
    "Histogram": {1: ("dataPoints", "HistogramPoint", True), 2: ("aggregationTemporality", "int", False)},
    "Summary": {1: ("dataPoints", "SummaryPoint", True)},
    "Unread": {1: ("dataPoints", "Nothing", True)},
    "Nothing": {},
    "Number": {
        **_POINT,
        4: ("asDouble", "double", False),
        6: ("asInt", "sfixed", False),
        7: ("attributes", "KeyValue", True),
        8: ("flags", "int", False),
    },
    "HistogramPoint": {
        **_POINT,
        4: ("count", "fixed", False),
        5: ("sum", "double", False),
        6: ("bucketCounts", "fixed", True),
        7: ("explicitBounds", "double", True),
        9: ("attributes", "KeyValue", True),
        10: ("flags", "int", False),
    },
    "SummaryPoint": {
        **_POINT,
        4: ("count", "fixed", False),
        5: ("sum", "double", False),
        6: ("quantileValues", "Quantile", True),
        7: ("attributes", "KeyValue", True),
        8: ("flags", "int", False),
    },
    "Quantile": {1: ("quantile", "double", False), 2: ("value", "double", False)},
    "KeyValue": {1: ("key", "text", False), 2: ("value", "AnyValue", False)},
    "AnyValue": {
        1: ("stringValue", "text", False),
        2: ("boolValue", "int", False),
        3: ("intValue", "int", False),
        4: ("doubleValue", "double", False),
    },
}
_UNPACK: Final = {"fixed": "<Q", "sfixed": "<q", "double": "<d"}


@dataclass
class Columns:
    """The samples read so far."""

    numbers: dict[tuple[tuple[str, str], ...], int] = field(default_factory=dict)
    series: list[int] = field(default_factory=list)
    ts_ms: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    metadata: dict[str, Metadata] = field(default_factory=dict)
    points: int = 0

    def add(self, labels: Mapping[str, str], ts_ms: int, value: float) -> None:
        """One sample of the point at hand."""
        check_samples(len(self.values))
        self.series.append(self.numbers.setdefault(labels_of(labels), len(self.numbers)))
        self.ts_ms.append(ts_ms)
        self.values.append(value)
        self.positions.append(self.points)

    def batch(self) -> Batch:
        """All of it as columns."""
        return Batch(
            keys=bounded(encode_labels(labels) for labels in self.numbers),
            series=np.array(self.series, dtype=np.int32),
            ts_ms=np.array(self.ts_ms, dtype=np.int64),
            values=np.array(self.values, dtype=np.float64),
            positions=np.array(self.positions, dtype=np.int32),
            rejected=self.rejected,
            metadata=list(self.metadata.values()),
        )


def decode_protobuf(body: bytes) -> Batch:
    """The samples of an ExportMetricsServiceRequest; `positions` number the data points.

    Reads everything as a tree; otlp_protobuf.py has the faster way, which must come to the same.
    """
    return _batch(TreeReader(body).message(Field(1, BYTES, 0, len(body), 0), "Request", 0))


def decode_json(body: bytes) -> Batch:
    """The same for its JSON form."""
    check_json(body)
    try:
        tree = msgspec.json.decode(body)
    except NOT_JSON as error:
        raise DecodeError(PROTOCOL, "body", str(error)) from None
    return _batch(tree)


class TreeReader:
    """A protobuf body as the tree of dictionaries that its JSON form is."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.left = MOST_MESSAGES

    def message(self, message: Field, kind: str, depth: int) -> Tree:
        """One message and those in it."""
        schema = SCHEMA[kind]
        tree: Tree = {}
        self.left -= 1
        if self.left < 0:
            raise TooLarge(f"the body has more than {MOST_MESSAGES} messages")
        if depth > MOST_DEPTH:
            raise DecodeError(PROTOCOL, f"byte {message.start}", "nested too deep")
        for one in fields(PROTOCOL, self.body, message.start, message.stop):
            name, inner, is_repeated = schema.get(one.number, ("", "", False))
            if not name:
                continue
            values = list(self._values(one, inner, depth))
            if is_repeated:
                tree.setdefault(name, []).extend(values)
            elif values:
                tree[name] = values[-1]
        return tree

    def _values(self, one: Field, kind: str, depth: int) -> Iterator[Any]:
        """The values of a field; several when it is packed."""
        if kind in SCHEMA and one.wire == BYTES:
            yield self.message(one, kind, depth + 1)
        elif kind == "text" and one.wire == BYTES:
            yield self.body[one.start : one.stop].decode(errors="replace")
        elif kind == "int" and one.wire == VARINT:
            yield signed(one.value)
        elif kind in _UNPACK and one.wire in (FIXED64, BYTES):
            if (one.stop - one.start) % 8:
                raise DecodeError(PROTOCOL, f"byte {one.start}", "cut off")
            yield from (value for (value,) in struct.iter_unpack(_UNPACK[kind], self.body[one.start : one.stop]))


def _batch(tree: Any) -> Batch:
    out = Columns()
    try:
        for resource in tree.get("resourceMetrics") or ():
            attributes = attributes_of((resource.get("resource") or {}).get("attributes"))
            labels, first = instance_labels(attributes), len(out.ts_ms)
            for scope in resource.get("scopeMetrics") or ():
                for metric in scope.get("metrics") or ():
                    read_metric(metric, labels, out)
            if len(out.ts_ms) > first:
                tell_target(attributes, labels, max(out.ts_ms[first:]), out)
    except (AttributeError, TypeError, KeyError) as error:
        raise DecodeError(PROTOCOL, "body", f"not an ExportMetricsServiceRequest: {error}") from None
    return out.batch()


def tell_target(attributes: Mapping[str, str], labels: Mapping[str, str], ts_ms: int, out: Columns) -> None:
    """What else is said of a resource, as the metric `target_info` at the time of its newest sample."""
    rest = target_labels(attributes)
    if not rest or not any(labels.values()):
        return
    out.points -= 1  # the sample belongs to the last data point, as far as refusals are counted
    out.add({**rest, **labels, METRIC: TARGET_INFO}, ts_ms, 1.0)
    out.points += 1
    out.metadata.setdefault(TARGET_INFO, Metadata(TARGET_INFO, "gauge", "Attributes of the resource"))


def read_metric(metric: Tree, resource: Mapping[str, str], out: Columns) -> None:
    """The samples of one metric."""
    kind = next((kind for kind in READERS if metric.get(kind) is not None), "")
    if not kind:
        return
    data = metric[kind]
    is_counter = kind == "sum" and bool(data.get("isMonotonic"))
    name = metric_name(str(metric.get("name", "")), str(metric.get("unit", "")), kind=kind, is_counter=is_counter)
    known = "counter" if is_counter else {"histogram": "histogram", "summary": "summary"}.get(kind, "gauge")
    out.metadata.setdefault(name, Metadata(name, known, str(metric.get("description", "")).replace("\0", "")))
    is_refused = kind == "exponentialHistogram" or data.get("aggregationTemporality") in DELTA
    for point in data.get("dataPoints") or ():
        if is_refused:
            reason = "delta temporality and exponential histograms are not supported"
            out.rejected.append(Rejection(out.points, reason))
        else:
            read_point(point, kind, name, resource=resource, out=out)
        out.points += 1


def read_point(point: Tree, kind: str, name: str, *, resource: Mapping[str, str], out: Columns) -> None:
    """The samples of one data point, or why it has none."""
    try:
        attributes = attributes_of(point.get("attributes"))
        labels = {**attribute_labels(attributes), **resource}
        ts_ms = max(0, int(point.get("timeUnixNano") or 0)) // 1_000_000
        if ts_ms > FURTHEST_MS:
            raise ValueError(OUT_OF_RANGE)
        READERS[kind](point, name, labels, ts_ms, out)
    except (ValueError, OverflowError) as error:
        out.rejected.append(Rejection(out.points, str(error)))


def _read_number(point: Tree, name: str, labels: Mapping[str, str], ts_ms: int, out: Columns) -> None:
    value = point.get("asDouble", point.get("asInt"))
    if _is_end(point):
        out.add({**labels, METRIC: name}, ts_ms, STALE)
    elif value is None:
        raise ValueError("a data point without a value")
    else:
        out.add({**labels, METRIC: name}, ts_ms, float(value))


def _read_histogram(point: Tree, name: str, labels: Mapping[str, str], ts_ms: int, out: Columns) -> None:
    counts = [int(count) for count in point.get("bucketCounts") or ()]
    bounds = [float(bound) for bound in point.get("explicitBounds") or ()]
    if counts and len(counts) != len(bounds) + 1:
        raise ValueError(f"{len(counts)} buckets but {len(bounds)} bounds")
    end = STALE if _is_end(point) else None
    total = float(point.get("count") or 0)
    for bound, count in zip(bounds, np.cumsum(counts).tolist(), strict=False):
        out.add({**labels, METRIC: f"{name}_bucket", "le": _decimal(bound)}, ts_ms, end or float(count))
    out.add({**labels, METRIC: f"{name}_bucket", "le": "+Inf"}, ts_ms, end or total)
    _read_totals(point, name, labels, ts_ms, out)


def _read_summary(point: Tree, name: str, labels: Mapping[str, str], ts_ms: int, out: Columns) -> None:
    end = STALE if _is_end(point) else None
    for each in point.get("quantileValues") or ():
        quantile = _decimal(float(each.get("quantile") or 0))
        out.add({**labels, METRIC: name, "quantile": quantile}, ts_ms, end or float(each.get("value") or 0))
    _read_totals(point, name, labels, ts_ms, out)


def _read_totals(point: Tree, name: str, labels: Mapping[str, str], ts_ms: int, out: Columns) -> None:
    end = STALE if _is_end(point) else None
    out.add({**labels, METRIC: f"{name}_count"}, ts_ms, end or float(point.get("count") or 0))
    if point.get("sum") is not None:
        out.add({**labels, METRIC: f"{name}_sum"}, ts_ms, end or float(point["sum"]))


READERS: Final = {
    "gauge": _read_number,
    "sum": _read_number,
    "histogram": _read_histogram,
    "summary": _read_summary,
    "exponentialHistogram": _read_number,
}


def _decimal(number: float) -> str:
    """As Go writes it with 'f': no exponent, no zeros at the end."""
    return np.format_float_positional(number, trim="-") if np.isfinite(number) else "+Inf"


def _is_end(point: Tree) -> bool:
    return bool(int(point.get("flags") or 0) & NO_VALUE)


def attributes_of(pairs: Sequence[Tree] | None) -> dict[str, str]:
    """Attributes by their keys, values as text."""
    return {str(pair["key"]): _text(pair.get("value") or {}) for pair in pairs or () if pair.get("key")}


def _text(value: Tree) -> str:
    if "boolValue" in value:
        return "true" if value["boolValue"] else "false"
    plain = next((value[name] for name in ("stringValue", "intValue", "doubleValue") if name in value), None)
    return str(plain) if plain is not None else msgspec.json.encode(value).decode() if value else ""
