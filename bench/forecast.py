"""Forecasting: a run over 5,000 series of hours, from the store to the store; and how good forecasts are on M4 hourly.

The run reads five weeks of hourly rollups of each series, compares the forecasts before with what came, foretells 48
hours with the models of the registry and writes them; series are read and foretold in portions, so the seconds of
100,000 are 20 times those of 5,000. Accuracy is that of the verb on the development set in ../shared, by its scorer.
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from app import clock
from app.actions import forecasts
from app.actions.forecasts import Models
from app.domain.forecast.boosting import GlobalModel
from app.domain.forecast.families import Family
from app.domain.samples import Float64s
from app.domain.tenancy import TenantId
from app.tsdb import hourly
from bench import fleet
from bench.scorers import SHARED, scorer
from models.session import tenant_connection
from tests.factories.rolled_history import DAY_MS, HOUR_MS, store_hours

SERIES: Final = int(os.environ.get("BENCH_SERIES", "5000"))
WANTED: Final = 100_000
WIDTH, DAYS, LATER_H = 100, 37, 6
LIMIT_S, GOAL_S = 600.0, 120.0
ROOT: Final = Path(__file__).parents[1]
KINDS: Final = ("ifUtilisation", "cpu_load", "memory_used_bytes", "session_count", "latency_seconds")
LEVELS: Final = ("lo80", "hi80", "lo95", "hi95")
# measure -> what it must keep, and the goal
BOUNDS: Final[Mapping[str, tuple[Any, Any]]] = {
    "MASE": (0.85, 0.73),
    "sMAPE": (10.0, 9.1),
    "cover80": ("0.77 to 0.84", None),
    "cover95": ("0.93 to 0.97", None),
    "MSIS": (7.0, 6.2),
}


def main() -> list[dict[str, Any]]:
    """The rows of the table."""
    with fleet.tenant() as tenant:
        rows = _runs(tenant)
    return [*rows, *_accuracy()]


def _runs(tenant: TenantId) -> list[dict[str, Any]]:
    last_ms = _store(tenant)
    trained = Models(tenant, last_ms - LATER_H * HOUR_MS, _no_champion)
    began_s = time.perf_counter()
    with tenant_connection(tenant) as connection:
        groups = hourly.all_groups(connection, tenant)
    families = [family for family in Family if trained.of(family, groups).model is not None]
    training_s = time.perf_counter() - began_s
    first_s = _run(tenant, trained)
    served = Models(tenant, last_ms, lambda _, family: trained.kept(family))
    begun_cpu_s = time.process_time()
    seconds = _run(tenant, served)
    cpu_s = time.process_time() - begun_cpu_s
    note = (
        f"{SERIES:,} series in {seconds:.1f} s ({cpu_s:.1f} s of CPU), times {WANTED / SERIES:g};"
        f" the run before, with nothing to compare, took {first_s:.1f} s;"
        f" training {len(families)} families {training_s:.1f} s"
    )
    return [
        {
            "name": "forecast: 100,000 series x 48 h, stored hours to stored forecasts",
            "value": seconds * WANTED / SERIES,
            "unit": "s",
            "limit": LIMIT_S,
            "goal": GOAL_S,
            "note": note,
        }
    ]


def _run(tenant: TenantId, models: Models) -> float:
    began_s = time.perf_counter()
    assert forecasts.run(tenant, models, may_go_on=lambda: True)
    return time.perf_counter() - began_s


def _no_champion(_tenant: TenantId, _family: Family) -> GlobalModel | None:
    return None


def _store(tenant: TenantId) -> int:
    """Gauges of five families with a day, a week and noise; answers the end of the last hour."""
    random = np.random.default_rng(4)
    hours = np.arange(DAYS * 24)
    first_day = clock.now_ms() // DAY_MS - DAYS
    for device in range(SERIES // WIDTH):
        series: list[tuple[Mapping[str, str], Float64s]] = []
        for number in range(WIDTH):
            labels = {"__name__": KINDS[number % len(KINDS)], "device": f"device-{device}", "n": str(number)}
            day = np.sin(2 * np.pi * (hours + random.integers(0, 24)) / 24)
            week = 1 + 0.3 * (hours // 24 % 7 < 5)
            series.append((labels, 100 * week * (1.5 + day) + random.normal(0, 8, len(hours))))
        store_hours(tenant, series, first_day=first_day)
    return (first_day + DAYS) * DAY_MS


def _accuracy() -> list[dict[str, Any]]:
    data = SHARED / "data" / "forecast"
    forecast_score = scorer("forecast_score")

    train, test = (forecast_score.load(data / f"m4_hourly_{part}.csv") for part in ("train", "test"))
    began_s = time.perf_counter()
    found = forecast_score.score(train, test, _by_the_verb(train))
    note = f"{found['series']} series of the development set, seasonal naive has 1.226 / 13.72;"
    note += f" the verb took {time.perf_counter() - began_s:.0f} s"
    return [
        {
            "name": f"forecast: M4 hourly, {measure}",
            "value": found[measure],
            "unit": "%" if measure == "sMAPE" else "",
            "limit": limit,
            "goal": goal,
            "note": note,
        }
        for measure, (limit, goal) in BOUNDS.items()
    ]


def _by_the_verb(train: Mapping[str, Float64s]) -> dict[str, dict[str, list[float]]]:
    """What `python -m app forecast` says of a file of these series."""
    with tempfile.TemporaryDirectory(prefix="watchfloor-bench-") as folder:
        file, out = Path(folder) / "train.csv", Path(folder) / "out.csv"
        with file.open("w", newline="") as text:
            rows = csv.writer(text)
            rows.writerow(("unique_id", "ds", "y"))
            rows.writerows(
                (name, i, value) for name, values in train.items() for i, value in enumerate(values.tolist())
            )
        command = [sys.executable, "-m", "app", "forecast", str(file), "--horizon", "48", "--season", "24"]
        subprocess.run([*command, "--out", str(out)], cwd=ROOT, check=True)
        found: dict[str, dict[str, list[float]]] = {}
        with out.open(newline="") as text:
            for row in csv.DictReader(text):
                mine = found.setdefault(row["unique_id"], {name: [] for name in ("mean", *LEVELS)})
                for name, values in mine.items():
                    values.append(float(row[name]))
    return found
