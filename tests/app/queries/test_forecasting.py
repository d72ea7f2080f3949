"""What the inference service computes: stored series, expressions, and what was to be expected before."""

from __future__ import annotations

import numpy as np
import pytest
from redis import Redis

from app.domain.forecast.families import Family
from app.domain.forecast.hourly import Served
from app.domain.forecast.outlook import HOUR_MS, Column, PredictQuestion
from app.errors import InvalidInput
from app.queries.forecasting import predict
from tests.app.actions.test_forecasts import DAYS, fill, load
from tests.factories.cast import Cast
from tests.factories.database import RolledBackDatabase


def no_model(family: Family) -> Served:
    del family
    return Served()


@pytest.fixture
def end_ms(cast: Cast, db: RolledBackDatabase, valkey: Redis) -> int:
    at_ms = fill(cast.acme)
    db.role = "worker"
    return at_ms


def test_stored_series_go_on_by_the_hour(cast: Cast, end_ms: int) -> None:
    (found,) = predict(cast.acme, PredictQuestion(selector='cpu_load{device="d-1"}', end_ms=end_ms), no_model)
    assert found.labels == {"__name__": "cpu_load", "device": "d-1"}
    assert found.ts[:2] == [end_ms + HOUR_MS, end_ms + 2 * HOUR_MS]
    expected = load(np.arange(DAYS * 24, DAYS * 24 + 48), 1)
    assert np.abs(np.array(found.mean) - expected).mean() < 5
    assert all(low <= mean <= high for low, mean, high in zip(found.lo95, found.mean, found.hi95, strict=True))


def test_an_expression_goes_on_and_says_what_was_to_be_expected(cast: Cast, end_ms: int) -> None:
    question = PredictQuestion(
        expr="cpu_load * 2", only=[{"device": "d-1"}, {"device": "d-2"}], end_ms=end_ms, back_h=48, family="cpu"
    )
    found = predict(cast.acme, question, no_model)
    assert [its.labels["device"] for its in found] == ["d-1", "d-2"]
    first = found[0]
    assert (first.ts[0], first.from_ts, len(first.ts)) == (end_ms - 47 * HOUR_MS, end_ms, 96)
    came = 2 * load(np.arange(DAYS * 24), 1)[-48:]
    assert np.mean((came >= first.lo95[:48]) & (came <= first.hi95[:48])) > 0.85


def test_what_was_expected_was_not_known_later(cast: Cast, end_ms: int) -> None:
    """The range of the day before the last is the one that a question of that time had answered."""
    question = {"expr": "cpu_load", "only": [{"__name__": "cpu_load", "device": "d-1"}]}
    (now,) = predict(cast.acme, PredictQuestion(end_ms=end_ms, back_h=24, **question), no_model)  # type: ignore[arg-type]
    then = PredictQuestion(end_ms=end_ms - 24 * HOUR_MS, horizon=24, **question)  # type: ignore[arg-type]
    (before,) = predict(cast.acme, then, no_model)
    # A day more of the past is read then, of 35: next to nothing.
    np.testing.assert_allclose(now.mean[:24], before.mean, rtol=0.02)


def test_too_little_history_is_said(cast: Cast, end_ms: int) -> None:
    early = end_ms - (DAYS * 24 - 50) * HOUR_MS
    (found,) = predict(cast.acme, PredictQuestion(selector='cpu_load{device="d-1"}', end_ms=early), no_model)
    assert (found.lacking_h, list(found.ts)) == (22, [])


def test_values_with_gaps_go_on_at_their_own_step() -> None:
    ts = [i * 1000 for i in range(60) if i % 7]
    column = Column(ts, [float(i % 6) for i in range(60) if i % 7], {"a": "b"})
    (found,) = predict(1, PredictQuestion(series=[column], season=6, horizon=6), no_model)  # type: ignore[arg-type]
    assert list(found.ts) == [60_000 + 1000 * k for k in range(6)]
    np.testing.assert_allclose(found.mean, np.arange(6.0), atol=1e-6)


def test_more_series_than_are_answered_at_once_are_refused(cast: Cast, db: RolledBackDatabase, valkey: Redis) -> None:
    at_ms = fill(cast.acme, hours=2, devices=51)
    for question in (
        PredictQuestion(selector="cpu_load", end_ms=at_ms),
        PredictQuestion(expr="cpu_load", end_ms=at_ms),
    ):
        with pytest.raises(InvalidInput, match="more than 50 series"):
            predict(cast.acme, question, no_model)


def test_charlie_of_globex_gets_nothing_of_acme(cast: Cast, end_ms: int) -> None:
    assert predict(cast.globex, PredictQuestion(selector="cpu_load", end_ms=end_ms), no_model) == []
    assert predict(cast.globex, PredictQuestion(expr="cpu_load", end_ms=end_ms), no_model) == []
