"""Rows of rollups that this process unpacked a moment ago: a screen that asks again need not have them sent again.

A row is known by its version and checksum, which the server compares: what is kept is never older than what is stored.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from threading import Lock
from typing import Final, Generic, NamedTuple, TypeVar

from app.domain.tenancy import TenantId
from models.session import generation

# What a process keeps at most, and of how many groups at once: what is asked of more comes by once.
MOST_BYTES: Final = 32 * 2**20
MOST_GROUPS: Final = 64

T = TypeVar("T")


class Wanted(NamedTuple):
    """What was asked of the rows of one group: the tier in seconds, slots and statistics as bytes of their numbers."""

    group_id: int
    tier: int
    slots: bytes
    stats: bytes


class Row(NamedTuple, Generic[T]):
    """A row as it was stored, what was made of it, and how many bytes that takes."""

    version: int
    checksum: int
    content: T
    size: int


class Unpacked(Generic[T]):
    """What is kept; what was not asked for the longest goes first."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self.size = 0
        self._most_bytes = most_bytes
        self._rows: OrderedDict[tuple[int, TenantId, Wanted], dict[int, Row[T]]] = OrderedDict()
        self._lock = Lock()

    def of(self, tenant: TenantId, asked: Sequence[Wanted]) -> dict[int, Mapping[int, Row[T]]]:
        """What is there: by group, and by the bucket of the row in ms."""
        found: dict[int, Mapping[int, Row[T]]] = {}
        with self._lock:
            for wanted in asked:
                name = (generation(), tenant, wanted)
                if name in self._rows:
                    self._rows.move_to_end(name)
                    found[wanted.group_id] = dict(self._rows[name])
        return found

    def keep(self, tenant: TenantId, wanted: Wanted, rows: Iterable[tuple[int, Row[T]]]) -> None:
        """Keep rows by bucket; their content may not be changed any more."""
        with self._lock:
            kept = self._rows.setdefault((generation(), tenant, wanted), {})
            for bucket_ms, row in rows:
                self.size += row.size - (kept[bucket_ms].size if bucket_ms in kept else 0)
                kept[bucket_ms] = row
            while self.size > self._most_bytes:
                _, gone = self._rows.popitem(last=False)
                self.size -= sum(row.size for row in gone.values())
