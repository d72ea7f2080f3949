"""OpenTelemetry metrics, as protobuf and as JSON: the same series, named as Prometheus names them."""

from __future__ import annotations

import contextlib
import doctest
import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.labels import decode_labels
from app.domain.samples import Batch, Metadata, is_stale
from app.errors import DecodeError
from ingest.protocols import otlp_answers, otlp_names
from ingest.protocols.otlp import SCHEMA, decode_json, decode_protobuf
from tests.factories.prompb import message, varint

NS = 1_770_000_000_000_000_000
HOST = [{"key": "host", "value": {"stringValue": "a"}}, {"key": "cpu.core", "value": {"intValue": "3"}}]
SERVICE = [
    {"key": "service.name", "value": {"stringValue": "api"}},
    {"key": "service.namespace", "value": {"stringValue": "shop"}},
    {"key": "service.instance.id", "value": {"stringValue": "i-1"}},
]


def request_of(*metrics: dict) -> dict:
    scopes = [{"scope": {"name": "x"}, "metrics": list(metrics)}]
    return {"resourceMetrics": [{"resource": {"attributes": SERVICE}, "scopeMetrics": scopes}], "unknown": 1}


def to_protobuf(tree: dict, kind: str = "Request") -> bytes:
    """The protobuf form of a JSON tree, by the published field numbers."""
    out = b""
    for number, (name, inner, _) in SCHEMA[kind].items():
        if name not in tree:
            continue
        for value in tree[name] if isinstance(tree[name], list) else [tree[name]]:
            if inner in SCHEMA:
                out += message(number, to_protobuf(value, inner))
            elif inner == "text":
                out += message(number, value.encode())
            elif inner == "int":
                out += varint(number << 3) + varint(int(value))
            else:
                form = {"fixed": "<Q", "sfixed": "<q", "double": "<d"}[inner]
                out += varint(number << 3 | 1) + struct.pack(form, float(value) if inner == "double" else int(value))
    return out


def listed(batch: Batch) -> dict[tuple[tuple[str, str], ...], float]:
    keys = [decode_labels(key) for key in batch.keys]
    return {keys[number]: value for number, value in zip(batch.series.tolist(), batch.values.tolist(), strict=True)}


def both(tree: dict) -> Batch:
    """The batch of both forms, which must be the same."""
    first, second = decode_json(json.dumps(tree).encode()), decode_protobuf(to_protobuf(tree))
    assert first.keys == second.keys
    assert first.ts_ms.tolist() == second.ts_ms.tolist()
    assert np.array_equal(first.values.view(np.uint64), second.values.view(np.uint64))
    assert list(first.rejected) == list(second.rejected)
    return first


