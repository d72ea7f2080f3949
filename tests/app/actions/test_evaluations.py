"""From a query result to alerts, timelines and claims, on the real database."""

from __future__ import annotations

from datetime import timedelta

import pytest
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from app.actions.evaluations import Outcome, enqueue_due_groups, evaluate_group
from app.domain.alerting.alert import Severity
from app.domain.alerting.rules import Rule
from app.domain.alerting.state import State
from app.queries import alerts, rules
from app.queries.alerts import AlertFilter
from tests.factories.alerting import INTERVAL_S, NOON, Rounds, down
from tests.factories.cast import Cast

ANY = AlertFilter(states=frozenset(State))


@pytest.fixture(autouse=True)
def _valkey(valkey: Redis) -> None:
    """Changes are published."""


def waits(for_s: float = 0, keep_s: float = 0) -> Rule:
    return Rule("DeviceUnreachable", "snmp_up == 0", for_s, keep_s, Severity.CRITICAL)


def test_an_alert_fires_and_resolves_with_its_timeline(cast: Cast) -> None:
    rounds = Rounds(cast.alice)
    assert rounds.round(down("core-1")) is Outcome.EVALUATED
    [alert] = alerts.open_alerts(cast.bob, AlertFilter())
    assert (alert.name, alert.device, alert.site, alert.severity) == (
        "DeviceUnreachable",
        "core-1",
        "berlin",
        Severity.CRITICAL,
    )
    assert alert.summary == "core-1 does not answer"
    assert alert.fired_at == NOON
    assert dict(alert.labels) == {"alertname": "DeviceUnreachable", "device": "core-1", "site": "berlin"}
    rounds.round()
    assert alerts.open_alerts(cast.bob, AlertFilter()) == []
    assert alerts.alert(cast.bob, alert.id).resolved_at == NOON + timedelta(seconds=15)
    assert [entry.kind for entry in alerts.timeline(cast.bob, alert.id)] == ["fired", "resolved"]


def test_a_new_appearance_is_a_new_episode(cast: Cast) -> None:
    rounds = Rounds(cast.alice)
    for rows in ([down("core-1")], [], [down("core-1")]):
        rounds.round(*rows)
    episodes = alerts.open_alerts(cast.alice, ANY)
    assert [alert.state for alert in episodes] == [State.FIRING, State.RESOLVED]
    assert episodes[0].fired_at == NOON + timedelta(seconds=30)
    assert len({alert.fingerprint for alert in episodes}) == 1


def test_a_pending_alert_that_vanishes_leaves_nothing(cast: Cast) -> None:
    rounds = Rounds(cast.alice, waits(for_s=60))
    rounds.round(down("core-1"))
    assert [alert.state for alert in alerts.open_alerts(cast.alice, ANY)] == [State.PENDING]
    rounds.round()
    assert alerts.open_alerts(cast.alice, ANY) == []


def test_pending_becomes_firing_once_it_has_waited(cast: Cast) -> None:
    rounds = Rounds(cast.alice, waits(for_s=30))
    states = []
    for _ in range(4):
        rounds.round(down("core-1"))
        states += [alert.state for alert in alerts.open_alerts(cast.alice, ANY)]
    assert states == ["pending", "pending", "firing", "firing"]


def test_a_failing_query_freezes_the_alerts_and_marks_the_rule(cast: Cast) -> None:
    rounds = Rounds(cast.alice)
    rounds.round(down("core-1"))
    rounds.round(error="too many samples")
    [stored] = rules.group(cast.alice, rounds.group_id).rules
    assert (stored.health, stored.last_error, stored.state) == ("error", "too many samples", "firing")
    rounds.round(down("core-1"))
    [stored] = rules.group(cast.alice, rounds.group_id).rules
    assert (stored.health, stored.last_error) == ("ok", "")
    [alert] = alerts.open_alerts(cast.alice, ANY)
    assert (alert.fired_at, alert.version) == (NOON, 1)


def test_two_results_with_the_same_labels_fail_the_evaluation(cast: Cast) -> None:
    rounds = Rounds(cast.alice, Rule("R", "x", labels={"device": "all"}))
    rounds.round(down("core-1"), down("core-2"))
    [stored] = rules.group(cast.alice, rounds.group_id).rules
    assert stored.health == "error"
    assert "same labels" in stored.last_error
    assert alerts.open_alerts(cast.alice, ANY) == []


