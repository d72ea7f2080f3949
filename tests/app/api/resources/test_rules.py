"""Rules and groups over REST, and Prometheus's form of rules."""

from __future__ import annotations

from typing import Any

import pytest
from redis import Redis

from app.domain.tenancy import Scope
from tests.factories.alerting import Rounds, down
from tests.factories.browser import make_server, token_for
from tests.factories.cast import Cast

RULE = {
    "name": "LinkFull",
    "expr": "rate(ifHCInOctets[5m]) * 8 / ifSpeed > 0.9",
    "for": "5m",
    "severity": "major",
    "annotations": {"summary": "{{ $labels.ifName }} is full"},
}


@pytest.fixture
def client(cast: Cast, valkey: Redis) -> Any:
    return make_server().test_client()


def test_a_rule_from_making_to_deleting(client: Any, cast: Cast) -> None:
    headers = token_for(cast.alice, Scope.ADMIN)
    made = client.post("/api/v1/rules", json={**RULE, "group": "mine"}, headers=headers)
    assert made.status_code == 201
    path = f"/api/v1/rules/{made.json['id']}"
    assert client.get(path, headers=headers).json["rule"]["for_s"] == 300
    changed = client.put(path, json={**RULE, "for": 60}, headers=headers).json
    assert (changed["rule"]["for_s"], changed["health"]) == (60, "unknown")
    assert client.delete(path, headers=headers).status_code == 204
    assert client.get(path, headers=headers).status_code == 404


def test_a_group_from_making_to_deleting(client: Any, cast: Cast) -> None:
    headers = token_for(cast.alice, Scope.ADMIN)
    made = client.post("/api/v1/rule-groups", json={"name": "g", "rules": [RULE]}, headers=headers).json["id"]
    path = f"/api/v1/rule-groups/{made}"
    body = {"name": "g", "interval_s": 30, "rules": [RULE, {"name": "Other", "expr": "up == 0"}]}
    changed = client.put(path, json=body, headers=headers).json
    assert (changed["interval_s"], [rule["rule"]["name"] for rule in changed["rules"]]) == (30, ["LinkFull", "Other"])
    assert client.post("/api/v1/rule-groups", json=body, headers=headers).status_code == 409
    assert client.delete(path, headers=headers).status_code == 204
    assert client.get("/api/v1/rule-groups", headers=headers).json["items"] == []


@pytest.mark.parametrize(
    "change",
    [
        {"expr": "rate("},
        {"expr": ""},
        {"name": ""},
        {"for": "soon"},
        {"for": -1},
        {"severity": "bad"},
        {"labels": {"1x": "y"}},
        {"annotations": {"summary": "{{ exec }}"}},
        {"strange": 1},
    ],
)
def test_a_rule_that_could_not_work_is_refused(client: Any, cast: Cast, change: dict[str, Any]) -> None:
    headers = token_for(cast.alice, Scope.ADMIN)
    answer = client.post("/api/v1/rules", json={**RULE, **change}, headers=headers)
    assert (answer.status_code, answer.content_type) == (400, "application/problem+json")
    assert client.get("/api/v1/rule-groups", headers=headers).json["items"] == []


def test_import(client: Any, cast: Cast) -> None:
    headers = token_for(cast.alice, Scope.ADMIN)
    text = "groups: [{name: a, rules: [{alert: Down, expr: up == 0, for: 1m}, {record: x, expr: up}]}]"
    answer = client.post("/api/v1/rules/import", json={"text": text}, headers=headers).json
    assert (answer["groups"], answer["rules"], len(answer["left_out"])) == (["a"], 1, 1)
    assert client.post("/api/v1/rules/import", json={"text": "groups: ["}, headers=headers).status_code == 400


def test_prometheus_form(client: Any, cast: Cast) -> None:
    rounds = Rounds(cast.alice)
    rounds.round(down("core-1"))
    headers = token_for(cast.vera, Scope.READ)
    [group] = client.get("/api/v1/rules", headers=headers).json["data"]["groups"]
    [rule] = group["rules"]
    assert (group["name"], group["interval"], rule["state"], rule["health"], rule["type"]) == (
        "test",
        15,
        "firing",
        "ok",
        "alerting",
    )
    assert rule["alerts"][0]["labels"]["device"] == "core-1"
    for query, groups in (("type=record", 0), ("rule_name[]=Nothing", 0), ("rule_group[]=test", 1)):
        assert len(client.get(f"/api/v1/rules?{query}", headers=headers).json["data"]["groups"]) == groups
    bare = client.get("/api/v1/rules?exclude_alerts=true", headers=headers).json["data"]["groups"][0]
    assert bare["rules"][0]["alerts"] == []


def test_writing_needs_its_scope(client: Any, cast: Cast) -> None:
    answer = client.post("/api/v1/rules", json=RULE, headers=token_for(cast.alice, Scope.READ))
    assert answer.status_code == 403


def test_charlie_of_globex_sees_and_changes_nothing(client: Any, cast: Cast) -> None:
    alice, charlie = token_for(cast.alice, Scope.ADMIN), token_for(cast.charlie, Scope.ADMIN)
    rule = client.post("/api/v1/rules", json=RULE, headers=alice).json["id"]
    [group] = client.get("/api/v1/rule-groups", headers=alice).json["items"]
    before = client.get(f"/api/v1/rules/{rule}", headers=alice).json
    assert client.get("/api/v1/rules", headers=charlie).json["data"]["groups"] == []
    assert client.get("/api/v1/rule-groups", headers=charlie).json["items"] == []
    for method, path, body in (
        ("GET", f"/api/v1/rules/{rule}", None),
        ("PUT", f"/api/v1/rules/{rule}", RULE),
        ("DELETE", f"/api/v1/rules/{rule}", None),
        ("GET", f"/api/v1/rule-groups/{group['id']}", None),
        ("PUT", f"/api/v1/rule-groups/{group['id']}", {"name": "x"}),
        ("DELETE", f"/api/v1/rule-groups/{group['id']}", None),
    ):
        assert client.open(path, method=method, json=body, headers=charlie).status_code == 404
    assert client.get(f"/api/v1/rules/{rule}", headers=alice).json == before
