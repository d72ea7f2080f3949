"""Capacity over HTTP: the list, one thing with what-ifs, its threshold, and how true it was."""

from __future__ import annotations

from typing import Any

import pytest
from redis import Redis

from app.domain.forecast.capacity import HORIZON_DAYS
from app.errors import NotFound
from app.queries import capacity as queries
from tests.factories.browser import Browser, make_server
from tests.factories.capacity import DAYS, planned_network
from tests.factories.cast import Cast
from tests.factories.database import RolledBackDatabase

ADDRESS = "/api/v1/capacity"


@pytest.fixture
def network(cast: Cast, db: RolledBackDatabase, valkey: Redis) -> Cast:
    return planned_network(cast, db)


def get(browser: Browser, address: str, status: int = 200, **query: Any) -> Any:
    answer = browser.get(address, query_string=query)
    assert answer.status_code == status, answer.json
    return answer.json


def test_the_list_has_what_is_full_first_and_comes_in_pages(network: Cast) -> None:
    browser = Browser(make_server(), network.vera)
    whole = get(browser, ADDRESS)
    assert [its["object"] for its in whole["items"]] == ["xe-0", "xe-1", "/var"]
    assert whole["next"] is None
    first = get(browser, ADDRESS, limit=2)
    rest = get(browser, ADDRESS, limit=2, cursor=first["next"])
    assert first["items"] + rest["items"] == whole["items"]
    port = whole["items"][0]
    assert (port["kind"], port["device"], port["unit"], port["size"]) == ("link", "core-1", "bps", 1e9)
    for query, count in (
        ({"kind": "disk"}, 1),
        ({"q": "XE core"}, 2),
        ({"device": "core-2"}, 0),
        ({"within_days": 90}, 1),
    ):
        assert len(get(browser, ADDRESS, **query)["items"]) == count, query
    get(browser, ADDRESS, 400, kind="tape")
    get(browser, ADDRESS, 400, within_days="soon")


def test_one_thing_as_it_is_and_as_it_would_be(network: Cast) -> None:
    browser = Browser(make_server(), network.vera)
    port = get(browser, ADDRESS)["items"][0]
    usual = get(browser, f"{ADDRESS}/{port['id']}")
    # The list, made by night, and the page, made now, say the same.
    assert [usual[name] for name in ("p30", "p90", "d10", "d50", "d90")] == [
        port[name] for name in ("p30", "p90", "d10", "d50", "d90")
    ]
    assert len(usual["daily"]) == DAYS
    assert {len(line) for line in usual["fan"].values()} == {HORIZON_DAYS}
    assert len(usual["chances"]) == HORIZON_DAYS
    assert "in 8 of 10 cases" in usual["says"]
    faster = get(browser, f"{ADDRESS}/{port['id']}", growth=2)
    higher = get(browser, f"{ADDRESS}/{port['id']}", threshold=95)
    assert faster["d50"] < usual["d50"] < higher["d50"]
    for query in ({"growth": -1}, {"growth": "fast"}, {"threshold": 0}, {"threshold": "nan"}):
        get(browser, f"{ADDRESS}/{port['id']}", 400, **query)
    # One with little history says how much is missing.
    disk = get(browser, ADDRESS, kind="disk")["items"][0]
    found = get(browser, f"{ADDRESS}/{disk['id']}")
    assert (found["item"]["missing_days"], found["fan"], found["d50"], len(found["daily"])) == (18, None, None, 12)


def test_a_threshold_is_set_by_those_who_may(network: Cast) -> None:
    port = get(Browser(make_server(), network.vera), ADDRESS)["items"][0]
    address = f"{ADDRESS}/{port['id']}/threshold"
    bob = Browser(make_server(), network.bob)
    assert bob.send("PUT", address, json={"threshold": 95}).json["threshold"] == 95
    assert bob.send("PUT", address, json={"threshold": None}).json["is_own_threshold"] is False
    assert bob.send("PUT", address, json={"threshold": 0}).status_code == 400
    assert Browser(make_server(), network.vera).send("PUT", address, json={"threshold": 95}).status_code == 403


def test_what_was_said_against_what_came(network: Cast) -> None:
    browser = Browser(make_server(), network.vera)
    found = get(browser, f"{ADDRESS}/reliability", horizon=30)
    # Two ports with enough history, as of 30 and 60 days before; none has filled.
    assert (found["count"], found["backtests"], sum(its["count"] for its in found["bins"])) == (4, 4, 4)
    assert sum(its["came"] for its in found["bins"]) == 0
    assert found["brier"] < 0.2
    assert get(browser, f"{ADDRESS}/reliability", horizon=180)["count"] == 0
    get(browser, f"{ADDRESS}/reliability", 400, horizon=45)


def test_charlie_of_globex_sees_nothing_of_acme(network: Cast) -> None:
    browser = Browser(make_server(), network.charlie)
    assert get(browser, ADDRESS)["items"] == []
    assert get(browser, f"{ADDRESS}/reliability")["count"] == 0
    port = queries.items(network.vera)[0]
    get(browser, f"{ADDRESS}/{port.id}", 404)
    with pytest.raises(NotFound):
        queries.detail(network.charlie, port.id)
    assert queries.newest_run(network.charlie) is None
    assert queries.counts(network.charlie) == {}
    assert queries.counts(network.vera) == {"link": 2, "disk": 1}
