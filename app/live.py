"""Changes for open screens: publish() in the place where something changed, subscribe() in the push process.

A message is lost when nobody listens; screens re-read when they connect.
"""

from __future__ import annotations

from typing import Any

import msgspec

from app.valkey import valkey

# Topics: "alerts" (an alert changed), "samples" (new samples are stored), "devices", "authz" (re-check sessions).
CHANNEL = "live:{tenant}:{topic}"


def channel(tenant: int, topic: str) -> str:
    """The pub/sub channel of one topic of one tenant."""
    return CHANNEL.format(tenant=tenant, topic=topic)


def publish(tenant: int, topic: str, message: dict[str, Any]) -> None:
    """Tell open screens of `tenant` that something changed; `message` is small JSON (ids, not data)."""
    valkey().publish(channel(tenant, topic), msgspec.json.encode(message))
