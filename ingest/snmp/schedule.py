"""When each device is polled. Pure: times in, decisions out.

Polls of a device lie on a grid of its own (a hash of its identity moves it off the others'), so a restart changes
nothing and no two devices that were added together are polled together for ever.
"""

from __future__ import annotations

import heapq
import zlib
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MISSES_UNTIL_SLOW: Final = 3


class Lane(StrEnum):
    """How a device is polled: with all retries, or with one small probe because it has been silent."""

    NORMAL = "normal"
    SLOW = "slow"


@dataclass
class Cycle:
    """How many polls in a row a device has missed."""

    misses: int = 0

    @property
    def lane(self) -> Lane:
        """A silent device must not cost the others a timeout for each retry in every cycle."""
        return Lane.SLOW if self.misses >= MISSES_UNTIL_SLOW else Lane.NORMAL

    def note(self, *, is_answered: bool) -> None:
        """Learn from a poll."""
        self.misses = 0 if is_answered else self.misses + 1


def offset_ms(identity: str, interval_ms: int) -> int:
    """Where on the grid of its interval a device is polled: 0 <= offset < interval, the same in every process."""
    return zlib.crc32(identity.encode()) % interval_ms


def next_due_ms(now_ms: int, *, begun_ms: int, offset_ms: int, interval_ms: int) -> int:
    """The first moment of a device's grid after `now_ms`; moments that were missed are not made up for.

    It is half an interval or more after `begun_ms`, when the poll before it began: of two readings close together a
    rate is little but error.
    """
    passed = (max(now_ms, begun_ms + interval_ms // 2) - offset_ms) // interval_ms
    return (passed + 1) * interval_ms + offset_ms


def shard_of(device_id: int, shards: int) -> int:
    """The shard of a device; whoever holds its lease polls it."""
    return device_id % shards


class Timetable:
    """Which devices are due. Of those that are, tenants take turns: one that is late delays no other.

    A device is named by (tenant, device id) and stands in the timetable once.
    """

    def __init__(self) -> None:
        self._due: list[tuple[int, int, tuple[int, int]]] = []
        self._current: dict[tuple[int, int], int] = {}
        self._ready: dict[int, deque[tuple[int, tuple[int, int]]]] = {}
        self._turn: deque[int] = deque()
        self._count = 0

    def put(self, key: tuple[int, int], due_ms: int) -> None:
        """Have a device come up at `due_ms`; replaces what stood there for it."""
        self._count += 1
        self._current[key] = self._count
        heapq.heappush(self._due, (due_ms, self._count, key))

    def remove(self, key: tuple[int, int]) -> None:
        """Take a device off."""
        self._current.pop(key, None)

    def take(self, now_ms: int, room: int) -> list[tuple[int, int]]:
        """At most `room` devices that are due, each taken off; the rest stays first in line of its tenant."""
        while self._due and self._due[0][0] <= now_ms:
            _, number, key = heapq.heappop(self._due)
            if self._current.get(key) == number:
                if key[0] not in self._ready:
                    self._ready[key[0]] = deque()
                    self._turn.append(key[0])
                self._ready[key[0]].append((number, key))
        taken: list[tuple[int, int]] = []
        while self._turn and len(taken) < room:
            tenant = self._turn.popleft()
            number, key = self._ready[tenant].popleft()
            if self._ready[tenant]:
                self._turn.append(tenant)
            else:
                del self._ready[tenant]
            if self._current.get(key) == number:
                del self._current[key]
                taken.append(key)
        return taken

    def next_ms(self) -> int | None:
        """When the next device comes up; None when none does, a time in the past when one waits for room."""
        if self._turn:
            return 0
        return self._due[0][0] if self._due else None

    def __len__(self) -> int:
        return len(self._current)
