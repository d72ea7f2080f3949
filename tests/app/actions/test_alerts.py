"""What people do to alerts, who was first, and what another tenant can do: nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from redis import Redis
from sqlalchemy import select

from app.actions import alerts
from app.actions.alerts import Outcome
from app.clock import utc_now
from app.domain.alerting.alert import Alert
from app.domain.alerting.state import State
from app.domain.tenancy import Viewer
from app.errors import Forbidden, InvalidInput, NotFound
from app.queries import alerts as queries
from app.queries.alerts import AlertFilter
from models.audit import AuditRow
from models.session import tenant_session
from tests.factories.alerting import Rounds, down
from tests.factories.cast import Cast

ANY = AlertFilter(states=frozenset(State))


@pytest.fixture
def rounds(cast: Cast, valkey: Redis) -> Rounds:
    """Two devices do not answer."""
    rounds = Rounds(cast.alice, start=utc_now().replace(microsecond=0))
    rounds.round(down("core-1"), down("core-2"))
    return rounds


def alert_on(viewer: Viewer, device: str) -> Alert:
    [alert] = [item for item in queries.open_alerts(viewer, ANY) if item.device == device]
    return alert


def last_entry(viewer: Viewer, alert_id: int) -> tuple[str, str, str]:
    entry = queries.timeline(viewer, alert_id)[-1]
    return entry.kind, entry.actor, entry.text


def test_acknowledge_with_a_note(cast: Cast, rounds: Rounds) -> None:
    alert = alert_on(cast.bob, "core-1")
    assert alert.needs_action(utc_now())
    assert alerts.acknowledge(cast.bob, [alert.id], note="on it") == Outcome((alert.id,))
    after = alert_on(cast.bob, "core-1")
    assert after.acknowledged_by == "Bob"
    assert after.version == alert.version + 1
    assert not after.needs_action(utc_now())
    assert last_entry(cast.bob, alert.id) == ("acknowledged", "Bob", "on it")


def test_the_second_hears_who_was_first(cast: Cast, rounds: Rounds) -> None:
    one, two = alert_on(cast.bob, "core-1").id, alert_on(cast.bob, "core-2").id
    alerts.acknowledge(cast.alice, [one])
    outcome = alerts.acknowledge(cast.bob, [one, two])
    assert outcome.done == (two,)
    [refusal] = outcome.refused
    assert refusal.alert_id == one
    assert refusal.reason.startswith("acknowledged by Alice 0 s ago")
    assert alert_on(cast.bob, "core-1").acknowledged_by == "Alice"


def test_undo_an_acknowledgement(cast: Cast, rounds: Rounds) -> None:
    alert = alert_on(cast.bob, "core-1")
    alerts.acknowledge(cast.bob, [alert.id])
    assert alerts.unacknowledge(cast.bob, [alert.id]).done == (alert.id,)
    assert alert_on(cast.bob, "core-1").acknowledged_at is None
    assert alerts.unacknowledge(cast.bob, [alert.id]).done == ()


def test_an_acknowledgement_ends_with_its_episode(cast: Cast, rounds: Rounds) -> None:
    alerts.acknowledge(cast.bob, [alert_on(cast.bob, "core-1").id])
    rounds.round()
    rounds.round(down("core-1"))
    [again] = queries.open_alerts(cast.bob, AlertFilter())
    assert again.acknowledged_at is None


def test_snooze_and_bring_back(cast: Cast, rounds: Rounds) -> None:
    alert = alert_on(cast.bob, "core-1")
    alerts.snooze(cast.bob, [alert.id], until=utc_now() + timedelta(hours=1))
    assert [item.device for item in queries.open_alerts(cast.bob, AlertFilter(is_snoozed=False))] == ["core-2"]
    assert [item.device for item in queries.open_alerts(cast.bob, AlertFilter(is_snoozed=True))] == ["core-1"]
    alerts.unsnooze(cast.bob, [alert.id])
    assert len(queries.open_alerts(cast.bob, AlertFilter(is_snoozed=False))) == 2


@pytest.mark.parametrize("delta", [timedelta(seconds=-1), timedelta(days=31)])
def test_a_snooze_has_bounds(cast: Cast, rounds: Rounds, delta: timedelta) -> None:
    with pytest.raises(InvalidInput):
        alerts.snooze(cast.bob, [alert_on(cast.bob, "core-1").id], until=utc_now() + delta)


def test_assign_to_a_person_of_the_tenant(cast: Cast, rounds: Rounds) -> None:
    alert = alert_on(cast.bob, "core-1")
    alerts.assign(cast.alice, [alert.id], user_id=cast.bob.user_id)
    assert alert_on(cast.bob, "core-1").assigned_name == "Bob"
    assert [item.device for item in queries.open_alerts(cast.bob, AlertFilter(is_mine=True))] == ["core-1"]
    assert queries.open_alerts(cast.alice, AlertFilter(is_mine=True)) == []
    assert last_entry(cast.bob, alert.id) == ("assigned", "Alice", "to Bob")
    alerts.assign(cast.bob, [alert.id], user_id=None)
    assert alert_on(cast.bob, "core-1").assigned_to is None


def test_a_person_of_another_tenant_cannot_be_given_an_alert(cast: Cast, rounds: Rounds) -> None:
    with pytest.raises(NotFound):
        alerts.assign(cast.alice, [alert_on(cast.alice, "core-1").id], user_id=cast.charlie.user_id)


def test_comment(cast: Cast, rounds: Rounds) -> None:
    alert = alert_on(cast.bob, "core-1")
    alerts.comment(cast.bob, alert.id, "  called the carrier  ")
    assert last_entry(cast.bob, alert.id) == ("commented", "Bob", "called the carrier")
    for text in ("   ", "x" * 4001):
        with pytest.raises(InvalidInput):
            alerts.comment(cast.bob, alert.id, text)


def test_resolved_by_hand_stays_so_until_the_condition_was_away(cast: Cast, rounds: Rounds) -> None:
    alert = alert_on(cast.bob, "core-1")
    alerts.resolve(cast.bob, [alert.id])
    assert queries.alert(cast.bob, alert.id).resolved_by == "Bob"
    for rows in ([down("core-1")], [down("core-1")]):
        rounds.round(*rows)
        assert queries.open_alerts(cast.bob, AlertFilter(device="core-1")) == []
    rounds.round()
    rounds.round(down("core-1"))
    [again] = queries.open_alerts(cast.bob, AlertFilter(device="core-1"))
    assert again.id != alert.id
    assert [entry.kind for entry in queries.timeline(cast.bob, alert.id)] == ["fired", "resolved", "released"]


def test_what_has_ended_says_so(cast: Cast, rounds: Rounds) -> None:
    alert = alert_on(cast.bob, "core-1")
    alerts.resolve(cast.alice, [alert.id])
    for act in (
        lambda: alerts.acknowledge(cast.bob, [alert.id]),
        lambda: alerts.resolve(cast.bob, [alert.id]),
        lambda: alerts.assign(cast.bob, [alert.id], user_id=cast.bob.user_id),
        lambda: alerts.snooze(cast.bob, [alert.id], until=utc_now() + timedelta(hours=1)),
    ):
        assert act().refused[0].reason.startswith("resolved by Alice")


def test_each_act_is_in_the_audit_log_once_and_live(cast: Cast, rounds: Rounds, valkey: Redis) -> None:
    ids = [alert.id for alert in queries.open_alerts(cast.bob, ANY)]
    listener = valkey.pubsub(ignore_subscribe_messages=True)
    listener.subscribe(f"live:{cast.acme}:alerts")
    listener.get_message(timeout=1)
    alerts.acknowledge(cast.bob, ids, note="on it")
    news = [listener.get_message(timeout=1) for _ in ids]
    assert sorted(json.loads(item["data"])["id"] for item in news if item) == sorted(ids)
    with tenant_session(cast.acme) as session:
        [entry] = session.scalars(select(AuditRow).where(AuditRow.action == "acknowledged"))
        assert entry.actor == "bob@acme.example"
        assert entry.after == {"alerts": sorted(ids), "text": "on it"}


ACTS: dict[str, Callable[[Viewer, int], Outcome]] = {
    "acknowledge": lambda viewer, id_: alerts.acknowledge(viewer, [id_]),
    "unacknowledge": lambda viewer, id_: alerts.unacknowledge(viewer, [id_]),
    "snooze": lambda viewer, id_: alerts.snooze(viewer, [id_], until=utc_now() + timedelta(hours=1)),
    "unsnooze": lambda viewer, id_: alerts.unsnooze(viewer, [id_]),
    "assign": lambda viewer, id_: alerts.assign(viewer, [id_], user_id=viewer.user_id),
    "comment": lambda viewer, id_: alerts.comment(viewer, id_, "hello"),
    "resolve": lambda viewer, id_: alerts.resolve(viewer, [id_]),
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_charlie_of_globex_can_touch_none_of_it(
    cast: Cast, rounds: Rounds, act: Callable[[Viewer, int], Outcome]
) -> None:
    before = alert_on(cast.alice, "core-1")
    with pytest.raises(NotFound) as foreign:
        act(cast.charlie, before.id)
    with pytest.raises(NotFound) as unknown:
        act(cast.charlie, before.id + 10**6)
    assert str(foreign.value).replace(str(before.id), "N") == str(unknown.value).replace(str(before.id + 10**6), "N")
    assert alert_on(cast.alice, "core-1") == before


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_a_viewer_may_not(cast: Cast, rounds: Rounds, act: Callable[[Viewer, int], Outcome]) -> None:
    with pytest.raises(Forbidden):
        act(cast.vera, alert_on(cast.vera, "core-1").id)
