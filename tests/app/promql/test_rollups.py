"""What rollups keep of samples."""

from __future__ import annotations

import numpy as np

from app.domain.labels import labels_of
from app.domain.samples import is_absent
from app.promql.rollups import FROM_ROLLUPS, RolledWindows, RollupBlock, roll_up
from app.promql.windows import Edges


def test_a_reset_is_lost_in_the_bucket_that_saw_it_and_in_no_bucket_of_one_sample() -> None:
    # Beside a series whose sums depend on the order, which is counted by another way.
    values = np.array([[10.0, 0.1], [20.0, 0.7], [5.0, 0.2], [6.0, 0.3]])
    ts_ms = np.array([60_000, 120_000, 180_000, 240_000])
    assert roll_up(ts_ms, values, 60_000)[1]["lost"].tolist() == [[0.0, 0.0]] * 4
    ends, stats = roll_up(ts_ms, values, 240_000)
    assert (ends.tolist(), stats["lost"][0].tolist()) == ([240_000], [20.0, 0.7])


def test_a_window_without_any_bucket_has_no_value() -> None:
    """Before the first bucket, in a gap and behind the last; the buckets beside it are not asked."""
    ends, stats = roll_up(np.array([300_000, 600_000, 2_400_000]), np.array([[1.0], [2.0], [4.0]]), 300_000)
    block = RollupBlock((labels_of({"device": "core-1"}),), 300_000, ends, stats)
    steps = np.array([0, 600_000, 1_200_000, 1_800_000, 2_400_000, 3_000_000])
    windows = RolledWindows(block, Edges(steps, steps, 600_000))
    for name in ("last_over_time", "max_over_time", "sum_over_time", "count_over_time"):
        absent = is_absent(FROM_ROLLUPS[name].compute(windows))[:, 0]
        assert absent.tolist() == [True, False, True, True, False, True], name
