"""The gate: whether a newly trained model may take over, judged beside the champion on the same frozen values.

A model must beat seasonal naive, must not be worse than the champion, and its ranges must hold what they say: within
two points, or within what chance alone makes of few series (two standard errors of a share, days taken as independent).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

WORST_RATIO: Final = 1.0
NOMINAL_95: Final = 0.95
FARTHEST: Final = 0.02
# Where seasonal naive makes no error there is nothing to be better at.
TINY: Final = 1e-9


class Reason(StrEnum):
    """Why a model stays a candidate."""

    NOT_BETTER_THAN_NAIVE = "not_better_than_naive"
    WORSE_THAN_CHAMPION = "worse_than_champion"
    RANGES_DO_NOT_HOLD = "ranges_do_not_hold"


SENTENCES: Final = {
    Reason.NOT_BETTER_THAN_NAIVE: "It does not beat yesterday's value at the same hour.",
    Reason.WORSE_THAN_CHAMPION: "The champion makes smaller errors on the same values.",
    Reason.RANGES_DO_NOT_HOLD: "Its 95 % range held clearly less or clearly more than 95 % of what came.",
}


@dataclass(frozen=True, kw_only=True)
class Figures:
    """How good a model was on the frozen values. Coverage is a share, smape_pct is 0 to 200, the rest are ratios."""

    mase: float
    naive_mase: float
    smape_pct: float
    coverage_80: float
    coverage_95: float
    msis: float
    series: int
    days: int  # of all series together that were scored

    @property
    def farthest(self) -> float:
        """How far from 95 % the range may be off."""
        return max(FARTHEST, 2 * math.sqrt(NOMINAL_95 * (1 - NOMINAL_95) / max(self.days, 1)))

    @property
    def against_naive(self) -> float:
        """Its error in units of seasonal naive's: below 1 it is better."""
        return self.mase / max(self.naive_mase, TINY)


@dataclass(frozen=True)
class Verdict:
    """Whether a model may take over; `reasons` say why not."""

    reasons: tuple[Reason, ...]

    @property
    def is_good(self) -> bool:
        """Nothing speaks against it."""
        return not self.reasons


def judge(candidate: Figures, champion: Figures | None) -> Verdict:
    """Both on the same values; without a champion seasonal naive alone is to be beaten."""
    reasons = []
    if candidate.against_naive >= WORST_RATIO:
        reasons.append(Reason.NOT_BETTER_THAN_NAIVE)
    if champion is not None and candidate.mase / max(champion.mase, TINY) > WORST_RATIO:
        reasons.append(Reason.WORSE_THAN_CHAMPION)
    if abs(candidate.coverage_95 - NOMINAL_95) > candidate.farthest:
        reasons.append(Reason.RANGES_DO_NOT_HOLD)
    return Verdict(tuple(reasons))
