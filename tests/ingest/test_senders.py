"""What further senders are told: Telegraf's and collectd's JSON, Alertmanager's alerts, events."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient

from app.clock import now_ms, utc_now
from app.domain.alerting.state import State
from app.domain.labels import Matcher, MatchOp
from app.domain.tenancy import Scope
from app.queries import alerts, events, ingest
from app.queries.alerts import AlertFilter
from app.tsdb.reader import Reader
from tests.factories.browser import token_for
from tests.factories.cast import Cast
from tests.ingest.test_routes import stored

JSON = {"Content-Type": "application/json"}
EVERY = AlertFilter(states=frozenset(State))


@pytest.fixture
def sender(cast: Cast) -> dict[str, str]:
    return JSON | token_for(cast.alice, Scope.INGEST)


def telegraf(**changes: object) -> dict[str, object]:
    metric = {"name": "cpu", "tags": {"host": "a"}, "fields": {"idle": 99.5, "n": 2}, "timestamp": now_ms() // 1000}
    return metric | changes


def test_telegrafs_batch(client: FlaskClient, sender: dict[str, str], cast: Cast) -> None:
    fields = {"idle": 99.5, "is_on": True, "state": "good", "none": None}
    body = {"metrics": [telegraf(fields=fields), telegraf(name="")]}
    answer = client.post("/api/v1/ingest", json=body, headers=sender)
    assert answer.status_code == 202
    assert answer.json == {"accepted": 2, "rejected": 1, "errors": [{"index": 1, "reason": "no name", "count": 1}]}
    assert (stored(cast.acme, "cpu_idle"), stored(cast.acme, "cpu_is_on")) == ([99.5], [1.0])
    (labels,) = Reader(cast.acme).series([[Matcher("__name__", MatchOp.EQUAL, "cpu_idle")]], start_ms=0, end_ms=2**42)
    assert dict(labels) == {"__name__": "cpu_idle", "host": "a"}


@pytest.mark.parametrize("per_ms", [0.001, 1, 1_000, 1_000_000])
def test_telegrafs_units_of_time(client: FlaskClient, sender: dict[str, str], per_ms: float) -> None:
    body = telegraf(timestamp=int(now_ms() * per_ms))
    assert client.post("/api/v1/ingest", json=body, headers=sender).json["accepted"] == 2


def test_collectds_value_lists(client: FlaskClient, sender: dict[str, str], cast: Cast) -> None:
    item = {
        "values": [7, None],
        "dstypes": ["derive", "derive"],
        "dsnames": ["rx", "tx"],
        "time": now_ms() / 1000,
        "interval": 10.0,
        "host": "core-1",
        "plugin": "interface",
        "plugin_instance": "eth0",
        "type": "if_octets",
        "type_instance": "",
    }
    body = [item, item | {"values": [1]}]
    answer = client.post("/api/v1/ingest", json=body, headers=sender)
    assert (answer.status_code, answer.json["accepted"], answer.json["rejected"]) == (202, 1, 1)
    assert stored(cast.acme, "collectd_interface_if_octets_rx_total") == [7.0]
    assert ingest.rejected(cast.vera)[0].source == "collectd"


def posted(**changes: object) -> dict[str, object]:
    return {"labels": {"alertname": "DiskFull", "severity": "critical"}, "annotations": {"summary": "Full"}} | changes


def test_alerts_of_an_alertmanager_client(client: FlaskClient, sender: dict[str, str], cast: Cast) -> None:
    now = utc_now()
    body = [posted(startsAt=now.isoformat(), endsAt="0001-01-01T00:00:00Z", generatorURL="http://p/graph")]
    for _ in range(2):
        answer = client.post("/api/v2/alerts", json=body, headers=sender)
        assert (answer.status_code, answer.data) == (200, b"")
    (alert,) = alerts.open_alerts(cast.vera, EVERY)
    assert (alert.name, alert.state, alert.source) == ("DiskFull", "firing", "alertmanager")
    assert timedelta(minutes=4) < alert.ends_at - now < timedelta(minutes=6)
    assert alerts.open_alerts(cast.charlie, EVERY) == []


def test_alerts_that_cannot_be_are_told_and_the_others_taken(
    client: FlaskClient, sender: dict[str, str], cast: Cast
) -> None:
    ended = {"startsAt": "2026-01-02T00:00:00Z", "endsAt": "2026-01-01T00:00:00Z"}
    body = [posted(labels={"alertname": ""}), posted(), posted(**ended), {"labels": 7}]
    answer = client.post("/api/v2/alerts", json=body, headers=sender)
    assert answer.status_code == 400
    assert "alert 0: at least one label pair required" in answer.json
    assert "alert 2: start time must be before end time" in answer.json
    assert len(alerts.open_alerts(cast.vera, EVERY)) == 1
    answer = client.post("/api/v2/alerts", data=b"{}", headers=sender)
    assert (answer.status_code, isinstance(answer.json, str)) == (400, True)
    assert client.post("/api/v2/alerts", data=b"[]", headers=sender).status_code == 200
    form = sender | {"Content-Type": "text/plain"}
    assert client.post("/api/v2/alerts", data=b"[]", headers=form).status_code == 415


def test_events_are_taken_or_told(client: FlaskClient, sender: dict[str, str], cast: Cast) -> None:
    good = {"ts": utc_now().isoformat(), "kind": "deploy", "text": "billing 4.2", "labels": {"service": "billing"}}
    body = {
        "events": [
            good,
            {"ts": now_ms(), "kind": "trap", "device": "core-1", "severity": "error", "text": "coldStart"},
            {"ts": 7, "kind": "trap", "text": "of 1970"},
            {"ts": now_ms(), "kind": "", "text": "nothing"},
            {"kind": "syslog", "text": "no time"},
        ]
    }
    for _ in range(2):
        answer = client.post("/api/v1/events", json=body, headers=sender)
        assert (answer.status_code, answer.json["accepted"], answer.json["rejected"]) == (202, 2, 3)
        assert answer.json["errors"][0] == {"index": 2, "reason": "older than the tenant accepts", "count": 1}
    assert {(each.kind, each.device, each.severity) for each in events.events(cast.vera)} == {
        ("deploy", "", ""),
        ("trap", "core-1", "major"),
    }
    assert events.events(cast.charlie) == []
    reader = token_for(cast.alice, Scope.READ)
    listed = client.get("/api/v1/events?limit=1", headers=reader).json
    rest = client.get(f"/api/v1/events?limit=1&cursor={listed['next']}", headers=reader).json
    assert {listed["items"][0]["kind"], rest["items"][0]["kind"]} == {"deploy", "trap"}
    assert rest["next"] is None
    assert client.get("/api/v1/events?since=yesterday", headers=reader).status_code == 400
    assert client.post("/api/v1/events", data=b"{}", headers=sender).status_code == 400


@pytest.mark.parametrize("path", ["/api/v2/alerts", "/api/v1/events"])
def test_who_may_send(client: FlaskClient, cast: Cast, path: str) -> None:
    assert client.post(path, data=b"[]", headers=JSON).status_code == 401
    wrong = token_for(cast.alice, Scope.READ, Scope.WRITE, Scope.ADMIN)
    assert client.post(path, data=b"[]", headers=JSON | wrong).status_code == 403


def test_a_moment_with_a_zone_is_that_moment(client: FlaskClient, sender: dict[str, str], cast: Cast) -> None:
    at = datetime(2026, 11, 24, 12, tzinfo=UTC)
    body = {"events": [{"ts": "2026-11-24T13:00:00+01:00", "kind": "deploy", "text": "x"}]}
    answer = client.post("/api/v1/events", data=json.dumps(body), headers=sender)
    taken = answer.json["accepted"]
    assert [each.at for each in events.events(cast.vera)] == [at] * taken
