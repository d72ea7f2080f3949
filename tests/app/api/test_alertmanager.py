"""GET /api/v2/alerts: what Alertmanager's clients read: its form, its filters, its refusals; one's own alerts only."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from app.actions.alerts import snooze
from app.api.alertmanager import matchers_of
from app.clock import utc_now
from app.domain.labels import Matcher, MatchOp
from app.domain.tenancy import Scope
from app.errors import InvalidInput
from app.queries.alerts import AlertFilter, open_alerts
from tests.factories.browser import make_server, token_for
from tests.factories.cast import Cast

ENDS = (utc_now() + timedelta(hours=1)).isoformat()


@pytest.fixture
def alerts(cast: Cast, valkey: Redis) -> Cast:
    """Two alerts of acme, sent as Prometheus sends them; one is snoozed."""
    sent = [
        {"labels": {"alertname": name, "device": device, "severity": "critical"},
         "annotations": {"summary": f"{device} is gone"}, "endsAt": ENDS, "generatorURL": "http://prometheus/graph"}
        for name, device in (("DeviceDown", "core-1"), ("LinkDown", "core-2"))
    ]  # fmt: skip
    answer = make_server().test_client().post(
        "/api/v2/alerts", data=json.dumps(sent),
        headers={"Content-Type": "application/json"} | token_for(cast.alice, Scope.INGEST),
    )  # fmt: skip
    assert answer.status_code == 200
    [other] = [each for each in open_alerts(cast.bob, AlertFilter()) if each.name == "LinkDown"]
    snooze(cast.bob, [other.id], until=utc_now() + timedelta(hours=2))
    return cast


def ask(cast: Cast, who: str = "vera", **query: Any) -> Any:
    client = make_server().test_client()
    return client.get("/api/v2/alerts", query_string=query, headers=token_for(getattr(cast, who), Scope.READ))


def names(answer: Any) -> list[str]:
    return sorted(each["labels"]["alertname"] for each in answer.json)


def test_an_alert_has_alertmanagers_form(alerts: Cast) -> None:
    [alert] = ask(alerts, filter='alertname="DeviceDown"').json
    assert alert["labels"] == {"alertname": "DeviceDown", "device": "core-1", "severity": "critical"}
    assert alert["annotations"]["summary"] == "core-1 is gone"
    assert alert["status"] == {"state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": []}
    assert alert["receivers"] == [{"name": "acme"}]
    assert alert["startsAt"].endswith("Z") and alert["updatedAt"].endswith("Z") and alert["endsAt"].endswith("Z")
    assert alert["fingerprint"]
    [snoozed] = ask(alerts, filter='alertname="LinkDown"').json
    assert snoozed["status"]["state"] == "suppressed"
    assert len(snoozed["status"]["silencedBy"]) == 1


FILTERED: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["DeviceDown", "LinkDown"]),
    ({"active": "false"}, ["LinkDown"]),
    ({"silenced": "false"}, ["DeviceDown"]),
    ({"silenced": "false", "active": "false"}, []),
    ({"inhibited": "false", "unprocessed": "false"}, ["DeviceDown", "LinkDown"]),
    ({"filter": ["severity=critical", 'device=~"core-.*"', "device!=core-2"]}, ["DeviceDown"]),
    ({"filter": '{alertname=~".*Down", device="core-2"}'}, ["LinkDown"]),
    ({"filter": 'nothing="x"'}, []),
    ({"receiver": "ac.*"}, ["DeviceDown", "LinkDown"]),
    ({"receiver": "globex"}, []),
]
REFUSED = [{"filter": "alertname"}, {"filter": ""}, {"filter": 'a=~"("'}, {"active": "maybe"}]


def test_its_filters_narrow_and_a_refusal_is_a_text(alerts: Cast) -> None:
    client, token = make_server().test_client(), token_for(alerts.vera, Scope.READ)
    for query, expected in FILTERED:
        assert names(client.get("/api/v2/alerts", query_string=query, headers=token)) == expected, query
    for query in REFUSED:
        answer = client.get("/api/v2/alerts", query_string=query, headers=token)
        assert (answer.status_code, type(answer.json)) == (400, str), query


def test_charlie_of_globex_sees_none_of_acmes(alerts: Cast) -> None:
    assert ask(alerts, who="charlie").json == []
    assert make_server().test_client().get("/api/v2/alerts").status_code == 401


def test_matchers_are_read_as_amtool_writes_them() -> None:
    assert matchers_of(r'alertname="a \"b\" \\ c"') == [Matcher("alertname", MatchOp.EQUAL, 'a "b" \\ c')]
    assert matchers_of('a!~"x|y", b = c') == [Matcher("a", MatchOp.NOT_REGEX, "x|y"), Matcher("b", MatchOp.EQUAL, "c")]
    for text in ("", "{}", "=x", "a==b,,"):
        with pytest.raises(InvalidInput):
            matchers_of(text)
