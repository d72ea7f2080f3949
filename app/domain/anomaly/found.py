"""An anomaly as people and programs see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Anomaly:
    """A stretch of time in which one series was unusual.

    score: the highest, 1.0 is the boundary. value, expected_lo, expected_hi, nearest (the nearest past value): at that
    point, in the unit of the series, of a counter per second. view, why: what was unusual, as a word and a sentence.
    """

    id: int
    metric: str
    labels: Mapping[str, str]
    device: str
    interface: str
    started_at: datetime
    last_at: datetime
    peak_at: datetime
    score: float
    value: float
    is_rate: bool
    expected_lo: float | None
    expected_hi: float | None
    nearest: float | None
    view: str
    why: str
    points: int
