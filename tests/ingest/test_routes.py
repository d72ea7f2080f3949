"""What senders are told: each status of each ingest route, and what is durable behind it."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime

import pytest
import zstandard
from flask.testing import FlaskClient
from sqlalchemy import text

from app.clock import now_ms
from app.domain.labels import Matcher, MatchOp
from app.domain.tenancy import Scope, TenantId
from app.tsdb import tenants
from app.tsdb.reader import Reader
from ingest import bodies, limits, shards, stream
from models.session import platform_session, tenant_connection
from models.tenants import TenantRow
from tests.factories.browser import token_for
from tests.factories.cast import Cast
from tests.factories.prompb import message, snappy, write_request, write_request_2
from workers.drain import Drain

UP = {"__name__": "up", "device": "core-1"}
V1 = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
V2 = {**V1, "Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request"}
JSON = {"Content-Type": "application/json"}
WRITTEN = "X-Prometheus-Remote-Write-{}-Written"


def body_of(*, metric: str = "up", ts_ms: int | None = None, value: object = 1) -> bytes:
    sample = {"metric": metric, "labels": {"device": "core-1"}, "ts": ts_ms or now_ms(), "value": value}
    return json.dumps({"samples": [sample]}).encode()


def stored(tenant: TenantId, metric: str = "up") -> list[float]:
    drain = Drain()
    for shard in range(shards.DEFAULT):
        drain.take(shard)
    while drain.do_once():
        pass
    drain.release()
    matcher = Matcher("__name__", MatchOp.EQUAL, metric)
    blocks = Reader(tenant).select([matcher], start_ms=0, end_ms=2**42)
    return [value for block in blocks for value in block.values[:, 0].tolist()]


def test_samples_are_accepted_and_stored(client: FlaskClient, sender: dict[str, str], cast: Cast) -> None:
    answer = client.post("/api/v1/ingest", data=body_of(), headers=JSON | sender)
    assert (answer.status_code, answer.json) == (202, {"accepted": 1, "rejected": 0, "errors": []})
    assert answer.headers["X-Request-Id"]
    assert stored(cast.acme) == [1.0]


def test_charlie_of_globex_writes_and_reads_his_own(client: FlaskClient, cast: Cast) -> None:
    client.post("/api/v1/ingest", data=body_of(value=7), headers=JSON | token_for(cast.charlie, Scope.INGEST))
    assert stored(cast.globex) == [7.0]
    assert stored(cast.acme) == []


@pytest.mark.parametrize(
    ("encoding", "compress"), [("gzip", gzip.compress), ("zstd", zstandard.ZstdCompressor().compress)]
)
def test_compressed_json(client: FlaskClient, sender: dict[str, str], encoding: str, compress) -> None:
    headers = JSON | sender | {"Content-Encoding": encoding}
    assert client.post("/api/v1/ingest", data=compress(body_of()), headers=headers).json["accepted"] == 1


def test_good_samples_are_kept_and_bad_ones_told(client: FlaskClient, sender: dict[str, str], cast: Cast) -> None:
    now = now_ms()
    rows = [
        {"metric": "up", "labels": {"device": "core-1"}, "ts": now, "value": 1},
        {"metric": "up", "labels": {"device": "core-1"}, "ts": "2001-01-01T00:00:00Z", "value": 2},
        {"metric": "up", "labels": {"device": "core-1"}, "ts": now + 3_600_000, "value": 3},
        {"metric": "", "labels": {"device": "core-1"}, "ts": now, "value": 4},
        {"metric": "up", "labels": {"device": "a\0b"}, "ts": now, "value": 5},
        {"metric": "up", "labels": {"device": "core-1"}, "ts": now, "value": "six"},
    ]
    answer = client.post("/api/v1/ingest", json={"samples": rows}, headers=sender)
    assert (answer.status_code, answer.json["accepted"], answer.json["rejected"]) == (202, 1, 5)
    assert {error["index"]: error["reason"] for error in answer.json["errors"]} == {
        1: "older than the tenant accepts",
        2: "further in the future than the tenant accepts",
        3: "no metric name",
        4: "a NUL character in a label",
        5: "value is not a number",
    }
    assert stored(cast.acme) == [1.0]
    with tenant_connection(cast.acme) as connection:
        assert connection.scalar(text("select sum(count) from rejected_samples")) == 5
    with tenant_connection(cast.globex) as connection:
        assert connection.scalar(text("select count(*) from rejected_samples")) == 0


def test_not_more_than_a_hundred_errors_are_told(client: FlaskClient, sender: dict[str, str]) -> None:
    answer = client.post("/api/v1/ingest", json={"samples": [{}] * 150}, headers=sender)
    assert (answer.status_code, answer.json["rejected"], len(answer.json["errors"])) == (202, 150, 100)


def test_the_window_is_the_tenants(client: FlaskClient, sender: dict[str, str], cast: Cast) -> None:
    with platform_session() as session:
        session.get_one(TenantRow, cast.acme).accept_from = datetime(1970, 1, 1, tzinfo=UTC)
    tenants._limits.clear()
    answer = client.post("/api/v1/ingest", data=body_of(ts_ms=86_400_000), headers=JSON | sender)
    assert answer.json["accepted"] == 1
    assert stored(cast.acme) == [1.0]


def test_the_same_request_twice_is_answered_the_same(client: FlaskClient, sender: dict[str, str], cast: Cast) -> None:
    headers = JSON | sender | {"Idempotency-Key": "poll-4711"}
    first = client.post("/api/v1/ingest", data=body_of(value=1), headers=headers)
    again = client.post("/api/v1/ingest", data=body_of(value=1), headers=headers)
    assert (first.status_code, first.json) == (again.status_code, again.json)
    assert stored(cast.acme) == [1.0]
    theirs = headers | token_for(cast.charlie, Scope.INGEST)
    client.post("/api/v1/ingest", data=body_of(value=2), headers=theirs)
    assert stored(cast.globex) == [2.0]


GOOD = snappy(write_request([(UP, [(0, 1.0)])]))


@pytest.mark.parametrize(
    ("path", "data", "headers", "status"),
    [
        pytest.param("/api/v1/ingest", b"{", JSON, 400, id="JSON that is none"),
        pytest.param("/api/v1/ingest", b"{}", JSON, 400, id="neither rows nor columns"),
        pytest.param("/api/v1/ingest", b"<x/>", {"Content-Type": "text/xml"}, 415, id="XML"),
        pytest.param("/api/v1/ingest", b"{}", JSON | {"Content-Encoding": "br"}, 415, id="brotli"),
        pytest.param("/api/v1/ingest", b"{}", JSON | {"Content-Encoding": "gzip"}, 400, id="gzip that is none"),
        pytest.param("/api/v1/write", b"\xff\xff\xff", V1, 400, id="snappy that is none"),
        pytest.param("/api/v1/write", snappy(b"garbage"), V1, 400, id="protobuf that is none"),
        pytest.param("/api/v1/write", snappy(b"garbage"), V2, 400, id="protobuf 2.0 that is none"),
        pytest.param("/api/v1/write", GOOD, V1 | {"Content-Encoding": "br"}, 415, id="another compression"),
        pytest.param("/api/v1/write", GOOD, V1 | {"Content-Type": "application/json"}, 415, id="JSON to write"),
        pytest.param(
            "/api/v1/write", GOOD, V1 | {"Content-Type": "application/x-protobuf;proto=io.x.v3"}, 415, id="version 3"
        ),
        pytest.param("/api/v1/write", GOOD, V1, 400, id="a sample of 1970"),
        pytest.param("/api/v1/write", snappy(b""), V1, 204, id="nothing"),
    ],
)
def test_statuses(
    client: FlaskClient, sender: dict[str, str], path: str, data: bytes, headers: dict[str, str], status: int
) -> None:
    answer = client.post(path, data=data, headers=headers | sender)
    assert answer.status_code == status
    form = "application/problem+json" if path == "/api/v1/ingest" else "text/plain; charset=utf-8"
    assert status < 300 or answer.content_type == form


@pytest.mark.parametrize("path", ["/api/v1/ingest", "/api/v1/write", "/api/v2/write", "/write", "/v1/metrics"])
def test_who_may_send(client: FlaskClient, cast: Cast, path: str) -> None:
    assert client.post(path, data=body_of(), headers=JSON).status_code == 401
    assert client.post(path, data=body_of(), headers=JSON | {"Authorization": "Bearer wf_nobody"}).status_code == 401
    wrong = token_for(cast.alice, Scope.READ, Scope.WRITE, Scope.ADMIN)
    assert client.post(path, data=body_of(), headers=JSON | wrong).status_code == 403


def test_too_large_before_and_after_decompression(
    client: FlaskClient, sender: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "MOST_BODY_BYTES", 1_000)
    monkeypatch.setattr(bodies, "MOST_PLAIN_BYTES", 10_000)
    assert client.post("/api/v1/ingest", data=b" " * 1_001, headers=JSON | sender).status_code == 413
    bomb = gzip.compress(b" " * 10_001)
    headers = JSON | sender | {"Content-Encoding": "gzip"}
    assert client.post("/api/v1/ingest", data=bomb, headers=headers).status_code == 413
    assert client.post("/api/v1/write", data=snappy(bytes(10_001)), headers=V1 | sender).status_code == 413


@pytest.mark.parametrize("path", ["/api/v1/ingest", "/api/v1/write"])
def test_a_tenant_over_its_quota_is_told_when_to_come_back(
    client: FlaskClient, sender: dict[str, str], cast: Cast, path: str
) -> None:
    with platform_session() as session:
        session.get_one(TenantRow, cast.acme).samples_per_s = 1
    tenants._limits.clear()
    data, headers = (
        (body_of(), JSON) if path == "/api/v1/ingest" else (snappy(write_request([(UP, [(now_ms(), 1.0)])])), V1)
    )
    answers = [client.post(path, data=data, headers=headers | sender) for _ in range(limits.BURST_S + 1)]
    assert answers[0].status_code < 300
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["Retry-After"]) >= 1


@pytest.mark.parametrize("path", ["/api/v1/ingest", "/api/v1/write"])
def test_our_own_trouble_is_503_with_a_whole_number(
    client: FlaskClient, sender: dict[str, str], monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(stream, "MOST_BACKLOG_BYTES", -1)
    data, headers = (
        (body_of(), JSON) if path == "/api/v1/ingest" else (snappy(write_request([(UP, [(now_ms(), 1.0)])])), V1)
    )
    answer = client.post(path, data=data, headers=headers | sender)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) >= 1


def test_remote_write_1(client: FlaskClient, sender: dict[str, str], cast: Cast) -> None:
    request = snappy(write_request([(UP, [(now_ms(), 1.5)])]))
    answer = client.post("/api/v1/write", data=request, headers=V1 | sender)
    assert (answer.status_code, answer.data) == (204, b"")
    assert stored(cast.acme) == [1.5]


def test_remote_write_2_tells_what_was_written(client: FlaskClient, sender: dict[str, str], cast: Cast) -> None:
    now = now_ms()
    request = write_request_2([(UP, [(now - 1, 1.5), (now, 0.0)])], about="Whether it is up.")
    answer = client.post("/api/v1/write", data=snappy(request), headers=V2 | sender)
    assert answer.status_code == 204
    written = [answer.headers[WRITTEN.format(what)] for what in ("Samples", "Histograms", "Exemplars")]
    assert written == ["2", "0", "0"]
    assert stored(cast.acme) == [1.5, 0.0]
    assert Reader(cast.acme).metadata("up")[0].help == "Whether it is up."


def test_remote_write_2_with_something_refused(client: FlaskClient, sender: dict[str, str], cast: Cast) -> None:
    request = write_request_2([(UP, [(now_ms(), 1.5)]), ({"device": "core-1"}, [(now_ms(), 1.0)])])
    answer = client.post("/api/v1/write", data=snappy(request), headers=V2 | sender)
    assert (answer.status_code, answer.headers[WRITTEN.format("Samples")]) == (400, "1")
    assert "time series 1: no metric name" in answer.text
    assert stored(cast.acme) == [1.5]


def test_native_histograms_are_refused_and_the_samples_kept(
    client: FlaskClient, sender: dict[str, str], cast: Cast
) -> None:
    request = write_request_2([(UP, [(now_ms(), 1.5)])], extra=message(3, b""))
    answer = client.post("/api/v1/write", data=snappy(request), headers=V2 | sender)
    assert (answer.status_code, answer.headers[WRITTEN.format("Histograms")]) == (400, "0")
    assert stored(cast.acme) == [1.5]


@pytest.mark.parametrize("path", ["/api/v2/write?org=o&bucket=b&precision=ms", "/write?db=d&precision=ms"])
def test_influx_lines_with_telegrafs_header(client: FlaskClient, sender: dict[str, str], cast: Cast, path: str) -> None:
    token = {"Authorization": sender["Authorization"].replace("Bearer", "Token")}
    lines = gzip.compress(f"cpu,device=core-1 idle=99.5 {now_ms()}".encode())
    answer = client.post(path, data=lines, headers=token | {"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.data) == (204, b"")
    assert stored(cast.acme, "cpu_idle") == [99.5]


def test_influx_lines_that_are_refused_are_told(client: FlaskClient, sender: dict[str, str], cast: Cast) -> None:
    lines = f"cpu,device=core-1 idle=99.5 {now_ms()}\ncpu idle= {now_ms()}\ncpu idle=1 1"
    answer = client.post("/write?precision=ms", data=lines, headers=sender)
    assert answer.status_code == 400
    told = answer.json["error"].splitlines()
    assert told[0] == "partial write: 1 written, dropped=2"
    assert told[1:] == ["line 2: a field without a value", "line 3: older than the tenant accepts"]
    answer = client.post("/api/v2/write?precision=ms", data=lines, headers=sender)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid")
    assert stored(cast.acme, "cpu_idle") == [99.5]
    assert client.post("/write?precision=days", data=lines, headers=sender).status_code == 400


def otlp_body(*values: object) -> bytes:
    points = [{"timeUnixNano": str(now_ms() * 1_000_000), **({} if v is None else {"asDouble": v})} for v in values]
    metrics = [{"name": "load", "gauge": {"dataPoints": points}}]
    return json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": metrics}]}]}).encode()


def test_otlp_success_and_partial_success(client: FlaskClient, sender: dict[str, str], cast: Cast) -> None:
    answer = client.post("/v1/metrics", data=gzip.compress(otlp_body(1.5)), headers=JSON | sender | GZIP)
    assert (answer.status_code, answer.json) == (200, {})
    assert stored(cast.acme, "load") == [1.5]
    answer = client.post("/v1/metrics", data=otlp_body(2.5, None), headers=JSON | sender)
    assert answer.status_code == 200
    assert answer.json["partialSuccess"]["rejectedDataPoints"] == "1"
    answer = client.post("/v1/metrics", data=b"", headers=sender | {"Content-Type": "application/x-protobuf"})
    assert (answer.status_code, answer.data, answer.content_type) == (200, b"", "application/x-protobuf")


GZIP = {"Content-Encoding": "gzip"}


def test_otlp_failures_carry_a_status_message(
    client: FlaskClient, sender: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = client.post("/v1/metrics", data=b"{", headers=JSON | sender)
    assert (answer.status_code, answer.json["code"]) == (400, 3)
    proto = sender | {"Content-Type": "application/x-protobuf"}
    answer = client.post("/v1/metrics", data=b"\xff", headers=proto)
    assert (answer.status_code, answer.data[:2], answer.content_type) == (400, b"\x08\x03", "application/x-protobuf")
    assert client.post("/v1/metrics", data=b"x", headers=sender | {"Content-Type": "text/plain"}).status_code == 415
    monkeypatch.setattr(stream, "MOST_BACKLOG_BYTES", -1)
    answer = client.post("/v1/metrics", data=otlp_body(1.5), headers=JSON | sender)
    assert (answer.status_code, answer.json["code"], int(answer.headers["Retry-After"]) >= 1) == (503, 14, True)


def test_clients_of_influxdb_find_it_alive_without_signing_in(client: FlaskClient) -> None:
    for answer in (client.get("/ping"), client.head("/ping?wait_for_leader=1s")):
        assert (answer.status_code, answer.data) == (204, b"")
        assert answer.headers["X-Influxdb-Version"].startswith("1.8")
    assert client.post("/ping").status_code in (401, 405)
