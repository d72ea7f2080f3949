"""What holds for the statements of one query: how long they may still take, and how another thread ends them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import Any


class StatementBounds:
    """The bounds of one query; `remaining_s` answers how many seconds it has left."""

    def __init__(self, remaining_s: Callable[[], float]) -> None:
        self.is_cancelled = False
        self._remaining_s = remaining_s
        self._lock = Lock()
        self._driver: Any = None

    def timeout_ms(self) -> int:
        """For Postgres's statement_timeout, where 0 would mean no limit."""
        return max(1, int(self._remaining_s() * 1000))

    @contextmanager
    def holding(self, driver: Any) -> Iterator[None]:
        """While inside, cancel() ends the statement that this psycopg connection runs."""
        with self._lock:
            self._driver = driver
        try:
            yield
        finally:
            # Waits for a cancel() that is just being sent: it must not hit the connection's next user.
            with self._lock:
                self._driver = None

    def cancel(self) -> None:
        """End the statement that runs now, if any, from another thread."""
        with self._lock:
            self.is_cancelled = True
            if self._driver is not None:
                self._driver.cancel_safe(timeout=2.0)


_current: ContextVar[StatementBounds | None] = ContextVar("statement bounds", default=None)


def current_bounds() -> StatementBounds | None:
    """The bounds of the query that this thread runs; None outside of one."""
    return _current.get()


@contextmanager
def bounded(bounds: StatementBounds) -> Iterator[None]:
    """Make `bounds` hold for the connections that this thread opens inside."""
    token = _current.set(bounds)
    try:
        yield
    finally:
        _current.reset(token)
