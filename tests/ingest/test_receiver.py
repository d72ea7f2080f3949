"""Remote write as its public receiver tests have it: statuses, exact counts, partial writes, exemplars, 1.0.

Source: prometheus/compliance, remotewrite/receiver: which requests, and what each must be answered with.
"""

from __future__ import annotations

import math
import struct

import pytest
from flask.testing import FlaskClient

from app.clock import now_ms
from app.domain.labels import Matcher, MatchOp
from app.domain.samples import STALE
from app.tsdb import exemplars
from tests.factories.cast import Cast
from tests.factories.prompb import message, snappy, varint, write_request, write_request_2
from tests.ingest.test_routes import V1, V2, WRITTEN

UP = {"__name__": "up", "job": "testjob", "instance": "localhost:9090"}
NAMELESS = {"job": "testjob", "instance": "localhost:9090"}
VALUES = (1.0, STALE, math.nan, math.inf, -math.inf)


def counts(answer: object) -> tuple[int, ...]:
    """The samples, histograms and exemplars that an answer says are written."""
    return tuple(int(answer.headers[WRITTEN.format(what)]) for what in ("Samples", "Histograms", "Exemplars"))


def exemplar_2(ts_ms: int, *references: int, value: float = 0.5) -> bytes:
    """An exemplar of version 2.0 for each series; references are to symbols of the request."""
    labels = b"".join(varint(reference) for reference in references)
    return message(4, message(1, labels) + b"\x11" + struct.pack("<d", value) + b"\x18" + varint(ts_ms))


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize(
    ("labels", "status"),
    [
        (UP, 204),
        (UP | {"job": "test\njob\n"}, 204),
        ({"__name__": "resource.cpu.usage", "job.name": "testjob"}, 204),
        ({"__name__": "resource cpu usage", "job name": "testjob"}, 204),
        (UP | {"environment": "test🚀"}, 204),
        (NAMELESS, 400),
        ({"__name__": ""}, 400),
        ({}, 400),
    ],
)
def test_one_sample(
    client: FlaskClient, sender: dict[str, str], labels: dict[str, str], status: int, value: float
) -> None:
    body = snappy(write_request_2([(labels, [(now_ms(), value)])]))
    answer = client.post("/api/v1/write", data=body, headers=V2 | sender)
    assert (answer.status_code, counts(answer)) == (status, (int(status == 204), 0, 0))


def test_the_good_samples_of_a_bad_request_are_written_and_counted(client: FlaskClient, sender: dict[str, str]) -> None:
    series = [(NAMELESS, [(now_ms(), 1.0)])]
    series += [(UP | {"instance": f"localhost:{port}"}, [(now_ms(), 1.0)]) for port in (9091, 9092, 9093)]
    answer = client.post("/api/v1/write", data=snappy(write_request_2(series)), headers=V2 | sender)
    assert (answer.status_code, counts(answer)) == (400, (3, 0, 0))


def test_exemplars_are_written_and_counted(client: FlaskClient, sender: dict[str, str], cast: Cast) -> None:
    now = now_ms()
    series = [({"__name__": "latency", "method": m}, [(now - 3_600_000, 0.05), (now, 0.5)]) for m in ("GET", "POST")]
    body = snappy(write_request_2(series, extra=exemplar_2(now, 1, 2)))
    for _ in range(2):
        answer = client.post("/api/v1/write", data=body, headers=V2 | sender)
        assert (answer.status_code, counts(answer)) == (204, (4, 0, 2))
    get = [Matcher("method", MatchOp.EQUAL, "GET")]
    (found,) = exemplars.select(cast.acme, get, start_ms=now, end_ms=now)
    assert (dict(found.series), found.ts_ms, found.value) == ({"__name__": "latency", "method": "GET"}, now, 0.5)
    assert found.labels == (("__name__", "latency"),)
    assert exemplars.select(cast.globex, [], start_ms=0, end_ms=2 * now) == []
    assert exemplars.trim(cast.acme) == 0


def test_exemplars_without_samples_and_without_labels(client: FlaskClient, sender: dict[str, str]) -> None:
    body = snappy(write_request_2([({"__name__": "orphan"}, [])], extra=exemplar_2(now_ms(), value=math.nan)))
    answer = client.post("/api/v1/write", data=body, headers=V2 | sender)
    assert (answer.status_code, counts(answer)) == (204, (0, 0, 1))


def test_exemplars_that_cannot_be_kept_are_told(client: FlaskClient, sender: dict[str, str]) -> None:
    old = snappy(write_request_2([(UP, [(now_ms(), 1.0)])], extra=exemplar_2(7, 1, 2)))
    answer = client.post("/api/v1/write", data=old, headers=V2 | sender)
    assert (answer.status_code, counts(answer)) == (400, (1, 0, 0))
    assert "time series 0: exemplar: older than the tenant accepts" in answer.text
    nameless = snappy(write_request_2([(NAMELESS, [(now_ms(), 1.0)])], extra=exemplar_2(now_ms(), 1, 2)))
    answer = client.post("/api/v1/write", data=nameless, headers=V2 | sender)
    assert (answer.status_code, counts(answer)) == (400, (0, 0, 0))


def test_exemplars_of_version_1(client: FlaskClient, sender: dict[str, str], cast: Cast) -> None:
    now = now_ms()
    label = message(1, message(1, b"trace_id") + message(2, "测试".encode()))
    extra = message(3, label + b"\x11" + struct.pack("<d", 0.25) + b"\x18" + varint(now))
    answer = client.post(
        "/api/v1/write", data=snappy(write_request([(UP, [(now, 1.0)])], extra=extra)), headers=V1 | sender
    )
    assert answer.status_code == 204
    (found,) = exemplars.select(cast.acme, [], start_ms=0, end_ms=2 * now)
    assert (found.labels, found.value) == ((("trace_id", "测试"),), 0.25)


def test_native_histograms_are_refused_by_name(client: FlaskClient, sender: dict[str, str]) -> None:
    body = snappy(write_request_2([(UP, [])], extra=message(3, b"\x79" + bytes(8))))
    answer = client.post("/api/v1/write", data=body, headers=V2 | sender)
    assert (answer.status_code, counts(answer)) == (400, (0, 0, 0))
    assert "native histograms: not supported" in answer.text


@pytest.mark.parametrize("header", [{"Content-Type": kind} for kind in ("application/json", "image/png")])
def test_content_types_that_are_none(client: FlaskClient, sender: dict[str, str], header: dict[str, str]) -> None:
    assert client.post("/api/v1/write", data=b"0", headers=V2 | header | sender).status_code == 415


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_content_encodings_that_are_none(client: FlaskClient, sender: dict[str, str], encoding: str) -> None:
    headers = V2 | {"Content-Encoding": encoding} | sender
    assert client.post("/api/v1/write", data=b"0", headers=headers).status_code == 415


@pytest.mark.parametrize("headers", [V1, V2])
def test_a_corrupt_body(client: FlaskClient, sender: dict[str, str], headers: dict[str, str]) -> None:
    for first in (b"0", b"\xff"):
        body = first + snappy(write_request_2([(UP, [(now_ms(), 1.0)])]))[1:]
        assert client.post("/api/v1/write", data=body, headers=headers | sender).status_code == 400


def test_version_1_without_a_version_header(client: FlaskClient, sender: dict[str, str]) -> None:
    series = [(UP, [(now_ms(), 1.0)]), ({"__name__": "http_requests_total"}, [(now_ms(), 100.0)])]
    headers = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"} | sender
    assert client.post("/api/v1/write", data=snappy(write_request(series)), headers=headers).status_code == 204
