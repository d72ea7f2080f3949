"""What every forecaster promises: shape, determinism, no look ahead, and an answer or NaN for short past."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from app.domain.forecast import backtest, boosting
from app.domain.forecast.base import Forecast, filled
from app.domain.forecast.boosting import GlobalModel
from app.domain.forecast.challengers import challengers
from app.domain.forecast.features import features
from app.domain.forecast.registry import FORECASTERS
from app.domain.samples import Float64s

SEASON, HORIZON = 6, 12
Predict = Callable[[Float64s], Float64s]


def series(n: int = 24, t: int = 240, *, season: int = SEASON, seed: int = 7) -> Float64s:
    """Series with a season, a level of their own, and noise."""
    random = np.random.default_rng(seed)
    wave = np.sin(2 * np.pi * (np.arange(t) + random.integers(0, season, (n, 1))) / season)
    return random.uniform(20, 200, (n, 1)) * (2 + wave) + random.normal(0, 4, (n, t))


@pytest.fixture(scope="module")
def model() -> GlobalModel:
    return GlobalModel.fit(series(), horizon=HORIZON, season=SEASON, origins=4)


@pytest.fixture(params=[*FORECASTERS, *challengers(), boosting.NAME])
def predict(request: pytest.FixtureRequest) -> Iterator[Predict]:
    name = request.param
    if name == boosting.NAME:
        its: GlobalModel = request.getfixturevalue("model")
        yield lambda past: its.predict_batch(past, HORIZON)
    else:
        each = {**FORECASTERS, **challengers()}[name]
        yield lambda past: each.fit_predict(past, horizon=HORIZON, season=SEASON)


def test_answers_the_next_values_of_each_series(predict: Predict) -> None:
    past = series(n=2, t=90)
    answer = predict(past)
    assert answer.shape == (2, HORIZON)
    assert np.isfinite(answer).all()
    assert (np.abs(answer - past.mean(axis=1, keepdims=True)) < 5 * past.std(axis=1, keepdims=True)).all()


def test_answers_the_same_again_and_for_each_series_alone(predict: Predict) -> None:
    past = series(n=2, t=90)
    answer = predict(past)
    np.testing.assert_array_equal(answer, predict(past))
    np.testing.assert_allclose(predict(past[1:]), answer[1:], rtol=1e-9)


def test_does_not_change_what_it_is_given(predict: Predict) -> None:
    past = series(n=2, t=90)
    before = past.copy()
    predict(past)
    np.testing.assert_array_equal(past, before)


@pytest.mark.parametrize("t", [1, 2, SEASON - 1, SEASON, 2 * SEASON])
def test_short_past_is_answered_or_refused_whole_without_a_warning(predict: Predict, t: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        answer = predict(series(n=2, t=t))
    assert answer.shape == (2, HORIZON)
    finite = np.isfinite(answer)
    assert all(finite[i].all() or not finite[i].any() for i in range(2))


def test_a_constant_series_goes_on_as_it_is(predict: Predict) -> None:
    np.testing.assert_allclose(predict(np.full((1, 90), 7.0)), 7.0, rtol=1e-3)


def test_errors_at_origins_are_those_of_forecasts_that_saw_nothing_later(predict: Predict) -> None:
    past = series(n=2, t=100)
    errors = backtest.errors_at_origins(predict, past, horizon=HORIZON, origins=2, hop=HORIZON)
    end = past.shape[1] - 2 * HORIZON
    seen_later = np.concatenate([past[:, :end], np.full((2, 2 * HORIZON), 1e6)], axis=1)
    np.testing.assert_allclose(errors[:, 1], past[:, end : end + HORIZON] - predict(seen_later[:, :end]))


@pytest.mark.parametrize("n", [1, 2, 30])
@pytest.mark.parametrize("t", [1, 2, 5, 13, 100])
def test_ranges_are_in_order_and_finite_however_short_the_past(n: int, t: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        found, models = backtest.forecast(series(n=n, t=t), horizon=HORIZON, season=SEASON)
    _assert_in_order(found)
    assert len(models) == n


def test_gaps_late_starts_and_infinities_are_borne() -> None:
    past = series(n=30, t=240)
    past[0, :200] = np.nan
    past[1, 50:80] = np.nan
    past[2, 239] = np.inf
    past[3, :239] = np.nan
    past[4] = np.nan
    found, _ = backtest.forecast(past, horizon=HORIZON, season=SEASON)
    _assert_in_order(found)


def test_a_negative_value_is_only_forecast_where_there_was_one() -> None:
    past = np.abs(np.random.default_rng(3).normal(0.2, 1, (4, 200)))
    found, _ = backtest.forecast(past, horizon=HORIZON, season=SEASON)
    assert (found.lo95 >= 0).all()


def test_filled_reads_nothing_later() -> None:
    past = series(n=1, t=60)
    past[0, 30:40] = np.nan
    np.testing.assert_array_equal(filled(past[:, :45], SEASON), filled(past, SEASON)[:, :45])


def test_a_global_model_survives_a_file_without_pickle(model: GlobalModel) -> None:
    again = _through_a_file(model)
    past = series(n=3, t=100, seed=9)
    np.testing.assert_array_equal(model.predict_batch(past, HORIZON), again.predict_batch(past, HORIZON))


def test_a_pickled_array_is_refused() -> None:
    octets = io.BytesIO()
    np.savez(octets, roots=np.array([{"a": 1}], dtype=object))
    octets.seek(0)
    with np.load(octets, allow_pickle=False) as found, pytest.raises(ValueError, match="allow_pickle"):
        found["roots"]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("left", lambda its: its * 0),  # a walk in a circle
        ("right", lambda its: its + 10_000_000),  # outside the arrays
        ("feature", lambda its: np.where(its >= 0, 99, its)),  # a feature that there is not
        ("value", lambda its: its[:-1]),
        ("roots", lambda its: its - 1),
        ("facts", lambda its: its + np.array([0, 0, 0, 1])),  # of another version of the features
        ("facts", lambda its: its[:2]),
    ],
)
def test_broken_arrays_are_refused(model: GlobalModel, name: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    arrays = model.to_arrays()
    with pytest.raises(ValueError, match=r"not a model|other features"):
        GlobalModel.from_arrays({**arrays, name: change(arrays[name])})


def test_missing_arrays_are_refused(model: GlobalModel) -> None:
    with pytest.raises(ValueError, match="value missing"):
        GlobalModel.from_arrays({name: its for name, its in model.to_arrays().items() if name != "value"})


def test_the_tree_walk_answers_what_scikit_learn_predicts() -> None:
    """Missing values too: they have a side of their own at each node."""
    seen = features(series(n=20, t=200), horizon=HORIZON, season=SEASON)
    random = np.random.default_rng(1)
    rows = np.where(random.random(seen.rows.shape) < 0.1, np.nan, seen.rows).astype(np.float32)
    fitted = HistGradientBoostingRegressor(loss="absolute_error", max_iter=30, random_state=4)
    fitted.fit(rows, random.normal(size=len(rows)) + np.nan_to_num(rows[:, 3]))
    arrays = boosting.arrays_of(fitted, season=SEASON, horizon=HORIZON)
    expected = fitted.predict(rows).reshape(20, HORIZON)
    naive, scale = np.zeros((20, HORIZON)), np.ones(20)
    found = GlobalModel.from_arrays(arrays).corrected(type(seen)(rows=rows, naive=naive, scale=scale))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def _assert_in_order(found: Forecast) -> None:
    parts = (found.lo95, found.lo80, found.mean, found.hi80, found.hi95)
    assert all(np.isfinite(part).all() for part in parts)
    assert all((low <= high).all() for low, high in pairwise(parts))


def _through_a_file(model: GlobalModel) -> GlobalModel:
    octets = io.BytesIO()
    np.savez(octets, **model.to_arrays())
    octets.seek(0)
    with np.load(octets, allow_pickle=False) as found:
        return GlobalModel.from_arrays(dict(found))
