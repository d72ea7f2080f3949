"""Targets and status in Prometheus's form, for the tenant's own things only."""

from __future__ import annotations

from typing import Any

import pytest
from redis import Redis

from app.clock import now_ms
from app.domain.tenancy import Scope
from tests.factories.browser import make_server, token_for
from tests.factories.cast import Cast
from tests.factories.inventory import create_network
from tests.factories.samples import store_all

NOTHING = {
    "headStats": {"numSeries": 0, "numLabelPairs": 0, "chunkCount": 0, "minTime": 0, "maxTime": 0},
    "seriesCountByMetricName": [],
    "labelValueCountByLabelName": [],
    "memoryInBytesByLabelName": [],
    "seriesCountByLabelValuePair": [],
}


@pytest.fixture
def now(cast: Cast, valkey: Redis) -> int:
    """Two polled devices, an agent that reports and one that fell silent an hour ago; the time in ms."""
    create_network(cast.alice, "sw-1", "sw-2")
    at = now_ms() - 1000
    store_all(
        cast.acme,
        [
            ({"__name__": "agent_up", "device": "host-1"}, [(at, 1.0)]),
            ({"__name__": "agent_up", "device": "host-2"}, [(at - 3_600_000, 1.0)]),
        ],
    )
    return at


def get(cast: Cast, path: str, *, who: str = "vera", **parameters: Any) -> Any:
    token = token_for(getattr(cast, who), Scope.READ)
    return make_server().test_client().get(f"/api/v1/{path}", query_string=parameters, headers=token)


def data(cast: Cast, path: str, *, who: str = "vera", **parameters: Any) -> Any:
    answer = get(cast, path, who=who, **parameters)
    assert (answer.status_code, answer.json["status"]) == (200, "success"), answer.json
    return answer.json["data"]


def test_targets_are_devices_and_agents(cast: Cast, now: int) -> None:
    found = data(cast, "targets")
    shown = [(each["scrapePool"], each["labels"]["device"], each["health"]) for each in found["activeTargets"]]
    assert shown == [
        ("snmp", "sw-1", "unknown"),
        ("snmp", "sw-2", "unknown"),
        ("agents", "host-1", "up"),
        ("agents", "host-2", "down"),
    ]
    switch, *_, silent = found["activeTargets"]
    assert switch["labels"] == {"device": "sw-1", "instance": "127.0.0.1:161", "job": "snmp", "site": "berlin"}
    assert switch["discoveredLabels"]["__address__"] == "127.0.0.1:161"
    assert (switch["lastScrape"], switch["scrapeUrl"]) == ("0001-01-01T00:00:00Z", "snmp://127.0.0.1:161")
    assert silent["lastError"].startswith("nothing heard for 36")
    assert (found["droppedTargets"], found["droppedTargetCounts"]) == ([], {"agents": 0, "snmp": 0})


def test_targets_can_be_chosen(cast: Cast, now: int) -> None:
    chosen = data(cast, "targets", scrapePool="agents", state="active")["activeTargets"]
    assert {each["scrapePool"] for each in chosen} == {"agents"}
    assert data(cast, "targets", state="dropped")["activeTargets"] == []
    assert get(cast, "targets", state="odd").json["errorType"] == "bad_data"
    assert data(cast, "scrape_pools") == {"scrapePools": ["agents", "snmp"]}


def test_tsdb_counts(cast: Cast, now: int) -> None:
    found = data(cast, "status/tsdb")
    assert found["headStats"] == {
        "numSeries": 2,
        "numLabelPairs": 3,
        "chunkCount": 2,
        "minTime": now - 3_600_000,
        "maxTime": now,
    }
    assert found["seriesCountByMetricName"] == [{"name": "agent_up", "value": 2}]
    assert found["labelValueCountByLabelName"] == [{"name": "device", "value": 2}, {"name": "__name__", "value": 1}]
    assert found["memoryInBytesByLabelName"] == [{"name": "__name__", "value": 16}, {"name": "device", "value": 12}]
    assert found["seriesCountByLabelValuePair"][0] == {"name": "__name__=agent_up", "value": 2}
    assert len(data(cast, "status/tsdb", limit=1)["seriesCountByLabelValuePair"]) == 1
    assert get(cast, "status/tsdb", limit=10_001).json["errorType"] == "bad_data"


def test_what_is_set(cast: Cast, now: int) -> None:
    assert data(cast, "status/flags")["query.timeout"] == "30s"
    assert data(cast, "status/flags")["storage.tsdb.retention.time"] == "15d"
    assert data(cast, "status/config")["yaml"].startswith("global:\n")
    assert data(cast, "status/runtimeinfo")["reloadConfigSuccess"] is True
    assert data(cast, "status/walreplay")["state"] == "done"
    assert data(cast, "alertmanagers") == {"activeAlertmanagers": [], "droppedAlertmanagers": []}


def test_parse_query(cast: Cast, now: int) -> None:
    assert data(cast, "parse_query", query="1")["type"] == "numberLiteral"
    assert get(cast, "parse_query", query="sum(").json["errorType"] == "bad_data"


def test_without_a_token_nothing_opens(cast: Cast, valkey: Redis) -> None:
    for path in ("targets", "scrape_pools", "status/tsdb", "status/config", "status/flags", "status/runtimeinfo"):
        answer = make_server().test_client().get(f"/api/v1/{path}")
        assert (answer.status_code, answer.json["errorType"]) == (401, "unauthorized"), path


def test_charlie_of_globex_sees_nothing_of_acme(cast: Cast, now: int) -> None:
    assert data(cast, "targets", who="charlie") == {
        "activeTargets": [],
        "droppedTargets": [],
        "droppedTargetCounts": {},
    }
    assert data(cast, "scrape_pools", who="charlie") == {"scrapePools": []}
    assert data(cast, "status/tsdb", who="charlie") == NOTHING
