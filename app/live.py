"""Changes for open screens: publish() in the place where something changed, subscribe() and Hub in the push process.

A message is lost when nobody listens; screens re-read when they connect.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from redis.asyncio import Redis as AsyncRedis

from app.clock import now_ms
from app.valkey import valkey

# Topics: "alerts" (an alert changed), "samples" (new samples are stored), "devices", "authz" (re-check sessions).
CHANNEL = "live:{tenant}:{topic}"
# A listener that is further behind than this is told to read anew.
MOST_WAITING: Final = 8
# Changes are gathered this long, so that a listener hears a topic at most four times a second.
GATHER_S: Final = 0.25
MOST_GATHERED: Final = 200
RESYNC: Final = b'{"type":"resync"}'


def channel(tenant: int, topic: str) -> str:
    """The pub/sub channel of one topic of one tenant."""
    return CHANNEL.format(tenant=tenant, topic=topic)


def publish(tenant: int, topic: str, message: dict[str, Any]) -> None:
    """Tell open screens of `tenant` that something changed; `message` is small JSON (ids, not data)."""
    valkey().publish(channel(tenant, topic), msgspec.json.encode(message))


@dataclass(frozen=True)
class Change:
    """One published message."""

    tenant: int
    topic: str
    message: dict[str, Any]


async def subscribe(client: AsyncRedis) -> AsyncIterator[Change]:
    """Every change of every tenant, for as long as the connection stands; raises redis's ConnectionError."""
    async with client.pubsub() as pubsub:
        await pubsub.psubscribe(channel("*", "*"))  # type: ignore[arg-type]  # the pattern takes the place of an id
        async for event in pubsub.listen():
            if event["type"] != "pmessage":
                continue
            _, tenant, topic = event["channel"].decode().split(":", 2)
            yield Change(int(tenant), topic, msgspec.json.decode(event["data"]))


@dataclass(eq=False)
class Listener:
    """One open stream: what waits to be sent to it, and which topics it hears."""

    tenant: int
    topics: frozenset[str]
    waiting: asyncio.Queue[bytes] = field(default_factory=lambda: asyncio.Queue(MOST_WAITING))

    def tell(self, message: bytes) -> None:
        """Queue a message; when too many wait, throw them away and ask for a fresh start instead."""
        if self.waiting.full():
            while not self.waiting.empty():
                self.waiting.get_nowait()
            message = RESYNC
        self.waiting.put_nowait(message)


# What is added to a gathered change of a topic, such as the counts of open alerts.
Enrich = Callable[[int, str], Awaitable[dict[str, Any]]]


class Hub:
    """Hands each change to the listeners of its tenant and topic: gathered, numbered, encoded once for all.

    Numbers start at the present moment in ms, so that they also grow over a restart.
    """

    def __init__(self, enrich: Enrich) -> None:
        self._enrich = enrich
        self._listeners: dict[int, set[Listener]] = {}
        self._gathered: dict[tuple[int, str], list[dict[str, Any]]] = {}
        self._numbers: dict[tuple[int, str], int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._first_number = now_ms()

    def add(self, listener: Listener) -> None:
        """Let a listener hear from now on."""
        self._listeners.setdefault(listener.tenant, set()).add(listener)

    def remove(self, listener: Listener) -> None:
        """Forget a listener."""
        group = self._listeners.get(listener.tenant, set())
        group.discard(listener)
        if not group:
            self._listeners.pop(listener.tenant, None)

    def number(self, tenant: int, topic: str) -> int:
        """The number of the last message of a topic."""
        return self._numbers.get((tenant, topic), self._first_number)

    def take(self, change: Change) -> None:
        """Gather a change; a tenant nobody listens for costs nothing."""
        if change.tenant not in self._listeners:
            return
        key = (change.tenant, change.topic)
        if key in self._gathered:
            if len(self._gathered[key]) < MOST_GATHERED:
                self._gathered[key].append(change.message)
            return
        self._gathered[key] = [change.message]
        task = asyncio.get_running_loop().create_task(self._send_soon(key))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def tell_all(self, message: bytes) -> None:
        """Queue a message for everybody."""
        for group in self._listeners.values():
            for listener in group:
                listener.tell(message)

    async def _send_soon(self, key: tuple[int, str]) -> None:
        await asyncio.sleep(GATHER_S)
        tenant, topic = key
        changes = self._gathered.pop(key)
        self._numbers[key] = self.number(tenant, topic) + 1
        message = {"type": "change", "topic": topic, "seq": self._numbers[key], "data": changes[-1], "changes": changes}
        message.update(await self._enrich(tenant, topic))
        encoded = msgspec.json.encode(message)
        for listener in tuple(self._listeners.get(tenant, ())):
            if topic in listener.topics:
                listener.tell(encoded)
