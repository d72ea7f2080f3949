"""The gate lets a model through that beats naive, is no worse than the champion, and whose ranges hold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.domain.mlmodels.gate import Figures, Reason, judge

GOOD = Figures(
    mase=0.8, naive_mase=1.0, smape_pct=9.0, coverage_80=0.8, coverage_95=0.95, msis=6.0, series=100, days=400
)


@pytest.mark.parametrize(
    ("name", "candidate", "champion", "reasons"),
    [
        ("the first one", GOOD, None, ()),
        ("as good as the champion", GOOD, GOOD, ()),
        ("a hair worse", replace(GOOD, mase=0.801), GOOD, (Reason.WORSE_THAN_CHAMPION,)),
        ("no better than yesterday", replace(GOOD, mase=1.0), None, (Reason.NOT_BETTER_THAN_NAIVE,)),
        ("ranges of 92 %", replace(GOOD, coverage_95=0.92), None, (Reason.RANGES_DO_NOT_HOLD,)),
        ("ranges of 98 %", replace(GOOD, coverage_95=0.98), None, (Reason.RANGES_DO_NOT_HOLD,)),
        ("ranges of 92 % of a handful of series", replace(GOOD, coverage_95=0.92, days=32), None, ()),
        (
            "bad in every way",
            replace(GOOD, mase=2.0, coverage_95=0.5),
            GOOD,
            (Reason.NOT_BETTER_THAN_NAIVE, Reason.WORSE_THAN_CHAMPION, Reason.RANGES_DO_NOT_HOLD),
        ),
    ],
)
def test_the_gate(name: str, candidate: Figures, champion: Figures | None, reasons: tuple[Reason, ...]) -> None:
    verdict = judge(candidate, champion)
    assert (verdict.reasons, verdict.is_good) == (reasons, not reasons), name
