"""Events: kept once, seen by their tenant alone, forgotten in time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.actions import events as actions
from app.domain.alerting.alert import Severity
from app.domain.events import Event
from app.domain.tenancy import Scope
from app.domain.timerange import Window
from app.errors import Forbidden
from app.queries import events
from app.queries.events import EventFilter
from tests.factories.cast import Cast, token_viewer

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DEPLOY = Event(NOW, "deploy", "billing 4.2 rolled out", labels={"service": "billing"})
TRAP = Event(NOW, "trap", "coldStart", device="core-1", interface="xe-0/0/1", severity=Severity.MAJOR)


def test_an_event_sent_twice_is_kept_once(cast: Cast) -> None:
    sender = token_viewer(cast.alice, Scope.INGEST)
    for _ in range(2):
        actions.add(sender, [DEPLOY, TRAP, TRAP], agent="edge")
    found = events.events(cast.vera)
    told = {(each.kind, each.device, each.severity, each.agent) for each in found}
    assert told == {("trap", "core-1", "major", "edge"), ("deploy", "", "", "edge")}
    assert len(found) == 2


def test_charlie_of_globex_sees_none_of_acmes(cast: Cast) -> None:
    actions.add(token_viewer(cast.alice, Scope.INGEST), [DEPLOY], agent="edge")
    assert events.events(cast.charlie) == []
    actions.add(token_viewer(cast.charlie, Scope.INGEST), [DEPLOY], agent="edge")
    assert len(events.events(cast.charlie)) == len(events.events(cast.vera)) == 1


def test_only_a_token_that_may_send(cast: Cast) -> None:
    with pytest.raises(Forbidden):
        actions.add(cast.alice, [DEPLOY], agent="edge")


@pytest.mark.parametrize(
    ("wanted", "kinds"),
    [
        (EventFilter(kind="trap"), {"trap"}),
        (EventFilter(device="core-1"), {"trap"}),
        (EventFilter(text="BILLING"), {"deploy"}),
        (EventFilter(since=NOW), {"trap", "deploy"}),
        (EventFilter(until=NOW), set()),
    ],
)
def test_they_are_found_by(cast: Cast, wanted: EventFilter, kinds: set[str]) -> None:
    actions.add(token_viewer(cast.alice, Scope.INGEST), [DEPLOY, TRAP], agent="edge")
    assert {each.kind for each in events.events(cast.vera, wanted)} == kinds


def test_old_ones_go(cast: Cast) -> None:
    actions.add(token_viewer(cast.alice, Scope.INGEST), [DEPLOY], agent="edge")
    assert actions.forget(cast.acme, now=NOW + actions.KEPT) == 0
    assert actions.forget(cast.globex, now=NOW + actions.KEPT + timedelta(days=1)) == 0
    assert actions.forget(cast.acme, now=NOW + actions.KEPT + timedelta(days=1)) == 1


def test_a_chart_asks_for_events_of_its_devices_and_of_none(cast: Cast) -> None:
    other = replace(TRAP, device="core-2", interface="")
    actions.add(token_viewer(cast.alice, Scope.INGEST), [DEPLOY, TRAP, other], agent="edge")
    now_ms = round(NOW.timestamp() * 1000)
    window = Window(now_ms - 1000, now_ms + 1000)

    def told(**wanted: Any) -> set[tuple[str, str]]:
        return {(each.kind, each.device) for each in events.around(cast.vera, window, **wanted)}

    assert told() == {("deploy", ""), ("trap", "core-1"), ("trap", "core-2")}
    assert told(devices=["core-1"]) == {("deploy", ""), ("trap", "core-1")}
    assert told(devices=["core-1"], interface="xe-0/0/2") == {("deploy", "")}
    assert len(events.around(cast.vera, window, limit=1)) == 1
    assert events.around(cast.vera, Window(now_ms + 1, now_ms + 1000)) == []
    assert events.around(cast.charlie, window) == []
