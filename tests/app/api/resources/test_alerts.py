"""Incidents over REST: lists, acts, conflicts; and Prometheus's form of alerts."""

from __future__ import annotations

from typing import Any

import pytest
from redis import Redis

from app.clock import utc_now
from app.domain.tenancy import Scope
from tests.factories.alerting import Rounds, down
from tests.factories.browser import make_server, token_for
from tests.factories.cast import Cast


class Program:
    """A program with a token."""

    def __init__(self, client: Any, headers: dict[str, str]) -> None:
        self.client, self.headers = client, headers

    def get(self, path: str) -> Any:
        return self.client.get(path, headers=self.headers)

    def post(self, path: str, body: Any = None) -> Any:
        return self.client.post(path, headers=self.headers, **({} if body is None else {"json": body}))


@pytest.fixture
def acme(cast: Cast, valkey: Redis) -> Program:
    rounds = Rounds(cast.alice, start=utc_now().replace(microsecond=0))
    rounds.round(*(down(f"core-{index}") for index in range(5)))
    return Program(make_server().test_client(), token_for(cast.alice, Scope.READ, Scope.WRITE))


def test_a_list_in_pages(acme: Program) -> None:
    seen: list[int] = []
    path: str | None = "/api/v1/incidents?limit=2"
    while path:
        page = acme.get(path).json
        seen += [item["id"] for item in page["items"]]
        path = f"/api/v1/incidents?limit=2&cursor={page['next']}" if page["next"] else None
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == 5


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("severity=critical", 5),
        ("severity=major,minor", 0),
        ("state=all", 5),
        ("state=resolved", 0),
        ("device=core-3", 1),
        ("text=CORE-3", 1),
        ("needs_action=true", 5),
        ("mine=1", 0),
        ("snoozed=false", 5),
        ("since=2020-01-01T00:00:00Z", 5),
    ],
)
def test_filters(acme: Program, query: str, count: int) -> None:
    assert len(acme.get(f"/api/v1/incidents?{query}").json["items"]) == count


@pytest.mark.parametrize(
    "query",
    ["severity=bad", "state=open", "mine=maybe", "since=yesterday", "since=2020-01-01", "rule_id=x", "limit=0"],
)
def test_a_filter_that_means_nothing_is_refused(acme: Program, query: str) -> None:
    answer = acme.get(f"/api/v1/incidents?{query}")
    assert (answer.status_code, answer.content_type) == (400, "application/problem+json")


def test_what_people_do(acme: Program, cast: Cast) -> None:
    incident = acme.get("/api/v1/incidents?device=core-1").json["items"][0]["id"]
    base = f"/api/v1/incidents/{incident}"
    assert acme.post(f"{base}/ack", {"note": "on it"}).json["acknowledged_by"] == "token test"
    again = acme.post(f"{base}/ack")
    assert again.status_code == 409
    assert "acknowledged by token test" in again.json["detail"]
    assert acme.post(f"{base}/unack").json["acknowledged_at"] is None
    assert acme.post(f"{base}/assign", {"user_id": cast.bob.user_id}).json["assigned_name"] == "Bob"
    assert acme.post(f"{base}/snooze", {"duration_s": 3600}).json["snoozed_until"]
    assert acme.post(f"{base}/unsnooze").json["snoozed_until"] is None
    assert acme.post(f"{base}/comment", {"text": "hello"}).status_code == 200
    assert acme.post(f"{base}/resolve").json["state"] == "resolved"
    kinds = [entry["kind"] for entry in acme.get(f"{base}/timeline").json["items"]]
    assert kinds == [
        "fired",
        "acknowledged",
        "unacknowledged",
        "assigned",
        "snoozed",
        "unsnoozed",
        "commented",
        "resolved",
    ]
    assert acme.get(f"{base}/related").json["cause"] is None
    assert acme.get(f"{base}/deliveries").json["items"] == []


@pytest.mark.parametrize(
    ("act", "body"),
    [
        ("snooze", {}),
        ("snooze", {"duration_s": -1}),
        ("snooze", {"until": "2026-01-01T00:00:00"}),
        ("comment", {"text": ""}),
        ("comment", {}),
        ("assign", {"user_id": "bob"}),
        ("ack", {"note": "x", "user": "y"}),
    ],
)
def test_a_body_that_means_nothing_is_refused(acme: Program, act: str, body: Any) -> None:
    incident = acme.get("/api/v1/incidents").json["items"][0]["id"]
    assert acme.post(f"/api/v1/incidents/{incident}/{act}", body).status_code == 400


def test_prometheus_form(acme: Program) -> None:
    body = acme.get("/api/v1/alerts").json
    assert body["status"] == "success"
    first = body["data"]["alerts"][0]
    assert set(first) == {"labels", "annotations", "state", "activeAt", "value"}
    assert (first["state"], first["value"], first["labels"]["alertname"]) == ("firing", "0e+00", "DeviceUnreachable")


def test_a_reading_token_changes_nothing(acme: Program, cast: Cast) -> None:
    incident = acme.get("/api/v1/incidents").json["items"][0]["id"]
    reader = Program(acme.client, token_for(cast.alice, Scope.READ))
    assert reader.post(f"/api/v1/incidents/{incident}/ack").status_code == 403


def test_charlie_of_globex_gets_the_same_404_as_for_nothing(acme: Program, cast: Cast) -> None:
    incident = acme.get("/api/v1/incidents").json["items"][0]["id"]
    globex = Program(acme.client, token_for(cast.charlie, Scope.ADMIN))
    assert globex.get("/api/v1/incidents?state=all").json["items"] == []
    assert globex.get("/api/v1/alerts").json["data"]["alerts"] == []
    for path in ("", "/timeline", "/related", "/deliveries"):
        assert globex.get(f"/api/v1/incidents/{incident}{path}").status_code == 404
    for act in ("ack", "unack", "resolve", "unsnooze"):
        assert globex.post(f"/api/v1/incidents/{incident}/{act}").status_code == 404
    cursor = acme.get("/api/v1/incidents?limit=1").json["next"]
    assert globex.get(f"/api/v1/incidents?cursor={cursor}").status_code == 400
