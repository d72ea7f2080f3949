"""The series that a process knows of one tenant: from the hash of a key to its place, in some 32 bytes.

A key is not kept. Two keys are taken for one when all 64 bits of their SipHash are equal: with a million series known,
that happens to one new series in 18 million million. The hash has a secret of the process, so nobody can look for one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from threading import Lock
from typing import Final

import numpy as np

from app.domain.keys import HashedKeys, hashes_of
from app.domain.samples import Int64s

_SMALLEST: Final = 1_024
# Slots for one series at least; fewer would make looking up slow.
_ROOM: Final = 2
_FREE: Final = 0
_HASH, _PLACE = 0, 1  # the columns of a table
NOT_KNOWN: Final = -1


class KnownSeries:
    """Places by key. Looking up needs no lock: who looks up goes on with the table that there was when it began."""

    def __init__(self, pairs: Iterable[tuple[bytes, int]] = ()) -> None:
        self._table = _empty(_SMALLEST)
        self._size = 0
        self._growing = Lock()
        self.update(pairs)

    def __len__(self) -> int:
        return self._size

    def __contains__(self, key: bytes) -> bool:
        return self.get(key) is not None

    def get(self, key: bytes) -> int | None:
        """The place of one key."""
        place = int(self.places([key])[0])
        return None if place == NOT_KNOWN else place

    def places(self, keys: Sequence[bytes]) -> Int64s:
        """(k,) the place of each key, -1 where it is not known."""
        table = self._table
        hashes = keys.hashes if isinstance(keys, HashedKeys) else hashes_of(keys, len(keys))
        slots = _slots_of(hashes, table)
        found = table.take(slots, axis=0)
        out, there = found[:, _PLACE].copy(), found[:, _HASH]
        missed = np.flatnonzero(there != hashes)
        out[missed] = NOT_KNOWN
        pending = missed[there[missed] != _FREE]
        while len(pending):
            slots[pending] = (slots[pending] + 1) & (len(table) - 1)
            found = table.take(slots[pending], axis=0)
            there = found[:, _HASH]
            hit = there == hashes[pending]
            out[pending[hit]] = found[hit, _PLACE]
            pending = pending[~hit & (there != _FREE)]
        return out

    def update(self, pairs: Iterable[tuple[bytes, int]]) -> None:
        """Learn places."""
        hashed = [(hash(key) or 1, place) for key, place in pairs]
        entries = np.fromiter(chain.from_iterable(hashed), np.int64, 2 * len(hashed)).reshape(-1, 2)
        if not len(entries):
            return
        with self._growing:
            # The later of two for one key counts.
            hashes, firsts = np.unique(entries[::-1, 0], return_index=True)
            places = entries[::-1, 1][firsts]
            self._size += _put(self._with_room_for(len(hashes)), hashes, places)

    def _with_room_for(self, more: int) -> Int64s:
        table = self._table
        size = len(table)
        while size < _ROOM * (self._size + more):
            size *= 2
        if size > len(table):
            grown = _empty(size)
            used = table[table[:, _HASH] != _FREE]
            _put(grown, used[:, _HASH], used[:, _PLACE])
            self._table = table = grown
        return table


def _empty(size: int) -> Int64s:
    return np.zeros((size, 2), dtype=np.int64)


def _slots_of(hashes: Int64s, table: Int64s) -> Int64s:
    return hashes & np.int64(len(table) - 1)


def _put(table: Int64s, hashes: Int64s, places: Int64s) -> int:
    """Put entries with different hashes into a table that has room; answers how many were not there before."""
    slots, new = _slots_of(hashes, table), 0
    pending = np.arange(len(hashes))
    while len(pending):
        at = slots[pending]
        there = table[:, _HASH][at]
        same = there == hashes[pending]
        table[:, _PLACE][at[same]] = places[pending[same]]
        free = np.flatnonzero(there == _FREE)
        # Of several that want one free slot the first gets it. The place is written before the hash that shows it.
        _, firsts = np.unique(at[free], return_index=True)
        taken = free[firsts]
        table[:, _PLACE][at[taken]] = places[pending[taken]]
        table[:, _HASH][at[taken]] = hashes[pending[taken]]
        new += len(taken)
        settled = same
        settled[taken] = True
        pending = pending[~settled]
        slots[pending] = (slots[pending] + 1) & (len(table) - 1)
    return new
