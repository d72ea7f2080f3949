"""One worker at a time does a thing; who comes second goes away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from redis.exceptions import LockError

from app.valkey import valkey


@contextmanager
def turn(what: str, *, longest_s: float) -> Iterator[bool]:
    """Whether it is our turn, for the time of the block; a worker that dies has had it after `longest_s`."""
    lock = valkey().lock(f"lease:{what}", timeout=longest_s, blocking=False)
    is_ours = bool(lock.acquire())
    try:
        yield is_ours
    finally:
        if is_ours:
            # It took longer than it may, and may be another one's turn by now.
            with suppress(LockError):
                lock.release()
