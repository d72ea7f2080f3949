"""What a model learns from: a steady sample, without what was left out; and how far its inputs have moved since."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from app.domain.forecast.registry import FORECASTERS, NAIVE
from app.domain.labels import labels_of
from app.domain.mlmodels import frozen, sample, stability
from app.domain.mlmodels.exclusion import HOUR_MS, Exclusion, Kind, cleaned
from tests.factories.rhythms import rhythms

DEVICES = [labels_of({"__name__": "cpu", "device": f"r{i}"}) for i in range(100)]
END_MS = HOUR_MS * (450_000 + np.arange(24))


def at(hour: float) -> datetime:
    return datetime.fromtimestamp((END_MS[0] - HOUR_MS) / 1000 + 3600 * hour, UTC)


def test_the_series_that_are_judged_stay_the_same_and_are_never_learned_from() -> None:
    few = sample.split(DEVICES[:40], quota=1_000)
    more = sample.split(DEVICES, quota=1_000)
    assert not set(few.kept) & set(few.learned) and len(few.kept) == 8
    assert len(more.kept) + len(more.learned) == 100
    judged = frozenset(DEVICES[place] for place in few.kept)
    later = sample.split(DEVICES, quota=1_000, judged=judged)
    assert not {DEVICES[place] for place in later.learned} & judged
    assert sample.split(DEVICES[::-1], quota=5).learned == tuple(99 - place for place in more.learned[:5])


def test_each_family_has_its_share() -> None:
    found = sample.quotas({"cpu": 100_000, "memory": 30, "traffic": 90_000, "other": 900})
    assert found == {"memory": 30, "other": 890, "cpu": 890, "traffic": 890}
    assert sum(sample.quotas({str(i): 10_000 for i in range(10)}).values()) == sample.MOST_SERIES


def test_what_stands_still_or_began_yesterday_is_not_learned_from() -> None:
    values = rhythms(4, 200)
    values[1] = 7.0
    values[2, :-20] = np.nan
    assert sample.moving(values, hours=100, season=24).tolist() == [True, False, False, True]


def test_hours_that_an_exclusion_touches_are_missing_and_counted_once() -> None:
    labels = [labels_of({"device": "a", "ifName": name}) for name in ("x", "y")] + [labels_of({"device": "b"})]
    values = np.ones((3, 24))
    values[0, 3] = np.nan
    cuts = [
        Exclusion(Kind.INCIDENT, {"device": "a"}, at(2.5), at(4.5)),
        Exclusion(Kind.EXPECTED, {"device": "a", "ifName": "x"}, at(4.2), at(5.5)),
        Exclusion(Kind.INCIDENT, {}, at(0), at(24)),
        Exclusion(Kind.INCIDENT, {"device": "c"}, at(0), at(24)),
    ]
    kept, counts = cleaned(labels, END_MS, values, cuts)
    assert [np.flatnonzero(np.isnan(row)).tolist() for row in kept] == [[2, 3, 4, 5], [2, 3, 4], []]
    assert counts == {"incident": 5, "expected": 1}
    assert np.isnan(values).sum() == 1


def test_the_index_is_small_by_chance_and_large_after_a_change() -> None:
    reference = stability.reference_of(rhythms(60, 600), season=24)
    assert stability.Reference.from_document(reference.to_document()) == reference
    same = stability.index_of(reference, rhythms(60, 600, seed=8), season=24)
    assert np.mean(list(same.values())) < 0.1
    wilder = rhythms(60, 600, seed=8)
    wilder[:, -170:] *= np.where(np.arange(170) // 12 % 2 == 0, 3.0, 0.2)
    moved = stability.index_of(reference, wilder, season=24)
    assert np.mean(list(moved.values())) > 0.25
    assert "slot" not in moved and min(same.values()) >= 0


def test_a_frozen_backtest_tells_a_good_model_from_a_bad_one() -> None:
    values = rhythms(12, frozen.hours_needed(horizon=48, season=24))
    values[3, -1] = np.nan
    naive = FORECASTERS[NAIVE]
    plain = frozen.figures(lambda past: naive.fit_predict(past, horizon=48, season=24), values, horizon=48, season=24)
    assert plain.against_naive == 1.0
    assert (plain.series, plain.days) == (12, (12 + 11) * 2)
    bad = frozen.figures(lambda past: np.zeros((len(past), 48)), values, horizon=48, season=24)
    assert bad.mase > plain.mase and bad.against_naive > 1
    assert 0.8 < plain.coverage_95 <= 1.0
