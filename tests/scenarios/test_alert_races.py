"""Many hands at the same alert at the same moment: one evaluates, one acknowledges, one sends."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from ipaddress import ip_network
from threading import Barrier
from typing import TypeVar

import pytest
from redis import Redis

from app.actions import alerts
from app.actions.channels import ChannelDraft, create_channel
from app.actions.evaluations import Outcome
from app.actions.notifications import Result, deliver
from app.auth.sealing import open_keyring
from app.clock import utc_now
from app.notify.base import Outbound, use_outbound
from app.queries.alerts import AlertFilter, open_alerts
from app.queries.channels import deliveries
from tests.factories.alerting import Rounds, down
from tests.factories.cast import Cast, create_cast
from tests.factories.servers import SECRET_KEY
from tests.fakes.http_receiver import http_receiver

T = TypeVar("T")
HANDS = 4


def at_once(act: Callable[[], T]) -> list[T]:
    """What `act` answers to each of HANDS that do it at the same moment."""
    barrier = Barrier(HANDS)

    def hand(_: int) -> T:
        barrier.wait()
        return act()

    with ThreadPoolExecutor(HANDS) as pool:
        return list(pool.map(hand, range(HANDS)))


@pytest.fixture
def cast(own_db: str, valkey: Redis) -> Cast:
    open_keyring(SECRET_KEY)
    use_outbound(Outbound(allow=(ip_network("127.0.0.0/8"),)))
    return create_cast()


def test_one_worker_evaluates_a_moment(cast: Cast) -> None:
    rounds = Rounds(cast.alice)
    rounds.source.rows = [down(f"core-{index}") for index in range(20)]
    outcomes = at_once(lambda: rounds.evaluate(rounds.start))
    assert sorted(outcomes) == sorted([Outcome.EVALUATED] + [Outcome.TAKEN] * (HANDS - 1))
    assert len(open_alerts(cast.alice, AlertFilter())) == 20


def test_one_person_acknowledges_and_the_others_hear_who(cast: Cast) -> None:
    rounds = Rounds(cast.alice)
    rounds.round(down("core-1"))
    [alert] = open_alerts(cast.alice, AlertFilter())
    outcomes = at_once(lambda: alerts.acknowledge(cast.bob, [alert.id]))
    assert sum(outcome.done == (alert.id,) for outcome in outcomes) == 1
    refusals = [outcome.refused[0].reason for outcome in outcomes if outcome.refused]
    assert len(refusals) == HANDS - 1
    assert all(reason.startswith("acknowledged by Bob") for reason in refusals)


def test_one_worker_sends_a_message(cast: Cast) -> None:
    with http_receiver() as receiver:
        create_channel(cast.alice, ChannelDraft("hook", "webhook", {"url": receiver.url}))
        Rounds(cast.alice, start=utc_now().replace(microsecond=0)).round(down("core-1"))
        [item] = deliveries(cast.alice)
        now = utc_now() + timedelta(seconds=1)
        results = at_once(lambda: deliver(cast.acme, item.id, now=now))
        assert sorted(results) == sorted([Result.SENT] + [Result.NOT_DUE] * (HANDS - 1))
        assert len(receiver.requests) == 1


def test_a_round_and_a_person_do_not_lose_each_others_changes(cast: Cast) -> None:
    rounds = Rounds(cast.alice)
    rounds.round(*(down(f"core-{index}") for index in range(20)))
    ids = [alert.id for alert in open_alerts(cast.alice, AlertFilter())]
    with ThreadPoolExecutor(2) as pool:
        person = pool.submit(alerts.acknowledge, cast.bob, ids)
        machine = pool.submit(rounds.round)
        assert machine.result() is Outcome.EVALUATED
        outcome = person.result()
    assert len(outcome.done) + len(outcome.refused) == 20
    assert open_alerts(cast.alice, AlertFilter()) == []
