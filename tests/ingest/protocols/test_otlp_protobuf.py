"""The fast way through OTLP's protobuf comes to the same as the tree, whatever the request is made of."""

from __future__ import annotations

import struct
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, NumberDataPoint

from app.domain.samples import STALE, Batch, is_stale
from app.errors import DecodeError
from ingest.protocols import otlp, otlp_protobuf

NOW_NS = 1_770_000_000_000_000_000
names = st.sampled_from(["load", "system.network.io", "größe", "x", ""])
texts = st.sampled_from(["a", "b.c", "b_c", "9", "", "ü"])
moments = st.sampled_from([0, 1, NOW_NS, NOW_NS + 1_500_000, 2**63, 2**64 - 1])


@st.composite
def attributes(draw: st.DrawFn) -> list[KeyValue]:
    pairs = []
    for key in draw(st.lists(texts, max_size=3)):
        pair = KeyValue(key=key)
        match draw(st.integers(0, 4)):
            case 0:
                pair.value.string_value = draw(texts)
            case 1:
                pair.value.int_value = draw(st.integers(-5, 5))
            case 2:
                pair.value.bool_value = draw(st.booleans())
            case 3:
                pair.value.double_value = draw(st.floats(allow_nan=False))
            case 4:
                pair.value.array_value.values.add().int_value = 1
        pairs.append(pair)
    return pairs


@st.composite
def numbers(draw: st.DrawFn) -> NumberDataPoint:
    point = NumberDataPoint(time_unix_nano=draw(moments), attributes=draw(attributes()))
    if draw(st.booleans()):
        point.start_time_unix_nano = NOW_NS - 1
    match draw(st.integers(0, 4)):
        case 0 | 1:
            point.as_double = draw(st.floats())
        case 2 | 3:
            point.as_int = draw(st.integers(-(2**63), 2**63 - 1))
    if draw(st.integers(0, 5)) == 0:
        point.flags = 1
    if draw(st.integers(0, 5)) == 0:
        point.exemplars.add().as_double = 1.5
    return point


@st.composite
def metrics(draw: st.DrawFn) -> Metric:
    metric = Metric(name=draw(names), unit=draw(st.sampled_from(["", "s", "By", "1"])), description="About it")
    match draw(st.integers(0, 4)):
        case 0 | 1:
            metric.gauge.data_points.extend(draw(st.lists(numbers(), max_size=4)))
        case 2 | 3:
            metric.sum.data_points.extend(draw(st.lists(numbers(), max_size=4)))
            metric.sum.is_monotonic = draw(st.booleans())
            metric.sum.aggregation_temporality = draw(st.sampled_from([0, 1, 2]))
        case 4:
            point = metric.histogram.data_points.add(time_unix_nano=NOW_NS, count=3, sum=1.5, bucket_counts=[1, 2])
            point.explicit_bounds.extend([0.5])
            metric.histogram.aggregation_temporality = 2
    return metric


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    request = ExportMetricsServiceRequest()
    for _ in range(draw(st.integers(0, 3))):
        resource = request.resource_metrics.add()
        for key in draw(st.lists(st.sampled_from(["service.name", "service.instance.id", "host.name"]), max_size=3)):
            resource.resource.attributes.add(key=key).value.string_value = draw(texts)
        resource.scope_metrics.add().metrics.extend(draw(st.lists(metrics(), max_size=3)))
    body: bytes = request.SerializeToString()
    return body


def told(batch: Batch) -> tuple[object, ...]:
    """What a batch says, in an order of its own."""
    samples = Counter(
        (batch.keys[number], ts_ms, struct.pack("<d", value), position)
        for number, ts_ms, value, position in zip(
            batch.series.tolist(), batch.ts_ms.tolist(), batch.values.tolist(), batch.positions.tolist(), strict=True
        )
    )
    return samples, sorted((each.index, each.reason) for each in batch.rejected), set(batch.metadata)


@settings(max_examples=150, deadline=None)
@given(requests())
def test_both_ways_come_to_the_same(body: bytes) -> None:
    assert told(otlp_protobuf.decode(body)) == told(otlp.decode_protobuf(body))


@settings(max_examples=150, deadline=None)
@given(requests(), st.integers(0, 400), st.binary(max_size=3), st.integers(0, 3))
def test_also_of_what_is_broken(body: bytes, at: int, piece: bytes, gone: int) -> None:
    broken = body[:at] + piece + body[at + gone :]

    def outcome(decode: object) -> object:
        try:
            return told(decode(broken))
        except DecodeError:
            return "refused"

    assert outcome(otlp_protobuf.decode) == outcome(otlp.decode_protobuf)


def test_an_ended_series_is_marked_stale() -> None:
    request = ExportMetricsServiceRequest()
    gauge = request.resource_metrics.add().scope_metrics.add().metrics.add(name="load").gauge
    gauge.data_points.add(time_unix_nano=NOW_NS, as_double=1.0)
    gauge.data_points.add(time_unix_nano=NOW_NS + 1_000_000, flags=1)
    batch = otlp_protobuf.decode(request.SerializeToString())
    assert batch.values[0] == 1.0 and is_stale(batch.values).tolist() == [False, True]
    assert struct.pack("<d", batch.values[1]) == struct.pack("<d", STALE)
