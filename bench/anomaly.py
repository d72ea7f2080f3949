"""Anomaly scores on the Numenta Anomaly Benchmark's development files, and what a row and a series cost.

The scorer stands in ../shared/bench/ml; thresholds are optimised on these files, as every published score does. The
limits are what must hold; the anchors are in the notes. The second three rows use the thresholds of our profiles.
"""

from __future__ import annotations

import csv
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from app.cli.anomaly import score_series
from app.domain.anomaly.base import Profile
from app.domain.anomaly.novelty import STATE, Novelty
from app.domain.anomaly.profiles import THRESHOLDS
from bench.scorers import SHARED, scorer

NAB = SHARED / "data" / "nab"
# NAB's profile -> ours, limit, goal, anchors.
PROFILES = {
    "standard": (Profile.BALANCED, 75, 80, "Numenta HTM 72.4, ARTime 77.3"),
    "reward_low_FP_rate": (Profile.QUIET, 66, 72, "Numenta HTM 65.0, ARTime 66.5"),
    "reward_low_FN_rate": (Profile.SENSITIVE, 80, 84, "Numenta HTM 76.8, ARTime 83.4"),
}
SERIES, CYCLES = 50_000, 6


def main() -> list[dict[str, Any]]:
    """The rows of the table; scores are "more is better": their limit is the least."""
    return _accuracy() + _cost()


def _accuracy() -> list[dict[str, Any]]:
    nab_score = scorer("nab_score")

    corpus = nab_score.load_corpus(str(NAB / "data"), str(NAB / "combined_windows.json"))
    scores = {name: score_series(*_series(NAB / "data" / name)).astype(float) for name in corpus}
    best = nab_score.score(corpus, scores)
    fixed = nab_score.score(corpus, scores, {name: THRESHOLDS[its[0]] for name, its in PROFILES.items()})
    rows = []
    for name, (profile, limit, goal, anchors) in PROFILES.items():
        for found, title in ((best, "optimised"), (fixed, f"our {profile} threshold {THRESHOLDS[profile]}")):
            its = found[name]
            note = f"{its['caught']} of {its['windows']} windows, {its['fp_rows']} false rows; {anchors}"
            row = {"name": f"NAB {name}, {title}", "value": round(its["score"], 2), "unit": "points, more is better"}
            rows.append(row | {"limit": limit, "goal": goal, "note": note})
    return rows


def _series(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with path.open(newline="") as lines:
        rows = list(csv.reader(lines))[1:]
    moments = [datetime.fromisoformat(row[0]).replace(tzinfo=UTC) for row in rows]
    return np.array([round(its.timestamp() * 1000) for its in moments], dtype=np.int64), np.array(
        [float(row[1]) for row in rows]
    )


def _cost() -> list[dict[str, Any]]:
    detector, random = Novelty.empty(SERIES), np.random.default_rng(3)
    series = np.arange(SERIES, dtype=np.int32)
    seconds = []
    for cycle in range(CYCLES):
        values, ts_ms = random.normal(50, 10, SERIES), np.full(SERIES, 1_790_000_000_000 + cycle * 300_000)
        began_s = time.perf_counter()
        detector.score(series, ts_ms, values)
        seconds.append(time.perf_counter() - began_s)
    us = min(seconds) / SERIES * 1e6
    state = {"name": "detector: state of a series", "value": STATE.itemsize, "unit": "bytes"}
    return [
        {"name": "detector: a row, four views", "value": round(us, 2), "unit": "us", "limit": 5, "goal": 1.5},
        state | {"limit": 16_384, "goal": 4_096},
    ]
