"""The edge agent: what it reads of this machine, and that nothing is lost while the server is away."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest
from redis import Redis

from app.clock import now_ms
from app.domain.tenancy import Scope
from ingest.agent import host
from ingest.agent.forward import Forwarder, NotTaken
from ingest.agent.host import Agent, Reading, columns, machine, main
from ingest.agent.spool import Spool
from tests.factories.browser import make_server, token_for
from tests.factories.cast import Cast
from tests.fakes.http_receiver import Receiver, http_receiver

LABELS = {"device": "this-one", "job": "agent", "site": "lab", "role": "server"}


@pytest.fixture
def server() -> Iterator[Receiver]:
    with http_receiver() as receiver:
        receiver.answers = [(202, {})]
        receiver.body = lambda send: send(b'{"accepted": 1, "rejected": 0, "errors": []}')
        yield receiver


def agent_to(server: Receiver, folder: Path) -> Agent:
    forwarder = Forwarder(f"http://127.0.0.1:{server.port}", "token", sleep=lambda _: None)
    return Agent(forwarder, Spool(folder, most_bytes=1 << 20), labels=LABELS)


def test_it_reads_the_metrics_of_the_contract():
    read = {(metric, *labels.items()): value for metric, labels, value in machine()}
    names = {key[0] for key in read}
    assert names >= {
        "agent_up", "cpu_utilisation_ratio", "memory_used_bytes", "memory_size_bytes", "storage_used_bytes",
        "storage_size_bytes",
    }  # fmt: skip
    assert 0 <= read["cpu_utilisation_ratio", ("cpu", "all")] <= 1
    assert 0 < read["memory_used_bytes", ("pool", "physical")] < read["memory_size_bytes", ("pool", "physical")]
    assert 0 < read["storage_used_bytes", ("storage", "/")] <= read["storage_size_bytes", ("storage", "/")]


def test_readings_become_columns_by_series():
    readings = [
        Reading(1000, [("a", {"x": "1"}, 1.0), ("b", {}, 5.0)]),
        Reading(2000, [("a", {"x": "1"}, 2.0)]),
    ]
    assert columns(readings, {"device": "d"}) == [
        {"metric": "a", "labels": {"device": "d", "x": "1"}, "ts": [1000, 2000], "values": [1.0, 2.0]},
        {"metric": "b", "labels": {"device": "d"}, "ts": [1000], "values": [5.0]},
    ]


def test_what_was_read_while_the_server_was_away_arrives_later_and_once(server: Receiver, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(host, "TRY_S", 0.0)
    server.answers = [(503, {}), (202, {})]
    agent = agent_to(server, tmp_path)
    for at_ms in (1000, 2000, 3000):
        agent.read_once(at_ms)
    with pytest.raises(NotTaken):
        agent.send_once()
    restarted = agent_to(server, tmp_path)
    assert restarted.send_once() == 3
    assert restarted.send_once() == 0
    body = json.loads(gzip.decompress(server.requests[-1].body))
    up = next(series for series in body["series"] if series["metric"] == "agent_up")
    assert up == {"metric": "agent_up", "labels": LABELS, "ts": [1000, 2000, 3000], "values": [1.0, 1.0, 1.0]}
    # The same readings make the same request, so that one whose answer got lost counts once.
    assert len({request.headers["idempotency-key"] for request in server.requests}) == 1


def test_the_process_reads_and_sends_until_it_is_told_to_stop(server: Receiver, tmp_path: Path):
    stopping = Event()
    options = {"device": "d", "site": "", "folder": tmp_path, "interval_s": 0.05, "stopping": stopping}
    process = Thread(target=main, args=(f"http://127.0.0.1:{server.port}", "token"), kwargs=options)
    process.start()
    server.wait_for(2)
    stopping.set()
    process.join(timeout=10)
    assert not process.is_alive()


def test_the_ingest_route_takes_what_it_sends(cast: Cast, valkey: Redis):
    reading = Reading(now_ms(), [(metric, dict(labels), float(value)) for metric, labels, value in machine()])
    answer = (
        make_server()
        .test_client()
        .post(
            "/api/v1/ingest",
            data=gzip.compress(json.dumps({"series": columns([reading], LABELS)}).encode()),
            headers={"Content-Type": "application/json", "Content-Encoding": "gzip"}
            | token_for(cast.alice, Scope.INGEST),
        )
    )
    assert answer.status_code == 202
    assert answer.json == {"accepted": len(reading.samples), "rejected": 0, "errors": []}
