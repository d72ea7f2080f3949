"""What is told of an anomaly's device: how rare its readings were together, and which of them made it so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Reading:
    """One series at the moment of an anomaly. share: its part in what was unusual, 0 to 1.

    value, expected: in the unit of the series, of a counter per second. deviations: how many of its usual ones it is
    off, with a sign.
    """

    labels: Mapping[str, str]
    is_rate: bool
    share: float
    value: float | None
    expected: float | None
    deviations: float


@dataclass(frozen=True)
class Together:
    """The readings of a device around an anomaly, those first that made the moment unusual.

    score: 1.0 is the boundary; None when `missing_hours` more of history are needed.
    """

    score: float | None
    missing_hours: float
    series: int
    readings: list[Reading]
