"""The history: the series that polling goes on with, in chunks that follow from the beginning alone."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
import zstandard
from redis import Redis

from app.demo import history
from app.demo.columns import device_columns
from app.demo.history import FINE_MS, FINE_STEP_MS, LIVE_STEP_MS, STEP_MS, Progress, chunk_body, history_times, plan
from app.demo.incidents import DAY_MS, Kind
from app.demo.journal import Beginning
from app.demo.mib import moving_values
from app.demo.network import build_network
from app.demo.readings import Readings
from app.demo.simulator import Simulation
from app.demo.timeline import Timeline
from app.demo.traffic import HISTORY_DAYS
from app.domain.tenancy import Scope
from tests.factories.browser import make_server, token_for
from tests.factories.cast import Cast
from tests.fakes.http_receiver import http_receiver

NETWORK = build_network()
EPOCH_MS = 1_795_545_000_000
UNTIL_MS = EPOCH_MS + 40_000


@pytest.fixture(scope="module")
def readings() -> Readings:
    return history.past_readings(NETWORK, EPOCH_MS)


def column(columns, metric: str, **labels: str):
    return next(c for c in columns if c["metric"] == metric and labels.items() <= c["labels"].items())


def test_steps_are_five_minutes_then_one_then_a_poll_and_shrink_gently():
    times = history_times(EPOCH_MS, until_ms=UNTIL_MS)
    steps = np.diff(times)
    assert times[0] == (EPOCH_MS // DAY_MS - HISTORY_DAYS) * DAY_MS + STEP_MS
    assert UNTIL_MS - LIVE_STEP_MS < times[-1] <= UNTIL_MS
    assert (steps[times[:-1] < EPOCH_MS - 2 * FINE_MS] == STEP_MS).all()
    assert (steps[times[:-1] >= EPOCH_MS - FINE_MS] <= FINE_STEP_MS).all()
    assert steps.min() == steps[-1] == LIVE_STEP_MS
    assert (steps[1:] >= 0.75 * steps[:-1]).all()


def test_every_device_has_every_time_in_exactly_one_chunk():
    chunks = plan(NETWORK, EPOCH_MS, until_ms=UNTIL_MS)
    assert [chunk.number for chunk in chunks] == list(range(len(chunks)))
    for device in (NETWORK.devices[0], NETWORK.devices[-1]):
        of_device = [chunk.ts_ms for chunk in chunks if device in chunk.devices]
        together = np.concatenate(of_device)
        assert len(set(together.tolist())) == len(together)
        assert set(together.tolist()) == set(history_times(EPOCH_MS, until_ms=UNTIL_MS).tolist())
    assert chunks[0].ts_ms[-1] > chunks[-1].ts_ms[-1]
    assert all(len({device.tenant for device in chunk.devices}) == 1 for chunk in chunks)


def test_history_says_what_the_simulator_would_have_said(readings: Readings, tmp_path: Path):
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "beginning.json").write_bytes(msgspec.json.encode(Beginning(NETWORK.seed, EPOCH_MS)))
    live = Readings(Simulation(tmp_path, EPOCH_MS).timeline)
    for name in ("fra1-core-01", "fra1-acc-07", "dub1-agg-01"):
        device = NETWORK.by_name[name]
        columns = device_columns(readings, device, np.array([EPOCH_MS]))
        now = moving_values(live, device, EPOCH_MS)
        wide = "in_octets_32" if device.hardware.counter_bits == 32 else "in_octets"
        for row, port in enumerate(device.ports):
            if port.is_wired:
                told = column(columns, "ifHCInOctets", ifName=port.name)["values"][0]
                assert told == pytest.approx(now[wide][row], abs=1024)
                assert column(columns, "ifOperStatus", ifName=port.name)["values"] == [now["oper_status"][row]]
        assert column(columns, "cpu_utilisation_ratio", cpu="1")["values"] == [now["cpu"][0] / 100]
        assert column(columns, "device_uptime_seconds")["values"] == [now["uptime"][0] / 100]
        assert column(columns, "sensor_value", kind="celsius")["values"] == [now["temperature"][0] * 10.0**-1]


def test_a_device_that_was_away_says_only_that(readings: Readings):
    away = next(i for i in readings.timeline.incidents if i.kind is Kind.DEVICE_DOWN)
    device = NETWORK.by_name[away.target]
    columns = device_columns(readings, device, np.array([away.start_ms - 1000, away.start_ms + 1000, away.end_ms]))
    assert column(columns, "snmp_up")["values"] == [1, 0, 1]
    assert len(column(columns, "ifHCInOctets")["values"]) == 2
    assert column(columns, "device_uptime_seconds")["values"][1] == 0


def test_labels_are_those_of_the_poller(readings: Readings):
    device = NETWORK.by_name["fra1-agg-01"]
    columns = device_columns(readings, device, np.array([EPOCH_MS]))
    base = {"device": "fra1-agg-01", "site": "fra1", "role": "aggregation"}
    assert all(base.items() <= c["labels"].items() for c in columns)
    assert column(columns, "sensor_value", kind="dbm")["labels"] == base | {
        "sensor": "Ethernet1 rx power", "kind": "dbm", "ifName": "Ethernet1",
    }  # fmt: skip
    assert {c["metric"] for c in columns} == {
        "snmp_up", "device_uptime_seconds", "cpu_utilisation_ratio", "memory_used_bytes", "memory_size_bytes",
        "storage_used_bytes", "storage_size_bytes", "sensor_value", "ifHCInOctets", "ifHCOutOctets", "ifSpeed",
        "ifOperStatus", "ifInErrors", "ifOutDiscards",
    }  # fmt: skip


def test_the_ingest_route_takes_a_chunk_whole(cast: Cast, valkey: Redis, readings: Readings):
    chunk = plan(NETWORK, EPOCH_MS, until_ms=UNTIL_MS)[0]
    body = json.loads(zstandard.ZstdDecompressor().decompress(chunk_body(readings, chunk), max_output_size=1 << 27))
    now_ms = history.now_ms()
    for series in body["series"]:  # as if the demo had begun now: the test's tenant takes no old samples
        series["ts"] = [now_ms - (int(chunk.ts_ms[-1]) - ts) for ts in series["ts"]]
    answer = (
        make_server()
        .test_client()
        .post(
            "/api/v1/ingest",
            data=zstandard.compress(json.dumps(body).encode()),
            headers={"Content-Type": "application/json", "Content-Encoding": "zstd"}
            | token_for(cast.alice, Scope.INGEST),
        )
    )
    assert answer.status_code == 202
    assert answer.json["rejected"] == 0
    assert answer.json["accepted"] == sum(len(series["ts"]) for series in body["series"]) > 1000


def test_a_run_that_was_cut_off_goes_on_where_it_was(tmp_path: Path):
    (tmp_path / "demo").mkdir()
    tenants = [{"name": name, "tokens": {"ingest": f"token-{name}"}} for name in ("acme", "globex")]
    (tmp_path / "credentials.json").write_text(json.dumps({"tenants": tenants}))
    (tmp_path / "demo" / "beginning.json").write_bytes(msgspec.json.encode(Beginning(NETWORK.seed, EPOCH_MS)))
    chunks = plan(NETWORK, EPOCH_MS, until_ms=UNTIL_MS)
    left = [0, 5, len(chunks) - 1]
    done = [chunk.number for chunk in chunks if chunk.number not in left]
    path = tmp_path / "demo" / "history.json"
    path.write_bytes(msgspec.json.encode(Progress(percent=99, samples=1000, until_ms=UNTIL_MS, chunks=done)))
    with http_receiver() as server:
        server.answers = [(503, {"Retry-After": "0"}), (202, {})]
        server.body = lambda send: send(b'{"accepted": 7, "rejected": 0, "errors": []}')
        history.main(tmp_path, f"http://127.0.0.1:{server.port}")
    progress = msgspec.json.decode(path.read_bytes(), type=Progress)
    assert (progress.done, progress.percent, progress.samples) == (True, 100.0, 1021)
    keys = {request.headers["idempotency-key"] for request in server.requests}
    assert keys == {f"demo-history-{EPOCH_MS}-{number}" for number in left}
    assert {request.headers["authorization"] for request in server.requests} == {
        "Bearer token-acme", "Bearer token-globex",
    }  # fmt: skip
    history.main(tmp_path, "http://127.0.0.1:9")  # done: asks nobody


def test_it_rests_on_the_beginning_alone():
    again = history.past_readings(build_network(NETWORK.seed), EPOCH_MS)
    assert isinstance(again.timeline, Timeline)
    device = NETWORK.by_name["lon1-agg-01"]
    ts_ms = np.array([EPOCH_MS - 3_600_000, EPOCH_MS])
    one, other = (device_columns(r, device, ts_ms) for r in (again, history.past_readings(NETWORK, EPOCH_MS)))
    assert [c["values"] for c in one] == [c["values"] for c in other]
