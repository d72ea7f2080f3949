"""What every detector answers: scores on one scale, which view of the series fired, and what was expected.

Raw is the detector's own novelty in [0, 1]. The online scale divides it by the balanced threshold (profiles.py), so
that 1.0 is the boundary. Imports numpy only: queries and pages use these types.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from app.domain.samples import Float64s

Float32s = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]


class View(IntEnum):
    """The look at a series under which a point was most unusual."""

    NONE = 0
    VALUE = 1
    LOG = 2
    DAY = 3
    WEEK = 4
    RESIDUAL = 5
    PEERS = 6
    FOREST = 7

    @property
    def sentence(self) -> str:
        """The view in one sentence for people."""
        return SENTENCES[self]


SENTENCES: Final[Mapping[View, str]] = {
    View.NONE: "Nothing unusual: the series had values like this in the last two weeks.",
    View.VALUE: "The series had no value near this one in the last two weeks.",
    View.LOG: "By its order of magnitude the series had no value near this one in the last two weeks.",
    View.DAY: "The last hour differs from the same hour yesterday more than such hours did before.",
    View.WEEK: "The last half day differs from the same half day a week ago more than such half days did before.",
    View.RESIDUAL: "The mean of the hour lies far outside the range that the forecast expected.",
    View.PEERS: "The device behaves unlike the other devices of its role.",
    View.FOREST: "The combination of the device's readings is rare for this device.",
}


class Profile(StrEnum):
    """How much it takes to call a point an anomaly."""

    BALANCED = "balanced"
    QUIET = "quiet"
    SENSITIVE = "sensitive"


@dataclass(frozen=True, slots=True)
class Scores:
    """What a detector says of n rows, each (n,), in the order of the rows asked.

    raw: novelty in [0, 1]. recorded: raw where it is the strict maximum of the last hours (the record rule: a lasting
    condition is one alarm), else 0. view: View, NONE where raw is 0. expected_lo, expected_hi: the past values around
    the point, in its unit; nearest: the past (or expected) value closest to it; NaN where nothing is known yet.
    """

    raw: Float32s
    recorded: Float32s
    view: Bytes
    expected_lo: Float64s
    expected_hi: Float64s
    nearest: Float64s


class Detector(Protocol):
    """The states of many series, numbered 0 … count - 1, that score new rows and learn from them."""

    @property
    def count(self) -> int:
        """How many series it has."""
        ...

    @classmethod
    def empty(cls, count: int) -> Self:
        """States of `count` series nothing was seen of."""
        ...

    def score(self, series: Int32s, ts_ms: Int64s, values: Float64s, *, ahead_ms: Int64s | None = None) -> Scores:
        """Score rows, (n,) each, and learn from them; rows of one series in order of time; NaN = missing.

        ahead_ms (n,): what the wall clock where the series is measured is ahead of UTC (zones.py); none without it.
        """
        ...

    def grow(self, count: int) -> None:
        """Have `count` series in total; the new ones are empty."""
        ...

    def save(self, i0: int, i1: int) -> bytes:
        """The states of the series i0 … i1 - 1."""
        ...

    def load(self, saved: bytes, at: int) -> None:
        """Put saved states back, the first at number `at`. Raises ValueError if they are not of this version."""
        ...
