"""Changes are gathered, numbered, and told to their own tenant only; who lags starts anew."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from app.live import MOST_WAITING, RESYNC, Change, Hub, Listener


async def nothing_more(_tenant: int, _topic: str) -> dict[str, Any]:
    return {}


async def told(listener: Listener) -> dict[str, Any]:
    return dict(json.loads(await asyncio.wait_for(listener.waiting.get(), 5)))


def test_changes_reach_their_tenant_and_topic_in_one_piece() -> None:
    async def story() -> None:
        hub = Hub(nothing_more)
        acme, other_topic, globex = (
            Listener(1, frozenset({"alerts"})),
            Listener(1, frozenset({"samples"})),
            Listener(2, frozenset({"alerts"})),
        )
        for listener in (acme, other_topic, globex):
            hub.add(listener)
        first = hub.number(1, "alerts")
        hub.take(Change(1, "alerts", {"id": 1}))
        hub.take(Change(1, "alerts", {"id": 2}))
        message = await told(acme)
        assert (message["changes"], message["seq"]) == ([{"id": 1}, {"id": 2}], first + 1)
        hub.take(Change(1, "alerts", {"id": 3}))
        assert (await told(acme))["seq"] == first + 2
        assert other_topic.waiting.empty()
        assert globex.waiting.empty()
        hub.remove(acme)
        hub.remove(other_topic)
        hub.take(Change(1, "alerts", {"id": 4}))
        assert acme.waiting.empty()

    asyncio.run(story())


def test_a_listener_that_lags_is_told_to_start_anew() -> None:
    async def story() -> None:
        listener = Listener(1, frozenset({"alerts"}))
        for number in range(MOST_WAITING + 1):
            listener.tell(b"%d" % number)
        assert listener.waiting.qsize() == 1
        assert await listener.waiting.get() == RESYNC

    asyncio.run(story())
