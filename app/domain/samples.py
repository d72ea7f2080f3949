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
    return np.ascontiguousarray(values).view(np.uint64) == np.uint64(STALE_BITS)


def is_absent(values: Float64s) -> NDArray[np.bool_]:
    """Where `values` hold no sample at all; same shape."""
    return np.ascontiguousarray(values).view(np.uint64) == np.uint64(ABSENT_BITS)


def absent_array(shape: tuple[int, ...]) -> Float64s:
    """An array of `shape` that holds no sample anywhere."""
    return np.full(shape, ABSENT_BITS, dtype=np.uint64).view(np.float64)


@dataclass(frozen=True)
class Rejection:
    """One sample that was not taken: its place in the request, and why."""

    index: int
    reason: str


@dataclass(frozen=True)
class Batch:
    """Samples as columns.

    `keys`: (k,) distinct series keys (ingest/series_keys: canonical label bytes).
    `series`: (n,) int32, index into `keys`. `ts_ms`: (n,) int64. `values`: (n,) float64.
    `positions`: (n,) int32, each sample's index in the request, for error reports.
    `rejected`: what the decoder already refused.
    """

    keys: Sequence[bytes]
    series: NDArray[np.int32]
    ts_ms: Int64s
    values: Float64s
    positions: NDArray[np.int32] | None = None
    rejected: Sequence[Rejection] = field(default_factory=tuple)

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Accepted:
    """What became of a batch: `count` samples are durable, the others are listed."""

    count: int
    rejected: Sequence[Rejection] = field(default_factory=tuple)
