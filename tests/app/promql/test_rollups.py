"""What rollups keep of samples."""

from __future__ import annotations

import numpy as np

from app.promql.rollups import roll_up


def test_a_reset_is_lost_in_the_bucket_that_saw_it_and_in_no_bucket_of_one_sample() -> None:
    # Beside a series whose sums depend on the order, which is counted by another way.
    values = np.array([[10.0, 0.1], [20.0, 0.7], [5.0, 0.2], [6.0, 0.3]])
    ts_ms = np.array([60_000, 120_000, 180_000, 240_000])
    assert roll_up(ts_ms, values, 60_000)[1]["lost"].tolist() == [[0.0, 0.0]] * 4
    ends, stats = roll_up(ts_ms, values, 240_000)
    assert (ends.tolist(), stats["lost"][0].tolist()) == ([240_000], [20.0, 0.7])
