"""Value novelty: what the looks see, how time counts, and that a history is believed by its length."""

from __future__ import annotations

import numpy as np

from app.domain.anomaly.base import Scores, View
from app.domain.anomaly.novelty import LEAST_TICKS, Novelty

START_MS = 1_790_000_000_000 // 300_000 * 300_000


def _score(values: np.ndarray, *, step_ms: int = 300_000) -> Scores:
    ts_ms = START_MS + np.arange(len(values)) * step_ms
    return Novelty.empty(1).score(np.zeros(len(values), dtype=np.int32), ts_ms, values)


def _noise(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).uniform(40, 60, count)


def test_some_hours_are_learned_before_anything_is_said() -> None:
    values = _noise(400)
    values[LEAST_TICKS - 2] = 1_000
    values[300] = 5_000
    raw = _score(values).raw
    assert not raw[:LEAST_TICKS].any()
    assert raw[300] > 0.1


def test_fast_series_are_believed_by_time_and_not_by_rows() -> None:
    fast = np.repeat(_noise(400), 20)
    fast[6_000] = 500
    slow = _noise(400)
    slow[300] = 500
    np.testing.assert_allclose(_score(fast, step_ms=15_000).raw[6_000], _score(slow).raw[300], rtol=0.01)


def test_a_value_in_a_gap_is_as_far_as_its_nearest() -> None:
    values = np.where(np.arange(3_000) % 2, 10.0, 90.0) + np.random.default_rng(1).normal(0, 0.5, 3_000)
    values[2_900] = 50
    found = _score(values)
    assert found.view[2_900] == View.VALUE
    assert found.raw[2_900] > 0.3
    assert abs(abs(found.nearest[2_900] - 50) - 38) < 3


def test_what_was_is_forgotten_after_two_weeks() -> None:
    values = np.concatenate([_noise(200) + 100, _noise(4_300), [150.0]])
    assert _score(values).raw[-1] > 0.5
    assert _score(values[300:]).raw[-1] > 0.5
    recent = np.concatenate([_noise(2_000), _noise(200) + 100, _noise(2_000), [150.0]])
    assert _score(recent).raw[-1] < 0.02


def test_a_small_change_of_the_day_is_seen_by_its_look() -> None:
    day = 50 + 40 * np.sin(2 * np.pi * np.arange(3_500) / 288)
    values = day + np.random.default_rng(1).normal(0, 0.2, 3_500)
    values[3_300:3_400] = values[3_300 - 144 : 3_400 - 144]  # the other half of the day
    found = _score(values)
    assert View.DAY in found.view[3_300:3_330]
    assert found.raw[3_300:3_330].max() > 0.025


def test_a_lasting_condition_is_one_record() -> None:
    values = _noise(3_000)
    values[2_800:] += 300
    assert np.count_nonzero(_score(values).recorded[2_800:] > 0.025) == 1
