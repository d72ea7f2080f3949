"""Series keys by the hash that this process has for them, and keys that are not cut out of a request until needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.int64]


def hashes_of(keys: Iterable[bytes], count: int) -> Hashes:
    """(count,) the hash of each key, never 0. It is Python's SipHash: another one in each start of the program."""
    hashes = np.fromiter(map(hash, keys), np.int64, count)
    hashes[hashes == 0] = 1
    return hashes


class HashedKeys(Sequence[bytes]):
    """Keys that stand at body[start:stop], with their hashes; all arrays (n,) int64."""

    def __init__(self, body: bytes, starts: NDArray[np.int64], stops: NDArray[np.int64], hashes: Hashes) -> None:
        self.body, self.starts, self.stops, self.hashes = body, starts, stops, hashes

    def __len__(self) -> int:
        return len(self.starts)

    @overload
    def __getitem__(self, index: int) -> bytes: ...

    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...

    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        return self.body[self.starts[index] : self.stops[index]]

    def __iter__(self) -> Iterator[bytes]:
        body = self.body
        return (body[start:stop] for start, stop in zip(self.starts.tolist(), self.stops.tolist(), strict=True))

    def with_others(self, others: HashedKeys, order: NDArray[np.intp]) -> HashedKeys:
        """These and other keys of the same request, in another order."""
        pairs = ((self.starts, others.starts), (self.stops, others.stops), (self.hashes, others.hashes))
        return HashedKeys(self.body, *(np.concatenate(pair)[order] for pair in pairs))


def hashed(body: bytes, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> HashedKeys:
    """The keys that stand at body[start:stop]."""
    keys = (body[start:stop] for start, stop in zip(starts.tolist(), stops.tolist(), strict=True))
    return HashedKeys(body, starts, stops, hashes_of(keys, len(starts)))
