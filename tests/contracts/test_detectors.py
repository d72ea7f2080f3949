"""What every detector must keep: it never looks ahead, and its state is all that it knows."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from app.domain.anomaly.base import Detector, Scores
from app.domain.anomaly.registry import DETECTORS
from app.domain.anomaly.zones import offsets_ms

STEP_MS = 300_000
START_MS = 1_790_000_000_000
COUNT, ROWS = 4, 3_000

every = pytest.mark.parametrize("detector", DETECTORS.values(), ids=DETECTORS.keys())


def _case(*, rows: int = ROWS, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of COUNT daily series with noise, spikes and a gap, by series and then time."""
    random = np.random.default_rng(seed)
    ts_ms = START_MS + np.arange(rows) * STEP_MS
    series = np.repeat(np.arange(COUNT, dtype=np.int32), rows)
    values = 50 + 30 * np.sin(2 * np.pi * np.arange(rows) / 288) + random.normal(0, 2, (COUNT, rows))
    values[:, random.integers(0, rows, 12)] += 90
    values[1, 1_000:1_100] = np.nan
    return series, np.tile(ts_ms, COUNT), values.ravel()


def _fields(scores: Scores) -> list[np.ndarray]:
    return [scores.raw, scores.recorded, scores.view, scores.expected_lo, scores.expected_hi, scores.nearest]


def _assert_same(one: Scores, other: Scores, rows: np.ndarray | slice = slice(None)) -> None:
    for left, right in zip(_fields(one), _fields(other), strict=True):
        np.testing.assert_array_equal(left[rows], right)


@every
def test_scores_are_in_range_and_nothing_is_said_of_what_is_missing(detector: type[Detector]) -> None:
    series, ts_ms, values = _case()
    scores = detector.empty(COUNT).score(series, ts_ms, values)
    assert scores.raw.shape == scores.recorded.shape == scores.view.shape == values.shape
    assert scores.raw.min() >= 0
    assert scores.raw.max() <= 1
    assert set(np.unique(scores.recorded[scores.recorded != scores.raw])) <= {0.0}
    assert not scores.raw[np.isnan(values)].any()
    assert (scores.view[scores.raw > 0] > 0).all()
    known = np.isfinite(scores.expected_lo)
    assert (scores.expected_lo[known] <= scores.expected_hi[known]).all()


@every
def test_no_look_ahead(detector: type[Detector]) -> None:
    series, ts_ms, values = _case()
    cut = np.flatnonzero(ts_ms < START_MS + 2_000 * STEP_MS)
    early = detector.empty(COUNT).score(series[cut], ts_ms[cut], values[cut])
    changed = np.where(ts_ms >= START_MS + 2_000 * STEP_MS, values * 7 - 1_000, values)
    _assert_same(detector.empty(COUNT).score(series, ts_ms, changed), early, cut)


@every
def test_the_state_survives_a_save_and_a_restart(detector: type[Detector]) -> None:
    series, ts_ms, values = _case()
    whole = detector.empty(COUNT).score(series, ts_ms, values)
    first, rest = (
        np.flatnonzero(ts_ms < START_MS + 1_700 * STEP_MS),
        np.flatnonzero(ts_ms >= START_MS + 1_700 * STEP_MS),
    )
    before = detector.empty(COUNT)
    before.score(series[first], ts_ms[first], values[first])
    after = detector.empty(0)
    after.grow(COUNT + 1)
    after.load(before.save(0, COUNT), 1)
    _assert_same(whole, after.score(series[rest] + np.int32(1), ts_ms[rest], values[rest]), rest)


@every
def test_series_do_not_know_each_other(detector: type[Detector]) -> None:
    series, ts_ms, values = _case()
    whole = detector.empty(COUNT).score(series, ts_ms, values)
    alone = np.flatnonzero(series == 2)
    _assert_same(whole, detector.empty(1).score(series[alone] * 0, ts_ms[alone], values[alone]), alone)
    by_time = np.argsort(ts_ms, kind="stable")
    mixed = detector.empty(COUNT).score(series[by_time], ts_ms[by_time], values[by_time])
    _assert_same(whole, mixed, by_time)


@every
def test_a_state_of_another_version_is_refused(detector: type[Detector]) -> None:
    saved = detector.empty(1).save(0, 1)
    for broken in (b"", b"junk" + saved[4:], saved[:-1]):
        with pytest.raises(ValueError, match="version"):
            detector.empty(1).load(broken, 0)


@every
def test_a_spike_tops_what_it_was_used_to_and_tells_what_that_was(detector: type[Detector]) -> None:
    series, ts_ms, values = _case()
    random = np.random.default_rng(5)
    calm = np.tile(50 + 30 * np.sin(2 * np.pi * np.arange(ROWS) / 288), COUNT) + random.normal(0, 2, values.shape)
    at = 2 * ROWS + 2_800
    calm[at] = 200
    scores = detector.empty(COUNT).score(series, ts_ms, calm)
    assert scores.recorded[at] == scores.raw[at] == scores.raw[ts_ms >= START_MS + 2_300 * STEP_MS].max() > 0.2
    assert scores.expected_lo[at] < 25
    assert 75 < scores.nearest[at] <= scores.expected_hi[at] < 90


@every
def test_a_shift_of_the_clocks_raises_nothing(detector: type[Detector]) -> None:
    """A day that follows Berlin's wall clock, over both shifts of 2026: in Berlin's zone as calm as before them."""
    zone = ZoneInfo("Europe/Berlin")
    for shift_ms in (1_774_746_000_000, 1_792_890_000_000):
        ts_ms = shift_ms + np.arange(-3_400, 600) * STEP_MS
        local_h = np.array([_hour(ts, zone) for ts in ts_ms.tolist()])
        values = np.where((local_h >= 8) & (local_h < 18), 100.0, 10.0) + np.random.default_rng(1).normal(0, 1, 4_000)
        ahead_ms = offsets_ms(ts_ms, ["Europe/Berlin"], np.zeros(4_000, dtype=np.intp))
        scores = detector.empty(1).score(np.zeros(4_000, dtype=np.int32), ts_ms, values, ahead_ms=ahead_ms)
        blind = detector.empty(1).score(np.zeros(4_000, dtype=np.int32), ts_ms, values)
        assert scores.raw[3_400:].max() < 0.02
        assert blind.raw[3_400:].max() > scores.raw[3_400:].max()


def _hour(ts_ms: int, zone: ZoneInfo) -> float:
    moment = datetime.fromtimestamp(ts_ms / 1000, zone)
    return moment.hour + moment.minute / 60
