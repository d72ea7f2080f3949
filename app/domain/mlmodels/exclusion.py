"""What training leaves out: stretches of time in which some series were not themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

import numpy as np

from app.domain.labels import Labels
from app.domain.samples import Float64s, Int64s

HOUR_MS: Final = 3_600_000


class Kind(StrEnum):
    """Why something is left out."""

    INCIDENT = "incident"
    MAINTENANCE = "maintenance"
    EXPECTED = "expected"  # somebody marked an anomaly as expected


@dataclass(frozen=True)
class Exclusion:
    """The series that carry all of `labels`, in [start, end]."""

    kind: Kind
    labels: Mapping[str, str]
    start: datetime
    end: datetime
    about: str = ""


def cleaned(
    labels: Sequence[Labels], end_ms: Int64s, values: Float64s, exclusions: Sequence[Exclusion]
) -> tuple[Float64s, dict[str, int]]:
    """Hourly values (n, t) with NaN where they are left out, and how many known hours that were by kind.

    `end_ms` (t,): where the hours end. An hour counts once, for the first exclusion that touches it.
    """
    kept = values.copy()
    counts: dict[str, int] = {}
    by_pair: dict[tuple[str, str], set[int]] = {}
    for row, its in enumerate(labels):
        for pair in its:
            by_pair.setdefault(pair, set()).add(row)
    for each in exclusions:
        if not each.labels:
            continue
        rows = sorted(set.intersection(*(by_pair.get(pair, set()) for pair in each.labels.items())))
        # The hours that the stretch touches; one ends at end_ms and began an hour before.
        first = int(np.searchsorted(end_ms, each.start.timestamp() * 1000, side="left"))
        last = int(np.searchsorted(end_ms - HOUR_MS, each.end.timestamp() * 1000, side="right"))
        if rows and last > first:
            cut = np.ix_(rows, range(first, last))
            counts[each.kind] = counts.get(each.kind, 0) + int(np.isfinite(kept[cut]).sum())
            kept[cut] = np.nan
    return kept, counts
