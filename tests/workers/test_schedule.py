"""The scheduler: one leads, each moment is acted on once, and nothing is lost when the leader dies."""

from __future__ import annotations

import pytest
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from app import jobs
from app.valkey import use_valkey
from workers.schedule import LEASE, MOST_WAITING, SCHEDULE, Scheduler, Timed, queue_once


@pytest.fixture
def done() -> list[str]:
    """What was acted on, in order."""
    return []


@pytest.fixture
def schedule(done: list[str]) -> tuple[Timed, ...]:
    """Something every second, something every ten."""
    return (Timed("often", 1, lambda: done.append("often")), Timed("seldom", 10, lambda: done.append("seldom")))


def test_each_moment_is_acted_on_once(valkey: Redis, schedule: tuple[Timed, ...], done: list[str]) -> None:
    scheduler = Scheduler(schedule)
    for now_ms in range(20_000, 32_000, 200):
        scheduler.act(now_ms)
    assert done.count("often") == 12
    assert done.count("seldom") == 2


def test_two_schedulers_double_nothing(valkey: Redis, schedule: tuple[Timed, ...], done: list[str]) -> None:
    one, two = Scheduler(schedule), Scheduler(schedule)
    for now_ms in range(20_000, 25_000, 500):
        one.act(now_ms)
        two.act(now_ms)
    assert done.count("often") == 5


def test_one_leads_until_it_lets_go(valkey: Redis) -> None:
    one, two = Scheduler(()), Scheduler(())
    assert one.leads()
    assert one.leads()
    assert not two.leads()
    two.release()
    assert one.leads()
    one.release()
    assert two.leads()


def test_a_leader_that_died_is_followed_when_its_lease_ends(valkey: Redis) -> None:
    one, two = Scheduler(()), Scheduler(())
    assert one.leads()
    assert 0 < valkey.pttl(LEASE) <= 5_000
    valkey.delete(LEASE)
    assert two.leads()
    assert not one.leads()


def test_a_tick_without_valkey_is_lost_and_no_more(schedule: tuple[Timed, ...], done: list[str], valkey: Redis) -> None:
    scheduler = Scheduler(schedule)
    use_valkey(Redis(port=1, socket_connect_timeout=1))
    scheduler.do_once()
    assert done == []
    use_valkey(valkey)
    scheduler.do_once()
    assert done == ["often", "seldom"]


def test_what_nobody_works_off_is_not_queued_again_and_again(valkey: Redis) -> None:
    act = queue_once(jobs.SWEEP)
    for _ in range(MOST_WAITING + 20):
        act()
    assert Queue(jobs.SWEEP.queue, connection=valkey, serializer=JSONSerializer).count == MOST_WAITING


def test_rules_and_messages_do_not_wait_longer_than_they_must() -> None:
    every_s = {timed.name: timed.every_s for timed in SCHEDULE}
    assert every_s["evaluate"] <= 1
    assert every_s["deliver"] <= 2
