"""Who polls what: shards of devices, each held by one poller through a lease in Valkey."""

from __future__ import annotations

import math
from typing import Final
from uuid import uuid4

from redis import Redis

from app import clock

SHARDS: Final = 16
LEASE_MS: Final = 30_000
ALIVE: Final = "poller:alive"
LEASE: Final = "poller:lease:{shard}"
_RENEW: Final = (
    "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) end return 0"
)
_RELEASE: Final = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"


class ShardLeases:
    """The shards of one poller. Pollers share: each takes its part, and gives up what is more when another comes."""

    def __init__(self, client: Redis) -> None:
        self.name = uuid4().hex
        self.held: frozenset[int] = frozenset()
        self._client = client
        self._renew = client.register_script(_RENEW)
        self._release = client.register_script(_RELEASE)

    def refresh(self) -> frozenset[int]:
        """Renew what we hold, take what is free, up to our fair part; call well within the life of a lease."""
        now_ms = clock.now_ms()
        self._client.zadd(ALIVE, {self.name: now_ms})
        self._client.zremrangebyscore(ALIVE, 0, now_ms - LEASE_MS)
        fair = math.ceil(SHARDS / max(1, int(self._client.zcard(ALIVE))))
        held = [shard for shard in sorted(self.held) if self._renew(keys=[_key(shard)], args=[self.name, LEASE_MS])]
        for shard in held[fair:]:
            self._release(keys=[_key(shard)], args=[self.name])
        held = held[:fair]
        for shard in range(SHARDS):
            if len(held) < fair and shard not in held and self._take(shard):
                held.append(shard)
        self.held = frozenset(held)
        return self.held

    def release(self) -> None:
        """Give everything back, so that another poller need not wait for the leases to end."""
        for shard in self.held:
            self._release(keys=[_key(shard)], args=[self.name])
        self._client.zrem(ALIVE, self.name)
        self.held = frozenset()

    def _take(self, shard: int) -> bool:
        return bool(self._client.set(_key(shard), self.name, nx=True, px=LEASE_MS))


def _key(shard: int) -> str:
    return LEASE.format(shard=shard)
