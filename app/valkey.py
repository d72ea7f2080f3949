"""The connection to Valkey (or Redis 7.2+): made once by the main of a process."""

from __future__ import annotations

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import BusyLoadingError, ConnectionError, TimeoutError
from redis.retry import Retry

_client: Redis | None = None


def open_valkey(url: str) -> Redis:
    """Connect this process; connections are opened when first used. Replies are bytes."""
    return use_valkey(
        Redis.from_url(
            url,
            socket_timeout=10,
            socket_connect_timeout=2,
            health_check_interval=30,
            retry=Retry(ExponentialBackoff(cap=0.5, base=0.02), retries=3),
            retry_on_error=[ConnectionError, TimeoutError, BusyLoadingError],
        )
    )


def use_valkey(client: Redis) -> Redis:
    """Make `client` the one that this process uses."""
    global _client  # noqa: PLW0603  the process has one; this is where it is kept
    _client = client
    return client


def valkey() -> Redis:
    """The client of this process."""
    assert _client is not None, "open_valkey() was not called"
    return _client
