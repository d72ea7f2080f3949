"""When is it full: chances and dates for synthetic links with a known future, against a straight line with its band.

The links come from ../shared/bench/ml/capacity_bench.py with seeds of our own. The line is an ordinary least squares
fit of the days seen, its dates from draws of its two parameters and of the noise of a week's median.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from app.domain.forecast.capacity import HORIZON_DAYS, outlooks
from app.domain.samples import Float64s
from bench.scorers import scorer

SEEDS = (211, 212, 213, 214)
LINKS = 250
DRAWS = 600
# Of ML.md: what must hold, and the goal.
HOLD, HOLD_GOAL = (0.76, 0.93), (0.78, 0.86)
RATIO, RATIO_GOAL = 0.88, 0.75
NAMES = ("p30", "p90", "p180", "d10", "d90", "d025", "d975")


def main() -> list[dict[str, Any]]:
    """The rows of the table."""
    capacity_bench = scorer("capacity_bench")

    ours, line, seconds = [], [], 0.0
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        links = {f"link{number}": capacity_bench.make(rng) for number in range(LINKS)}
        daily = np.array([days[: capacity_bench.N].round(3) for days in links.values()])
        began_s = time.perf_counter()
        found = outlooks(daily, capacity_bench.THR)
        seconds += time.perf_counter() - began_s
        answers = {key: {name: getattr(its, name) for name in NAMES} for key, its in zip(links, found, strict=True)}
        ours.append(capacity_bench.score(links, answers))
        lines = straight_lines(daily, capacity_bench.THR, np.random.default_rng(seed))
        line.append(capacity_bench.score(links, dict(zip(links, lines, strict=True))))
    return _rows(ours, line, seconds)


def straight_lines(daily: Float64s, threshold: float, rng: np.random.Generator) -> list[dict[str, float | None]]:
    """The answers of a straight line through the days (n, t) of each link, with the uncertainty of its fit."""
    days = np.arange(daily.shape[1])
    design = np.stack([np.ones(len(days)), days - days.mean()], axis=1)
    ahead = np.arange(len(days), len(days) + HORIZON_DAYS) - days.mean()
    answers = []
    for row in daily:
        fitted, *_ = np.linalg.lstsq(design, row, rcond=None)
        noise = np.sqrt(((row - design @ fitted) ** 2).sum() / (len(days) - 2))
        scale = noise * np.sqrt(np.diag(np.linalg.inv(design.T @ design)))
        drawn = fitted + scale * rng.standard_normal((DRAWS, 2))
        paths = drawn[:, :1] + drawn[:, 1:] * ahead
        # The standard deviation of a median of seven is some 0.46 of one value's.
        is_full = paths + 0.46 * noise * rng.standard_normal(paths.shape) >= threshold
        day = np.where(is_full.any(axis=1), is_full.argmax(axis=1).astype(float), np.inf)
        answer: dict[str, float | None] = {f"p{within}": float((day <= within).mean()) for within in (30, 90, 180)}
        for name, share in (("d025", 0.025), ("d10", 0.1), ("d90", 0.9), ("d975", 0.975)):
            at = float(np.quantile(day, share, method="inverted_cdf"))
            answer[name] = at if np.isfinite(at) else None
        answers.append(answer)
    return answers


def _rows(ours: list[dict[str, Any]], line: list[dict[str, Any]], seconds: float) -> list[dict[str, Any]]:
    def mean(scores: list[dict[str, Any]], name: str) -> float:
        return float(np.mean([each[name] for each in scores]))

    ratios = [our["brier"] / its["brier"] for our, its in zip(ours, line, strict=True)]
    each = ", ".join(f"{our['hold80']:.1%}" for our in ours)
    count = len(SEEDS) * LINKS
    return [
        {
            "name": f"capacity: 80 % range of dates holds, {count} links",
            "value": round(mean(ours, "hold80") * 100, 1),
            "unit": "%",
            "limit": f"{HOLD[0]:.0%} to {HOLD[1]:.0%}",
            "goal": f"{HOLD_GOAL[0]:.0%} to {HOLD_GOAL[1]:.0%}",
            "note": f"seeds {SEEDS}: {each}; straight line {mean(line, 'hold80'):.1%};"
            f" 95 %: {mean(ours, 'hold95'):.1%}; of links that fill: {mean(ours, 'hold80_of_filling'):.1%}",
        },
        {
            "name": "capacity: Brier score of full within 30, 90, 180 days",
            "value": round(mean(ours, "brier"), 4),
            "unit": "less is better",
            "ratio": round(mean(ours, "brier") / mean(line, "brier"), 3),
            "limit": RATIO,
            "goal": RATIO_GOAL,
            "note": f"straight line {mean(line, 'brier'):.4f}; by seed {', '.join(f'{each:.3f}' for each in ratios)}",
        },
        {
            "name": "capacity: one thing from its days to its chances",
            "value": round(seconds / count * 1000, 1),
            "unit": "ms",
            "note": "180 days, 600 paths of a year",
        },
    ]
