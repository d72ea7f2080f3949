"""Who is unlike the other devices of its role, and who is not."""

from __future__ import annotations

import numpy as np

from app.domain.anomaly.peers import compare


def _alike(count: int, hours: int = 6) -> np.ndarray:
    return 0.3 + np.random.default_rng(2).normal(0, 0.01, (count, hours))


def test_one_that_is_apart_for_hours_is_found_and_told_what_was_expected() -> None:
    values = _alike(6)
    values[3] += 0.5
    found = compare(values)
    assert found.score[3] > 1 > np.delete(found.score, 3).max()
    assert found.expected_lo[3] < 0.3 < found.expected_hi[3] < values[3, -1]
    assert found.nearest[3] == np.delete(values[:, -1], 3).max()


def test_a_peak_of_an_hour_is_none() -> None:
    values = _alike(6)
    values[3, 4] += 0.5
    assert compare(values).score.max() < 1


def test_few_devices_must_differ_more_and_two_are_no_peers() -> None:
    assert np.isnan(compare(_alike(2)).score).all()
    for count, finds in ((3, False), (12, True)):
        values = _alike(count)
        values[0] += 0.22
        assert bool(compare(values).score[0] >= 1) is finds


def test_what_is_missing_is_neither_found_nor_in_the_way() -> None:
    values = _alike(5)
    values[1] = np.nan
    values[4] += 0.6
    found = compare(values)
    assert np.isnan(found.score[1])
    assert found.score[4] > 1
    values[:3, 1:] = np.nan
    assert np.isnan(compare(values).score).all()


def test_devices_that_agree_exactly_are_none() -> None:
    values = np.ones((5, 6))
    values[0] += 0.05
    assert compare(values).score.max() < 1
    assert np.nanmax(compare(np.zeros((5, 6))).score) == 0