def test_value_and_texts_are_refreshed_without_a_new_version(cast: Cast) -> None:
    rule = Rule("Hot", "t", annotations={"summary": "{{ $value }} degrees"})
    rounds = Rounds(cast.alice, rule)
    for value in (70.0, 71.5):
        rounds.round(((("device", "core-1"),), value))
    [alert] = alerts.open_alerts(cast.alice, AlertFilter())
    assert (alert.value, alert.summary, alert.version) == (71.5, "71.5 degrees", 1)


def test_a_slot_is_evaluated_once(cast: Cast) -> None:
    rounds = Rounds(cast.alice)
    assert rounds.evaluate(NOON) is Outcome.EVALUATED
    assert rounds.evaluate(NOON) is Outcome.TAKEN
    assert rounds.evaluate(NOON - timedelta(seconds=15)) is Outcome.TAKEN


def test_a_job_that_comes_too_late_is_skipped_and_counts_as_missed(cast: Cast) -> None:
    rounds = Rounds(cast.alice)
    rounds.evaluate(NOON)
    late = NOON + timedelta(seconds=INTERVAL_S)
    assert rounds.evaluate(late, now=late + timedelta(seconds=2 * INTERVAL_S)) is Outcome.MISSED
    rounds.evaluate(late + timedelta(seconds=INTERVAL_S))
    assert rules.group(cast.alice, rounds.group_id).missed == 1


def test_an_outage_does_not_count_as_waiting(cast: Cast) -> None:
    rounds = Rounds(cast.alice, waits(for_s=60))
    rounds.round(down("core-1"))
    rounds.round(down("core-1"))
    rounds.round(down("core-1"), after_s=1800)
    [alert] = alerts.open_alerts(cast.alice, ANY)
    assert alert.state is State.PENDING
    assert alert.active_at == NOON + timedelta(seconds=1800)
    for _ in range(3):
        rounds.round(down("core-1"))
    [alert] = alerts.open_alerts(cast.alice, ANY)
    assert alert.state is State.FIRING


def test_what_fires_before_an_outage_goes_on_in_the_same_episode(cast: Cast) -> None:
    rounds = Rounds(cast.alice)
    rounds.round(down("core-1"))
    rounds.round(down("core-1"), after_s=7200)
    [alert] = alerts.open_alerts(cast.alice, ANY)
    assert (alert.state, alert.fired_at) == (State.FIRING, NOON)


def test_a_pending_alert_is_forgotten_in_a_long_outage(cast: Cast) -> None:
    rounds = Rounds(cast.alice, waits(for_s=60))
    rounds.round(down("core-1"))
    rounds.round(down("core-1"), after_s=7200)
    [alert] = alerts.open_alerts(cast.alice, ANY)
    assert alert.active_at == NOON + timedelta(seconds=7200)


def test_due_groups_are_put_on_the_queue_once_a_slot(cast: Cast, valkey: Redis) -> None:
    Rounds(cast.alice)
    queue = Queue("rules", connection=valkey, serializer=JSONSerializer)
    assert enqueue_due_groups(NOON) == 1
    assert enqueue_due_groups(NOON + timedelta(seconds=1)) == 0
    assert enqueue_due_groups(NOON + timedelta(seconds=15)) == 1
    assert [job.kwargs["slot_ms"] // 1000 for job in queue.jobs] == [
        int(NOON.timestamp()),
        int(NOON.timestamp()) + INTERVAL_S,
    ]


def test_a_job_that_names_another_tenant_finds_nothing(cast: Cast) -> None:
    rounds = Rounds(cast.alice)
    slot_ms = int(NOON.timestamp() * 1000)
    forged = evaluate_group(cast.globex, rounds.group_id, slot_ms, query=rounds.source, now=NOON)
    assert forged is Outcome.GONE
    assert rounds.evaluate(NOON) is Outcome.EVALUATED


def test_charlie_of_globex_sees_none_of_it(cast: Cast) -> None:
    rounds = Rounds(cast.alice)
    rounds.round(down("core-1"))
    assert alerts.open_alerts(cast.charlie, ANY) == []
    assert rounds.group_id not in {group.id for group in rules.groups(cast.charlie)}
