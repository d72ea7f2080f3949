"""The anomaly ribbon: for each stretch of a chart the highest score of its series, whose it was, and why."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.domain.samples import Float64s, Int64s


@dataclass(frozen=True)
class Ribbon:
    """`starts_ms` (b,) where each stretch of `width_ms` begins; `scores` (b,), NaN = nothing was scored there.

    names, whys (b,): the series with the highest score and what was unusual, "" where it did not reach the boundary.
    boundary: the score at which the tenant's anomalies begin.
    series: how many it stands for; counts (b,): how many of them had an anomaly in the stretch, empty = not counted.
    """

    starts_ms: Int64s
    width_ms: int
    scores: Float64s
    names: list[str]
    whys: list[str]
    boundary: float
    series: int = 1
    counts: list[int] = field(default_factory=list)
