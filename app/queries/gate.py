"""How many queries of PromQL run at once in this process, whose turn it is, and how they end before their time.

A web process has eight threads. Four may compute; three more may wait for long; whoever comes when all those are taken
and slow queries run waits a moment and is refused, so that a thread is always near for everything else. No tenant takes
all places, and a free place goes to the tenant with the fewest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import count
from threading import Condition, Lock, Thread
from typing import Final

import psycopg

from app import clock
from app.domain.tenancy import TenantId
from app.errors import Overloaded, Unavailable
from app.promql.limits import never
from models.bounds import StatementBounds

MOST_RUNNING: Final = 4
MOST_OF_TENANT: Final = 3
MOST_WAITING: Final = 3
MOST_WAITING_OF_TENANT: Final = 2
WAIT_S: Final = 10.0
SHORT_WAIT_S: Final = 1.0
# A page asks a dozen things at once, and on a cold machine each may take a second: that is no reason to refuse.
SLOW_AFTER_S: Final = 3.0
RETRY_AFTER_S: Final = 2
LOOK_EACH_S: Final = 0.1


_caller_gone: ContextVar[Callable[[], bool]] = ContextVar("caller gone", default=never)


@dataclass
class Spent:
    """How long a query waited for its place, and how long it took then."""

    queued_s: float = 0.0
    worked_s: float = 0.0


@dataclass(eq=False)
class _Waiting:
    tenant: TenantId
    number: int
    is_called: bool = False


@dataclass
class Gate:
    """Places for queries, by tenant; safe for threads."""

    most_running: int = MOST_RUNNING
    most_of_tenant: int = MOST_OF_TENANT
    wait_s: float = WAIT_S
    short_wait_s: float = SHORT_WAIT_S
    slow_after_s: float = SLOW_AFTER_S
    _running: dict[TenantId, int] = field(default_factory=dict)
    _began_s: list[float] = field(default_factory=list)
    _waiting: list[_Waiting] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)
    _change: Condition = field(default_factory=Condition)

    @contextmanager
    def place(self, tenant: TenantId, spent: Spent | None = None) -> Iterator[None]:
        """Hold a place while inside; raises Overloaded or Unavailable when there is none in time."""
        spent = spent or Spent()
        asked_s = clock.monotonic_s()
        self._enter(tenant)
        began_s = clock.monotonic_s()
        spent.queued_s = began_s - asked_s
        with self._change:
            self._began_s.append(began_s)
        try:
            yield
        finally:
            spent.worked_s = clock.monotonic_s() - began_s
            with self._change:
                self._began_s.remove(began_s)
                self._running[tenant] -= 1
                self._call_next()

    def running(self) -> int:
        """How many queries hold a place."""
        return sum(self._running.values())

    def waiting(self) -> int:
        """How many queries wait for one."""
        return len(self._waiting)

    def _enter(self, tenant: TenantId) -> None:
        with self._change:
            me = _Waiting(tenant, next(self._numbers))
            of_tenant = sum(each.tenant == tenant for each in self._waiting)
            may_wait = len(self._waiting) < MOST_WAITING and of_tenant < MOST_WAITING_OF_TENANT
            self._waiting.append(me)
            self._call_next()
            if self._wait(me, may_wait=may_wait):
                return
            self._waiting.remove(me)
            holds_all = self._running.get(tenant, 0) >= self.most_of_tenant
        if holds_all:
            raise Overloaded(
                f"too many queries at once: {self.most_of_tenant} of this tenant are running, try again later",
                retry_after_s=RETRY_AFTER_S,
            )
        raise Unavailable("a free place for one more query", retry_after_s=RETRY_AFTER_S)

    def _wait(self, me: _Waiting, *, may_wait: bool) -> bool:
        came_s = clock.monotonic_s()
        while not me.is_called:
            now_s = clock.monotonic_s()
            is_slow = any(now_s - began_s >= self.slow_after_s for began_s in self._began_s)
            waited_s = now_s - came_s
            if waited_s >= self.wait_s or (not may_wait and is_slow and waited_s >= self.short_wait_s):
                return False
            self._change.wait(min(self.short_wait_s, self.wait_s - waited_s))
        return True

    def _call_next(self) -> None:
        """Give free places away: to the tenant with the fewest, and there to who came first."""
        while self.running() < self.most_running:
            able = [each for each in self._waiting if self._running.get(each.tenant, 0) < self.most_of_tenant]
            if not able:
                break
            chosen = min(able, key=lambda each: (self._running.get(each.tenant, 0), each.number))
            self._waiting.remove(chosen)
            self._running[chosen.tenant] = self._running.get(chosen.tenant, 0) + 1
            chosen.is_called = True
        self._change.notify_all()


class Watcher:
    """Looks ten times a second whether anybody still waits for the queries that run, and ends the others.

    Its thread lives only while there is something to look at.
    """

    def __init__(self) -> None:
        self._watched: dict[StatementBounds, Callable[[], bool]] = {}
        self._lock = Lock()
        self._change = Condition(self._lock)
        self._thread: Thread | None = None

    @contextmanager
    def watch(self, bounds: StatementBounds, is_gone: Callable[[], bool]) -> Iterator[None]:
        """Cancel `bounds` as soon as `is_gone` answers yes while inside."""
        with self._change:
            self._watched[bounds] = is_gone
            self._change.notify_all()
            if self._thread is None:
                self._thread = Thread(target=self._look, name="query watcher", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._change:
                del self._watched[bounds]

    def _look(self) -> None:
        while True:
            with self._change:
                if not self._watched and not self._change.wait_for(lambda: self._watched, 5 * LOOK_EACH_S):
                    self._thread = None
                    return
                self._change.wait(LOOK_EACH_S)
                now = list(self._watched.items())
            for bounds, is_gone in now:
                if not bounds.is_cancelled and is_gone():
                    _cancel(bounds)


def set_caller(is_gone: Callable[[], bool]) -> None:
    """From now on this thread works for a caller who has gone when `is_gone` says so; the door sets it per request."""
    _caller_gone.set(is_gone)


def caller_gone() -> Callable[[], bool]:
    """Whether the caller of this thread's request has gone; outside of a request nobody goes."""
    return _caller_gone.get()


def _cancel(bounds: StatementBounds) -> None:
    try:
        bounds.cancel()
    except psycopg.Error:
        # The server did not take it; statement_timeout ends the statement then.
        return


def remaining_s(deadline_s: float) -> float:
    """Seconds until a moment of the monotonic clock."""
    return deadline_s - clock.monotonic_s()
