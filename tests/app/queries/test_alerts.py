"""Lists, counts, history and causes of alerts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from redis import Redis

from app.actions import alerts as actions
from app.domain.alerting.alert import Severity
from app.domain.alerting.rules import Rule
from app.domain.alerting.state import State
from app.domain.labels import Labels, labels_of
from app.errors import NotFound
from app.queries import alerts
from app.queries.alerts import AlertFilter
from tests.factories.alerting import NOON, Rounds
from tests.factories.cast import Cast

PLACES = (
    ("core-1", "berlin", "critical"),
    ("acc-7", "berlin", "minor"),
    ("acc-9", "hamburg", "minor"),
    ("fw_1", "hamburg", "major"),
)


def row(device: str, site: str, severity: str, **labels: str) -> tuple[Labels, float]:
    return labels_of({"device": device, "site": site, "severity": severity, **labels}), 1.0


@pytest.fixture
def rounds(cast: Cast, valkey: Redis) -> Rounds:
    rounds = Rounds(cast.alice, Rule("Trouble", "x", annotations={"summary": "{{ $labels.device }}: 100% trouble"}))
    rounds.round(*(row(*place) for place in PLACES))
    return rounds


@pytest.mark.parametrize(
    ("filters", "devices"),
    [
        pytest.param(
            AlertFilter(), ["core-1", "fw_1", "acc-7", "acc-9"], id="worst first, then newest, then by device"
        ),
        pytest.param(AlertFilter(severities=frozenset({Severity.MINOR})), ["acc-7", "acc-9"], id="severity"),
        pytest.param(AlertFilter(site="hamburg", order="device"), ["acc-9", "fw_1"], id="site, by device"),
        pytest.param(AlertFilter(device="core-1"), ["core-1"], id="device"),
        pytest.param(AlertFilter(text="ACC-"), ["acc-7", "acc-9"], id="text, whatever its case"),
        pytest.param(AlertFilter(text="fw_"), ["fw_1"], id="an underscore is one"),
        pytest.param(AlertFilter(text="100%"), ["core-1", "fw_1", "acc-7", "acc-9"], id="a per cent sign is one"),
        pytest.param(AlertFilter(text="' or 1=1 --"), [], id="no way out of the text"),
        pytest.param(AlertFilter(states=frozenset({State.PENDING})), [], id="state"),
        pytest.param(AlertFilter(limit=1), ["core-1"], id="limit"),
        pytest.param(AlertFilter(since=NOON + timedelta(seconds=1)), [], id="since"),
    ],
)
def test_filters(cast: Cast, rounds: Rounds, filters: AlertFilter, devices: list[str]) -> None:
    assert [alert.device for alert in alerts.open_alerts(cast.vera, filters)] == devices


def test_needs_action_is_what_nobody_has_taken(cast: Cast, rounds: Rounds) -> None:
    ids = {alert.device: alert.id for alert in alerts.open_alerts(cast.bob, AlertFilter())}
    actions.acknowledge(cast.bob, [ids["core-1"]])
    actions.assign(cast.bob, [ids["acc-7"]], user_id=cast.bob.user_id)
    assert {alert.device for alert in alerts.open_alerts(cast.bob, AlertFilter(needs_action=True))} == {"acc-9", "fw_1"}
    assert alerts.triage_counts(cast.bob) == {
        "firing": 4,
        "needs_action": 2,
        "mine": 1,
        "snoozed": 0,
        "pending": 0,
    }


def test_counts_name_every_severity(cast: Cast, rounds: Rounds) -> None:
    assert alerts.counts(cast.vera) == {
        Severity.CRITICAL: 1,
        Severity.MAJOR: 1,
        Severity.MINOR: 2,
        Severity.WARNING: 0,
        Severity.UNKNOWN: 0,
    }


def test_history_has_every_bucket(cast: Cast, rounds: Rounds) -> None:
    rounds.round(row("core-2", "berlin", "critical"), after_s=1800)
    buckets = alerts.history(cast.vera, start=NOON - timedelta(minutes=15), end=NOON + timedelta(minutes=45))
    assert [bucket.at for bucket in buckets] == [NOON + timedelta(minutes=15 * index) for index in range(-1, 3)]
    assert [sum(bucket.counts.values()) for bucket in buckets] == [0, 4, 0, 1]
    assert buckets[1].counts[Severity.MINOR] == 2


def test_episodes_of_one_label_set(cast: Cast, rounds: Rounds) -> None:
    rounds.round()
    rounds.round(row(*PLACES[0]))
    [alert] = alerts.open_alerts(cast.vera, AlertFilter(device="core-1"))
    episodes = alerts.episodes(cast.vera, alert.fingerprint, since=NOON)
    assert [item.state for item in episodes] == [State.FIRING, State.RESOLVED]


def test_charlie_of_globex_sees_nothing(cast: Cast, rounds: Rounds) -> None:
    [alert, *_] = alerts.open_alerts(cast.alice, AlertFilter())
    assert alerts.open_alerts(cast.charlie, AlertFilter(states=frozenset(State))) == []
    assert set(alerts.counts(cast.charlie).values()) == {0}
    assert set(alerts.triage_counts(cast.charlie).values()) == {0}
    buckets = alerts.history(cast.charlie, start=NOON, end=NOON + timedelta(hours=1))
    assert sum(sum(bucket.counts.values()) for bucket in buckets) == 0
    assert alerts.episodes(cast.charlie, alert.fingerprint, since=NOON) == []
    for ask in (alerts.alert, alerts.timeline):
        with pytest.raises(NotFound):
            ask(cast.charlie, alert.id)
