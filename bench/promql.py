"""PromQL over 20,000 counters: CPU seconds per query, and how many times one bare pass over the same samples that is.

The samples are in memory, in groups of 200 series as the store's reader answers them, so that this is the engine alone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from app.promql.engine import query_range
from app.promql.select import SeriesBlock
from tests.factories.series import MemorySource, named

GROUPS, SLOTS = 100, 200
STEP_MS = 60_000
HOURS = 6
RANGE_MS = 300_000
REPEATS = 5

QUERIES = (
    "sum by (site) (rate(x[5m]))",
    "rate(x[5m])",
    "topk(10, rate(x[5m]))",
    "max_over_time(x[5m])",
    "x / on (device, ifName, site) x",
    "quantile by (site) (0.95, x)",
)


def main() -> list[dict[str, Any]]:
    """One line for each query."""
    source = counters(np.random.default_rng(1))
    bare_s = _best(lambda: _bare_pass(source))
    return [
        {
            "name": f"promql {expr}, {GROUPS * SLOTS} series, {HOURS} h at 1 min",
            "value": round(seconds, 4),
            "unit": "CPU s",
            "note": f"ratio to one subtraction over the same samples: {bare_s:.4f} CPU s",
            "ratio": round(seconds / bare_s, 2),
        }
        for expr in QUERIES
        for seconds in [_best(lambda expr=expr: _query(source, expr))]  # type: ignore[misc]  # bound now
    ]


def counters(chance: np.random.Generator) -> MemorySource:
    """Six hours of interface counters, each group with its own phase; one in a hundred resets once."""
    rows = (HOURS * 3_600_000 + RANGE_MS) // STEP_MS + 1
    blocks = []
    for group in range(GROUPS):
        labels = tuple(
            named("x", site=f"site{group % 5}", device=f"device{group}", ifName=f"eth{slot}") for slot in range(SLOTS)
        )
        values = np.cumsum(chance.integers(0, 1_000_000, (rows, SLOTS)), axis=0).astype(np.float64)
        for slot in np.flatnonzero(chance.random(SLOTS) < 0.01).tolist():
            row = int(chance.integers(1, rows))
            values[row:, slot] -= values[row, slot]
        blocks.append(SeriesBlock(labels, np.arange(rows, dtype=np.int64) * STEP_MS + group * 137, values))
    return MemorySource(blocks)


def _query(source: MemorySource, expr: str) -> None:
    query_range(source, expr, start_ms=RANGE_MS, end_ms=RANGE_MS + HOURS * 3_600_000, step_ms=STEP_MS)


def _bare_pass(source: MemorySource) -> None:
    for block in source.blocks:
        np.diff(block.values, axis=0)


def _best(run: Callable[[], None]) -> float:
    seconds = []
    for _ in range(REPEATS):
        began = time.process_time()
        run()
        seconds.append(time.process_time() - began)
    return min(seconds)


if __name__ == "__main__":
    for line in main():
        print(json.dumps(line))