def test_a_gauge_and_a_counter() -> None:
    gauge = {
        "name": "system.cpu.utilization",
        "unit": "1",
        "description": "Busy.",
        "gauge": {"dataPoints": [{"attributes": HOST, "timeUnixNano": str(NS + 999_999), "asDouble": 0.5}]},
    }
    counter = {
        "name": "system.network.io",
        "unit": "By",
        "sum": {
            "aggregationTemporality": 2,
            "isMonotonic": True,
            "dataPoints": [{"timeUnixNano": str(NS), "asInt": "7"}],
        },
    }
    batch = both(request_of(gauge, counter))
    target = (("instance", "i-1"), ("job", "shop/api"))
    assert listed(batch) == {
        (("__name__", "system_cpu_utilization_ratio"), ("cpu_core", "3"), ("host", "a"), *target): 0.5,
        (("__name__", "system_network_io_bytes_total"), *target): 7.0,
    }
    assert set(batch.ts_ms.tolist()) == {NS // 1_000_000}
    assert batch.metadata[0] == Metadata("system_cpu_utilization_ratio", "gauge", "Busy.")
    assert batch.metadata[1].kind == "counter"


def test_a_histogram_becomes_cumulative_buckets() -> None:
    point = {
        "timeUnixNano": str(NS),
        "count": "6",
        "sum": 9.5,
        "bucketCounts": ["1", "2", "3"],
        "explicitBounds": [0.005, 1000000.0],
    }
    metric = {"name": "latency", "unit": "s", "histogram": {"aggregationTemporality": 2, "dataPoints": [point]}}
    found = {
        (dict(labels)["__name__"], dict(labels).get("le", "")): value
        for labels, value in listed(both(request_of(metric))).items()
    }
    assert found == {
        ("latency_seconds_bucket", "0.005"): 1.0,
        ("latency_seconds_bucket", "1000000"): 3.0,
        ("latency_seconds_bucket", "+Inf"): 6.0,
        ("latency_seconds_count", ""): 6.0,
        ("latency_seconds_sum", ""): 9.5,
    }


def test_a_summary_and_the_end_of_a_series() -> None:
    point = {"timeUnixNano": str(NS), "count": "2", "sum": 3.0, "quantileValues": [{"quantile": 0.5, "value": 1.5}]}
    summary = {"name": "size", "summary": {"dataPoints": [point]}}
    ended = {"name": "up", "gauge": {"dataPoints": [{"timeUnixNano": str(NS), "flags": 1}]}}
    batch = both(request_of(summary, ended))
    names = [dict(decode_labels(key))["__name__"] for key in batch.keys]
    assert names == ["size", "size_count", "size_sum", "up"]
    assert is_stale(batch.values).tolist() == [False, False, False, True]


@pytest.mark.parametrize(
    ("metric", "reason"),
    [
        pytest.param(
            {"name": "d", "sum": {"aggregationTemporality": 1, "dataPoints": [{"asInt": "1"}]}}, "delta", id="delta"
        ),
        pytest.param({"name": "e", "exponentialHistogram": {"dataPoints": [{}]}}, "exponential", id="exponential"),
        pytest.param({"name": "n", "gauge": {"dataPoints": [{"timeUnixNano": "1"}]}}, "without a value", id="no value"),
        pytest.param(
            {"name": "b", "histogram": {"dataPoints": [{"bucketCounts": ["1"], "explicitBounds": [1.0]}]}},
            "buckets",
            id="bounds",
        ),
    ],
)
def test_what_is_not_supported_is_told_by_its_point(metric: dict, reason: str) -> None:
    good = {"name": "up", "gauge": {"dataPoints": [{"timeUnixNano": str(NS), "asDouble": 1.0}]}}
    batch = both(request_of(good, metric, good))
    assert len(batch) == 2
    assert [rejection.index for rejection in batch.rejected] == [1]
    assert reason in batch.rejected[0].reason


def test_names() -> None:
    assert doctest.testmod(otlp_names).failed == 0
    assert otlp_names.metric_name("2xx.rate", "{request}/s", kind="gauge", is_counter=False) == "_2xx_rate_per_second"


def test_answers_in_both_forms() -> None:
    assert json.loads(otlp_answers.answer(2, "why", is_json=True)) == {
        "partialSuccess": {"rejectedDataPoints": "2", "errorMessage": "why"}
    }
    assert otlp_answers.answer(2, "why", is_json=False) == message(1, b"\x08\x02" + message(2, b"why"))
    assert otlp_answers.answer(0, "", is_json=False) == b""
    assert otlp_answers.status(503, "away", is_json=False) == b"\x08\x0e" + message(2, b"away")


trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(sorted({n for m in SCHEMA.values() for n, _, _ in m.values()})), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(st.binary(max_size=80), trees)
def test_garbage_raises_nothing_but_decode_error(body: bytes, tree: object) -> None:
    for decode, content in ((decode_protobuf, body), (decode_json, body), (decode_json, json.dumps(tree).encode())):
        with contextlib.suppress(DecodeError):
            decode(content)
    wrapped = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"gauge": {"dataPoints": [tree]}}]}]}]}
    with contextlib.suppress(DecodeError):
        decode_json(json.dumps(wrapped).encode())
