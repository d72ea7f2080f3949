"""Alerts that others send: begin, refresh and end as they do in Alertmanager."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis
from sqlalchemy import select, text

from app.actions import alerts as people
from app.actions import received_alerts
from app.domain.alerting.received import ReceivedAlert
from app.domain.alerting.state import State
from app.domain.tenancy import Scope, Viewer
from app.errors import Forbidden
from app.queries import alerts
from app.queries.alerts import AlertFilter
from models.alerting import AlertRow, DeliveryRow
from models.inventory import DeviceRow
from models.session import tenant_session
from tests.factories.cast import Cast, token_viewer

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
EVERY = AlertFilter(states=frozenset(State))
LABELS = {"alertname": "DiskFull", "instance": "core-1:9100", "severity": "page"}


@pytest.fixture(autouse=True)
def queue(valkey: Redis) -> Redis:
    return valkey


@pytest.fixture
def sender(cast: Cast) -> Viewer:
    return token_viewer(cast.alice, Scope.INGEST)


def sent(*, starts: datetime = NOW, ends: datetime = NOW + 4 * MINUTE, **labels: str) -> ReceivedAlert:
    return ReceivedAlert(0, {**LABELS, **labels}, {"summary": "Disk is full"}, starts, ends, "http://prometheus/graph")


def kinds_of(viewer: Viewer, alert_id: int) -> list[str]:
    return [entry.kind for entry in alerts.timeline(viewer, alert_id)]


def test_an_alert_begins_once_and_is_refreshed(sender: Viewer, cast: Cast) -> None:
    received_alerts.receive(sender, [sent(starts=NOW - 5 * MINUTE)], now=NOW)
    received_alerts.receive(sender, [sent(starts=NOW - 5 * MINUTE, ends=NOW + 5 * MINUTE)], now=NOW + MINUTE)
    (found,) = alerts.open_alerts(cast.vera, EVERY)
    assert (found.name, found.state, found.severity, found.summary) == (
        "DiskFull",
        "firing",
        "critical",
        "Disk is full",
    )
    assert (found.fired_at, found.source, found.rule_id) == (NOW - 5 * MINUTE, "alertmanager", None)
    assert kinds_of(cast.vera, found.id) == ["fired"]


def test_charlie_of_globex_sees_none_of_acmes_and_ends_none(sender: Viewer, cast: Cast) -> None:
    received_alerts.receive(sender, [sent()], now=NOW)
    theirs = token_viewer(cast.charlie, Scope.INGEST)
    received_alerts.receive(theirs, [sent(ends=NOW)], now=NOW + MINUTE)
    assert received_alerts.expire(cast.globex, now=NOW + 60 * MINUTE) == 0
    assert alerts.open_alerts(cast.charlie, EVERY) == []
    assert [alert.state for alert in alerts.open_alerts(cast.vera, EVERY)] == ["firing"]


def test_only_a_token_that_may_send(cast: Cast) -> None:
    for viewer in (cast.alice, token_viewer(cast.alice, Scope.ADMIN)):
        with pytest.raises(Forbidden):
            received_alerts.receive(viewer, [sent()], now=NOW)


def test_it_ends_when_its_sender_says_so(sender: Viewer, cast: Cast) -> None:
    received_alerts.receive(sender, [sent()], now=NOW)
    for _ in range(2):
        received_alerts.receive(sender, [sent(ends=NOW + MINUTE)], now=NOW + 2 * MINUTE)
    (found,) = alerts.open_alerts(cast.vera, EVERY)
    assert (found.state, found.resolved_at) == ("resolved", NOW + MINUTE)
    assert kinds_of(cast.vera, found.id) == ["fired", "resolved"]


def test_it_ends_when_nobody_sends_it_again(sender: Viewer, cast: Cast, valkey: Redis) -> None:
    received_alerts.receive(sender, [sent(), sent(ends=NOW + 9 * MINUTE, alertname="Other")], now=NOW)
    assert received_alerts.enqueue_expired(NOW + MINUTE) == 0
    assert received_alerts.enqueue_expired(NOW + 5 * MINUTE) == 1
    assert received_alerts.expire(cast.acme, now=NOW + 5 * MINUTE) == 1
    ended = {alert.name: alert.resolved_at for alert in alerts.open_alerts(cast.vera, EVERY)}
    assert ended == {"DiskFull": NOW + 4 * MINUTE, "Other": None}


def test_a_new_episode_begins_after_the_end(sender: Viewer, cast: Cast) -> None:
    received_alerts.receive(sender, [sent()], now=NOW)
    received_alerts.expire(cast.acme, now=NOW + 5 * MINUTE)
    received_alerts.receive(sender, [sent(starts=NOW + 6 * MINUTE, ends=NOW + 9 * MINUTE)], now=NOW + 6 * MINUTE)
    # An end that belongs to the first episode comes late.
    received_alerts.receive(sender, [sent(ends=NOW + 3 * MINUTE)], now=NOW + 7 * MINUTE)
    assert sorted(alert.state for alert in alerts.open_alerts(cast.vera, EVERY)) == ["firing", "resolved"]


def test_an_end_of_something_unknown_is_nothing(sender: Viewer, cast: Cast) -> None:
    received_alerts.receive(sender, [sent(ends=NOW)], now=NOW + MINUTE)
    assert alerts.open_alerts(cast.vera, EVERY) == []


def test_resolved_by_hand_it_stays_so_while_it_is_sent(sender: Viewer, cast: Cast) -> None:
    received_alerts.receive(sender, [sent()], now=NOW)
    (found,) = alerts.open_alerts(cast.vera, EVERY)
    people.resolve(cast.alice, [found.id])
    received_alerts.receive(sender, [sent(ends=NOW + 5 * MINUTE)], now=NOW + MINUTE)
    assert [alert.state for alert in alerts.open_alerts(cast.vera, EVERY)] == ["resolved"]
    received_alerts.expire(cast.acme, now=NOW + 6 * MINUTE)
    received_alerts.receive(sender, [sent(ends=NOW + 15 * MINUTE)], now=NOW + 10 * MINUTE)
    assert sorted(alert.state for alert in alerts.open_alerts(cast.vera, EVERY)) == ["firing", "resolved"]


def test_it_finds_its_device(sender: Viewer, cast: Cast) -> None:
    with tenant_session(cast.acme) as session:
        session.add(DeviceRow(tenant_id=cast.acme, name="core-1", address="192.0.2.1"))
    received_alerts.receive(sender, [sent(), sent(instance="elsewhere:9100")], now=NOW)
    assert sorted(alert.device for alert in alerts.open_alerts(cast.vera, EVERY)) == ["", "core-1"]


def test_channels_are_told_once_of_start_and_end(sender: Viewer, cast: Cast) -> None:
    with tenant_session(cast.acme) as session:
        session.execute(
            text("insert into channels (tenant_id, name, kind) values (:tenant, 'hook', 'webhook')"),
            {"tenant": cast.acme},
        )
    for now in (NOW, NOW + MINUTE):
        received_alerts.receive(sender, [sent()], now=now)
    received_alerts.expire(cast.acme, now=NOW + 5 * MINUTE)
    with tenant_session(cast.acme) as session:
        assert sorted(session.scalars(select(DeliveryRow.event))) == ["firing", "resolved"]


def test_a_tenant_has_a_bounded_number(sender: Viewer, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(received_alerts, "MOST_OPEN", 2)
    three = [sent(alertname=f"A{number}") for number in range(3)]
    assert [each.reason for each in received_alerts.receive(sender, three, now=NOW)] == [received_alerts.AT_LIMIT]
    with tenant_session(cast.acme) as session:
        assert len(session.scalars(select(AlertRow.id)).all()) == 2
