"""The scheduler: SCHEDULE says what runs how often. Several may run; the one that holds the lease leads.

Each moment of each entry is claimed in Valkey before it is acted on, so that a change of leader doubles nothing.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy.exc import DBAPIError

from app import clock, jobs
from app.actions import evaluations, models, notifications, received_alerts
from app.queries.devices import all_tenants
from app.runtime.process import close_process, open_process, run_until_stopped
from app.settings import Settings
from app.valkey import valkey

log = logging.getLogger(__name__)

TICK_S = 0.2
LEASE = "schedule:leader"
LEASE_MS = 5_000
# An entry that nobody works off is not queued again and again.
MOST_WAITING = 200
_RENEW: Final = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) end"


@dataclass(frozen=True)
class Timed:
    """Something that is due every `every_s` seconds, counted from 1970."""

    name: str
    every_s: float
    act: Callable[[], object]


def queue_once(job: jobs.Job) -> Callable[[], None]:
    """Queue a job without arguments, unless workers are far behind."""

    def act() -> None:
        waiting = Queue(job.queue, connection=valkey(), serializer=JSONSerializer).count
        if waiting < MOST_WAITING:
            jobs.enqueue(job)
        else:
            log.warning("not queued, %d jobs wait on %s", waiting, job.queue, extra={"job": job.function})

    return act


def evaluate_due_groups() -> int:
    """Queue the rule groups whose time has come."""
    return evaluations.enqueue_due_groups(clock.utc_now())


def deliver_due_messages() -> int:
    """Queue the messages of the outbox that are due."""
    return notifications.enqueue_due(clock.utc_now())


def expire_due_alerts() -> int:
    """Queue the tenants with alerts from outside that nobody has sent again."""
    return received_alerts.enqueue_expired(clock.utc_now())


def for_each_tenant(job: jobs.Job, every_s: float) -> Callable[[], None]:
    """An entry that queues a job of every tenant; of one that is queued no second one for nearly `every_s`."""

    def queue() -> None:
        for tenant in all_tenants():
            if valkey().set(f"queued:{job.function}:{tenant}", 1, nx=True, ex=max(1, round(every_s) - 5)):
                jobs.enqueue(job, tenant=tenant)

    return queue


def train_everywhere() -> None:
    """Queue the training of every tenant whose models are due, or whose training stopped half-way."""
    for tenant in all_tenants():
        run = models.due_run(tenant, clock.utc_now())
        if run is not None:
            jobs.enqueue(jobs.TRAIN, tenant=tenant, run=run)


SCHEDULE: Final[Sequence[Timed]] = (
    Timed("evaluate", 1, evaluate_due_groups),
    Timed("deliver", 2, deliver_due_messages),
    Timed("expire", 5, expire_due_alerts),
    Timed("sweep", 2, queue_once(jobs.SWEEP)),
    Timed("detect", 60, for_each_tenant(jobs.DETECT, 60)),
    Timed("compare", 600, for_each_tenant(jobs.COMPARE, 600)),
    Timed("capacity", 60, for_each_tenant(jobs.CAPACITY, 60)),
    Timed("forecast", 300, for_each_tenant(jobs.FORECAST, 300)),
    Timed("train", 300, train_everywhere),
    Timed("drift", 21_600, for_each_tenant(jobs.DRIFT, 21_600)),
    Timed("compact", 300, queue_once(jobs.COMPACT)),
    Timed("retain", 3600, queue_once(jobs.RETAIN)),
    Timed("purge", 86_400, queue_once(jobs.PURGE)),
    Timed("forget", 3600, queue_once(jobs.FORGET)),
)


class Scheduler:
    """One scheduler process; do_once() is one tick."""

    def __init__(self, schedule: Sequence[Timed] = SCHEDULE) -> None:
        self.schedule = schedule
        self.name = secrets.token_hex(8)

    def do_once(self) -> None:
        """Lead, and act on what is due; a server that is away costs this tick and no more."""
        try:
            if self.leads():
                self.act(clock.now_ms())
        except (RedisError, DBAPIError) as error:
            log.warning("tick failed: %s", error)

    def leads(self) -> bool:
        """Whether this scheduler holds the lease; takes it when it is free."""
        if valkey().set(LEASE, self.name, nx=True, px=LEASE_MS):
            log.info("leading")
            return True
        return bool(valkey().eval(_RENEW, 1, LEASE, self.name, LEASE_MS))

    def act(self, now_ms: int) -> list[str]:
        """Do what is due at `now_ms` and was not done by another leader; answers the names."""
        done = []
        for timed in self.schedule:
            every_ms = round(timed.every_s * 1000)
            moment = now_ms // every_ms
            if valkey().set(f"schedule:{timed.name}:{moment}", self.name, nx=True, px=max(2 * every_ms, 10_000)):
                timed.act()
                done.append(timed.name)
        return done

    def release(self) -> None:
        """Let another lead at once."""
        if valkey().get(LEASE) == self.name.encode():
            valkey().delete(LEASE)


def main(settings: Settings) -> None:
    """The scheduler process."""
    open_process(settings, "worker", pool_size=2)
    scheduler = Scheduler()
    run_until_stopped(scheduler.do_once, every_s=TICK_S)
    try:
        scheduler.release()
    except RedisError:
        log.info("the lease runs out by itself")
    close_process()
