"""Which series a family's model learns from, and which it is judged on: by the hash of their labels."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.domain.forecast.errors_of_fit import scale_of
from app.domain.labels import Labels, encode_labels
from app.domain.samples import Float64s, Int64s

# All families together.
MOST_SERIES: Final = 5_000
# So many make, by 14 origins and 48 steps, 600,000 rows: 70 MB, and about twenty seconds of two cores.
MOST_OF_FAMILY: Final = 890
# With fewer, a family has no model of its own: so many in all, and so many that are learned from.
FEWEST_SERIES: Final = 20
FEWEST_LEARNED: Final = 12
# One in seven is kept for judging, of small families one in five: no training ever sees it.
KEPT_OF: Final = 7
KEPT_OF_FEW: Final = 5
MOST_KEPT: Final = 120
FEW_KEPT: Final = 8
FEWEST_KEPT: Final = 3
# Less movement than this share of its size is none.
STILL: Final = 1e-6


@dataclass(frozen=True)
class Split:
    """Places in the list that was given."""

    learned: tuple[int, ...]
    kept: tuple[int, ...]


def split(labels: Sequence[Labels], *, quota: int, judged: Collection[Labels] = ()) -> Split:
    """Which series are learned from and which are kept for judging, at most `quota` and MOST_KEPT.

    `judged` are those of the frozen backtest: they are in no training, whichever came since.
    """
    ranked = sorted((_rank(its), place) for place, its in enumerate(labels))
    kept = [place for rank, place in ranked if rank % KEPT_OF == 0]
    lacking = min(FEW_KEPT, len(labels) // KEPT_OF_FEW) - len(kept)
    kept += [place for rank, place in ranked if rank % KEPT_OF != 0][: max(lacking, 0)]
    never = set(kept) | {place for place, its in enumerate(labels) if its in judged}
    learned = [place for _, place in ranked if place not in never]
    return Split(tuple(learned[:quota]), tuple(kept[:MOST_KEPT]))


def quotas(counts: Mapping[str, int]) -> dict[str, int]:
    """How many series each family may learn from: an even share of all, and what others leave."""
    found: dict[str, int] = {}
    left = MOST_SERIES
    for at, family in enumerate(sorted(counts, key=lambda name: (counts[name], name))):
        found[family] = min(counts[family], MOST_OF_FAMILY, left // (len(counts) - at))
        left -= found[family]
    return found


def moving(values: Float64s, *, hours: int, season: int) -> NDArray[np.bool_]:
    """Which series of (n, t) are known for `hours` of their newest time, mostly, and move."""
    recent = values[:, -hours:]
    known = np.isfinite(recent).mean(axis=1) >= 0.8
    size = np.nanmax(np.abs(np.where(np.isfinite(values), values, 0.0)), axis=1, initial=0.0)
    return np.asarray(known & (scale_of(values, season) > STILL * np.maximum(size, STILL)))


def fingerprint(labels: Sequence[Labels], end_ms: Int64s, values: Float64s) -> str:
    """What identifies a set of values: series, times and numbers."""
    digest = hashlib.sha256(end_ms.tobytes())
    for its, row in zip(labels, values, strict=True):
        digest.update(encode_labels(its))
        digest.update(np.ascontiguousarray(row).tobytes())
    return digest.hexdigest()


def _rank(labels: Labels) -> int:
    return int.from_bytes(hashlib.sha256(encode_labels(labels)).digest()[:8], "big")
