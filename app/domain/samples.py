"""Samples as columns, and the values that are not numbers.

A batch is what one request, poll or scrape delivers. There is no object per sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

Int64s = NDArray[np.int64]
Float64s = NDArray[np.float64]

# Prometheus's stale marker, and our own mark for "this slot has no sample at this time". Both are NaN;
# only their bits tell them from a NaN that somebody measured.
STALE_BITS: Final = 0x7FF0000000000002
ABSENT_BITS: Final = 0x7FF4574641425345
STALE: Final = float(np.array([STALE_BITS], dtype=np.uint64).view(np.float64)[0])
ABSENT: Final = float(np.array([ABSENT_BITS], dtype=np.uint64).view(np.float64)[0])


def is_stale(values: Float64s) -> NDArray[np.bool_]:
    """Where `values` hold Prometheus's stale marker; same shape."""
    return np.equal(np.ascontiguousarray(values).view(np.uint64), np.uint64(STALE_BITS))


def is_absent(values: Float64s) -> NDArray[np.bool_]:
    """Where `values` hold no sample at all; same shape."""
    return np.equal(np.ascontiguousarray(values).view(np.uint64), np.uint64(ABSENT_BITS))


def absent_array(shape: tuple[int, ...]) -> Float64s:
    """An array of `shape` that holds no sample anywhere."""
    return np.full(shape, ABSENT_BITS, dtype=np.uint64).view(np.float64)


@dataclass(frozen=True)
class Rejection:
    """Samples that were not taken: the place of their item in the request, why, and how many they are."""

    index: int
    reason: str
    count: int = 1


@dataclass(frozen=True)
class Metadata:
    """What a sender says about a metric; `kind` is counter, gauge, histogram, summary, info, stateset or unknown."""

    metric: str
    kind: str = "unknown"
    help: str = ""
    unit: str = ""


@dataclass(frozen=True)
class Batch:
    """Samples as columns.

    `keys`: (k,) series keys as encode_labels() makes them; one that is not canonical, or stands twice, is fine.
    `series`: (n,) int32, index into `keys`. `ts_ms`: (n,) int64. `values`: (n,) float64.
    `positions`: (n,) int32, the index in the request of each sample's item, for error reports; None = 0 ... n-1.
    `rejected`: what the decoder already refused. `metadata`: what came along about metrics.
    """

    keys: Sequence[bytes]
    series: NDArray[np.int32]
    ts_ms: Int64s
    values: Float64s
    positions: NDArray[np.int32] | None = None
    rejected: Sequence[Rejection] = field(default_factory=tuple)
    metadata: Sequence[Metadata] = field(default_factory=tuple)

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Accepted:
    """What became of a batch: `count` samples are durable, the others are told of.

    `retry_after_s` above 0: some of the others would be taken after so many seconds.
    """

    count: int
    rejected: Sequence[Rejection] = field(default_factory=tuple)
    retry_after_s: int = 0

    @property
    def rejected_count(self) -> int:
        """How many samples were refused."""
        return sum(rejection.count for rejection in self.rejected)


@dataclass(frozen=True)
class Window:
    """The times that a tenant accepts, both ends included; not those of pieces (their starts) that are gone."""

    start_ms: int
    end_ms: int
    gone_ms: tuple[int, ...] = ()


TOO_OLD: Final = "older than the tenant accepts"
GONE: Final = "of hours of which only rollups are left"
# What leaves the database at once.
PIECE_MS: Final = 6 * 3_600_000
TOO_NEW: Final = "further in the future than the tenant accepts"


def outside(ts_ms: Int64s, window: Window) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which samples are too old, and which are too far ahead; both (n,)."""
    return ts_ms < window.start_ms, ts_ms > window.end_ms


def of_gone(ts_ms: Int64s, window: Window) -> NDArray[np.bool_]:
    """Which samples are of pieces that are gone; (n,). A piece is open on the left, as blocks are."""
    return np.isin((ts_ms - 1) // PIECE_MS * PIECE_MS, window.gone_ms)


def rejections(positions: NDArray[np.int32], reason: str) -> list[Rejection]:
    """One rejection for each item of a request among `positions` (m,), with the number of its samples."""
    indexes, counts = np.unique(positions, return_counts=True)
    return [Rejection(index, reason, count) for index, count in zip(indexes.tolist(), counts.tolist(), strict=True)]
