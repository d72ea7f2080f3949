"""A detector small enough to foresee what it says: how far a value is outside of all that its series had before."""

from __future__ import annotations

from typing import Self

import numpy as np

from app.domain.anomaly.base import Int32s, Int64s, Scores, View
from app.domain.samples import Float64s


class Beyond:
    """Raw score: the distance beyond the range seen, by the width of it; the first two values score nothing."""

    def __init__(self, count: int) -> None:
        self.seen = np.tile([0.0, np.inf, -np.inf], (count, 1))

    @property
    def count(self) -> int:
        """How many series it has."""
        return len(self.seen)

    @classmethod
    def empty(cls, count: int) -> Self:
        """States of `count` series."""
        return cls(count)

    def score(self, series: Int32s, ts_ms: Int64s, values: Float64s, *, ahead_ms: Int64s | None = None) -> Scores:
        """Score rows and learn."""
        raw = np.zeros(len(series), dtype=np.float32)
        low, high = np.full(len(series), np.nan), np.full(len(series), np.nan)
        for row, (at, value) in enumerate(zip(series.tolist(), values.tolist(), strict=True)):
            seen, least, most = self.seen[at]
            if seen >= 2:
                low[row], high[row] = least, most
                raw[row] = min(1.0, max(0.0, least - value, value - most) / max(most - least, 1.0))
            self.seen[at] = seen + 1, min(least, value), max(most, value)
        view = np.where(raw > 0, np.uint8(View.VALUE), np.uint8(0))
        return Scores(raw, raw, view, low, high, np.where(values > high, high, low))

    def grow(self, count: int) -> None:
        """Have `count` series."""
        self.seen = np.concatenate([self.seen, Beyond(count - len(self.seen)).seen])

    def save(self, i0: int, i1: int) -> bytes:
        """The states i0 … i1 - 1."""
        return self.seen[i0:i1].tobytes()

    def load(self, saved: bytes, at: int) -> None:
        """Put states back."""
        states = np.frombuffer(saved).reshape(-1, 3)
        self.seen[at : at + len(states)] = states
