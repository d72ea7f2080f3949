"""A stop that load balancers see coming: /readyz says 503 for some checks before the listener closes.

One small piece of memory that gunicorn's master shares with its workers. Where nobody asks /readyz, nobody waits.
"""

from __future__ import annotations

import mmap
import signal
from queue import Empty
from typing import Any, Final

from app import clock

# Who asked within this is a balancer that goes on asking.
ASKED_WITHIN_S: Final = 15.0
# So many answers are two checks of two balancers; with one that checks rarely the stop is not put off longer than this.
ENOUGH_ANSWERS: Final = 4
MOST_S: Final = 10.0
POLL_S: Final = 0.05


class Draining:
    """When /readyz was last asked, since when it says no, and how often it has said so."""

    def __init__(self) -> None:
        # Anonymous and shared: made before the fork, seen by all. Monotonic seconds, 0 = never.
        self._memory = memoryview(mmap.mmap(-1, 24)).cast("d")

    def is_on(self) -> bool:
        """For /readyz: whether to say that this server is being stopped. Counts the question."""
        self._memory[0] = clock.monotonic_s()
        if self._memory[1]:
            self._memory[2] += 1  # two at once may count as one: the stop is a check later then
        return bool(self._memory[1])

    def begin(self) -> bool:
        """Say no from now on; answers whether anybody is there to hear it."""
        self._memory[1] = now = clock.monotonic_s()
        return bool(self._memory[0]) and now - self._memory[0] < ASKED_WITHIN_S

    def is_over(self) -> bool:
        """Whether it was said often enough, or long enough."""
        return self._memory[2] >= ENOUGH_ANSWERS or clock.monotonic_s() - self._memory[1] > MOST_S


_draining: Draining | None = None


def draining() -> Draining | None:
    """That of this process and its master; None where there is no gunicorn."""
    return _draining


def watch_stop(arbiter: Any) -> None:
    """Put the draining before gunicorn's own handling of SIGTERM; for its `on_starting`."""
    global _draining  # noqa: PLW0603  the workers inherit it
    _draining = board = Draining()
    stop = arbiter.handle_term

    def handle_term() -> None:
        if board.begin():
            while not board.is_over() and not _is_urgent(arbiter):
                pass
        stop()

    arbiter.handle_term = handle_term


def _is_urgent(arbiter: Any) -> bool:
    """Wait a moment; whether somebody wants the end at once."""
    try:
        number = arbiter.SIG_QUEUE.get(timeout=POLL_S)
    except Empty:
        return False
    return number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
