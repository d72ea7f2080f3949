"""Where each profile draws its line, fixed on labelled data (bench/anomaly.py shows the scores they give)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from app.domain.anomaly.base import Float32s, Profile

# Raw novelty at which a row is an anomaly.
THRESHOLDS: Final[Mapping[Profile, float]] = {
    Profile.BALANCED: 0.025,
    Profile.QUIET: 0.028,
    Profile.SENSITIVE: 0.020,
}


def scaled(raw: Float32s) -> Float32s:
    """Raw novelty on the one scale: 1.0 is the boundary of the balanced profile."""
    return raw / raw.dtype.type(THRESHOLDS[Profile.BALANCED])


def boundary(profile: Profile, *, multiplier: float = 1.0) -> float:
    """The scaled score at which a profile calls a point an anomaly; a tenant's multiplier > 1 asks for more."""
    return THRESHOLDS[profile] / THRESHOLDS[Profile.BALANCED] * multiplier
