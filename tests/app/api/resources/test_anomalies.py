"""The list of anomalies over HTTP: filters, pages, and only one's own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from app.domain.labels import labels_of
from app.queries import anomalies as queries
from app.tsdb import found_anomalies
from app.tsdb.found_anomalies import Point
from models.session import tenant_session
from tests.factories.browser import Browser, make_server
from tests.factories.cast import Cast

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
ADDRESS = "/api/v1/anomalies"


def point(slot: int, after: timedelta, score: float) -> Point:
    labels = labels_of({"__name__": "ifHCInOctets", "device": f"core-{slot}", "ifName": "xe-0"})
    ts_ms = int((T0 + after).timestamp() * 1000)
    return Point(1, slot, labels, ts_ms, score, 1e7, True, 9e5, 1.1e6, 1.1e6, 1)


@pytest.fixture
def browser(cast: Cast, valkey: Redis) -> Browser:
    points = [point(1, timedelta(minutes=minute), score) for minute, score in ((0, 1.5), (10, 3.0), (90, 2.0))]
    points += [point(2, timedelta(hours=3), 0.8)]
    with tenant_session(cast.acme) as session:
        found_anomalies.write(session, cast.acme, points)
        found_anomalies.write(session, cast.acme, points)  # again, as after a crash
    return Browser(make_server(), cast.vera)


def items(browser: Browser, **query: Any) -> list[dict[str, Any]]:
    answer = browser.get(ADDRESS, query_string=query)
    assert answer.status_code == 200
    found: list[dict[str, Any]] = answer.json["items"]
    return found


def test_points_near_each_other_are_one_anomaly_with_its_why(browser: Browser) -> None:
    newest, oldest = items(browser)
    assert (newest["score"], newest["points"]) == (2.0, 1)
    assert (oldest["score"], oldest["points"], oldest["peak_at"]) == (3.0, 2, "2026-03-01T12:10:00Z")
    assert (oldest["device"], oldest["view"], oldest["is_rate"]) == ("core-1", "value", True)
    assert "no value near" in oldest["why"]
    assert browser.get(f"{ADDRESS}/{oldest['id']}").json == oldest


def test_filters(browser: Browser) -> None:
    assert [its["device"] for its in items(browser, least_score=0.5)] == ["core-2", "core-1", "core-1"]
    assert items(browser, device="core-2") == []
    assert len(items(browser, until="2026-03-01T13:00:00Z")) == 1
    assert len(items(browser, since="2026-03-01T13:00:00Z")) == 1
    assert browser.get(ADDRESS, query_string={"least_score": "much"}).status_code == 400


def test_pages(browser: Browser) -> None:
    first = browser.get(ADDRESS, query_string={"limit": 1}).json
    second = browser.get(ADDRESS, query_string={"limit": 1, "cursor": first["next"]}).json
    assert [first["items"][0]["score"], second["items"][0]["score"], second["next"]] == [2.0, 3.0, None]


def test_charlie_of_globex_sees_none_of_acme(browser: Browser, cast: Cast) -> None:
    assert queries.anomalies(cast.charlie, queries.AnomalyFilter(least_score=0)) == []
    theirs = Browser(make_server(), cast.charlie)
    assert items(theirs, least_score=0) == []
    assert theirs.get(f"{ADDRESS}/{items(browser)[0]['id']}").status_code == 404


def test_a_verdict_over_http_and_its_undoing(cast: Cast, browser: Browser) -> None:
    bob = Browser(make_server(), cast.bob)
    anomaly = items(browser)[0]["id"]
    made = bob.post(f"{ADDRESS}/{anomaly}/feedback", json={"verdict": "expected", "note": "backup"})
    assert (made.status_code, made.json["step"], made.json["made_by"]) == (201, 1, "Bob")
    assert bob.post(f"{ADDRESS}/{anomaly}/feedback", json={"verdict": "expected"}).status_code == 409
    assert bob.post(f"{ADDRESS}/{anomaly}/feedback", json={"verdict": "odd"}).status_code == 400
    assert browser.post(f"{ADDRESS}/{anomaly}/feedback", json={"verdict": "real"}).status_code == 403
    assert browser.get(f"{ADDRESS}/sensitivity").json["multiplier"] == 1.05
    undone = bob.post(f"{ADDRESS}/feedback/{made.json['id']}/undo")
    assert (undone.status_code, undone.json["undone_by"]) == (200, "Bob")
    assert browser.get(f"{ADDRESS}/sensitivity").json["expected"] == 0
    assert [its["note"] for its in browser.get(f"{ADDRESS}/feedback", query_string={"limit": 1}).json["items"]] == [
        "backup"
    ]


def test_a_verdict_of_globex_on_acmes_anomaly_is_404(cast: Cast, browser: Browser) -> None:
    charlie = Browser(make_server(), cast.charlie)
    anomaly = items(browser)[0]["id"]
    assert charlie.post(f"{ADDRESS}/{anomaly}/feedback", json={"verdict": "real"}).status_code == 404
    assert charlie.get(f"{ADDRESS}/feedback").json["items"] == []


def test_what_changed_over_http(cast: Cast, browser: Browser) -> None:
    wanted = {"from": "2026-03-01T12:00:00Z", "to": "2026-03-01T13:00:00Z"}
    found = browser.get(f"{ADDRESS}/changed", query_string=wanted)
    assert (found.status_code, found.json) == (200, {"items": [], "series": 0, "above": 0, "unranked": 0})
    for wrong in ({"from": wanted["from"]}, {**wanted, "limit": "0"}, {**wanted, "to": "2027-03-01T13:00:00Z"}):
        assert browser.get(f"{ADDRESS}/changed", query_string=wrong).status_code == 400
