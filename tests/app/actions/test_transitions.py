"""Saving transitions: what open screens hear, and that equal alerts of two tenants are strangers."""

from __future__ import annotations

import json
from itertools import takewhile

import pytest
from redis import Redis

from app.actions.transitions import Change, News, tell
from app.domain.alerting.state import State
from app.queries.alerts import AlertFilter, open_alerts
from tests.factories.alerting import Rounds, down
from tests.factories.cast import Cast


@pytest.fixture(autouse=True)
def _valkey(valkey: Redis) -> None:
    """Changes are published."""


def heard(valkey: Redis, tenant: int, news: News, *, by: int) -> list[dict[str, object]]:
    """What screens of the tenant `by` hear when `news` of `tenant` are told."""
    listener = valkey.pubsub()
    listener.subscribe(f"live:{by}:alerts", "live:done")
    arriving = listener.listen()
    assert [next(arriving)["type"] for _ in range(2)] == ["subscribe", "subscribe"]
    tell(tenant, news)  # type: ignore[arg-type]  # a plain number will do
    valkey.publish("live:done", "x")
    heard_first = takewhile(lambda message: message["channel"] != b"live:done", arriving)
    return [json.loads(message["data"]) for message in heard_first]


def test_each_change_is_told(cast: Cast, valkey: Redis) -> None:
    news = News([Change(1, "firing"), Change(2, "gone")])
    assert heard(valkey, cast.acme, news, by=cast.acme) == [{"id": 1, "state": "firing"}, {"id": 2, "state": "gone"}]


def test_of_many_changes_only_their_number_is_told(cast: Cast, valkey: Redis) -> None:
    news = News([Change(number, "firing") for number in range(51)])
    assert heard(valkey, cast.acme, news, by=cast.acme) == [{"id": None, "state": "many", "count": 51}]


def test_screens_of_charlie_hear_nothing_of_acme(cast: Cast, valkey: Redis) -> None:
    assert heard(valkey, cast.acme, News([Change(1, "firing")]), by=cast.globex) == []


def test_the_same_alert_of_charlie_is_another_one(cast: Cast) -> None:
    acme, globex = Rounds(cast.alice), Rounds(cast.charlie)
    acme.round(down("core-1"))
    globex.round(down("core-1"))
    [one], [other] = open_alerts(cast.alice, AlertFilter()), open_alerts(cast.charlie, AlertFilter())
    assert one.fingerprint == other.fingerprint
    assert one.id != other.id
    globex.round()
    assert [alert.state for alert in open_alerts(cast.alice, AlertFilter())] == [State.FIRING]
    assert open_alerts(cast.charlie, AlertFilter()) == []
