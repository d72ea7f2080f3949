"""The forecasting jobs: one worker at a time for a tenant, and answers to those who wait."""

from __future__ import annotations

import msgspec
from redis import Redis

from app.actions import bands, inference
from app.actions.forecasts import SETTLE_MS
from app.domain.forecast.outlook import HOUR_MS, PredictQuestion
from tests.app.actions.test_forecasts import fill, stored
from tests.factories.cast import Cast
from tests.factories.database import RolledBackDatabase
from workers import forecast
from workers.one_at_a_time import turn


def test_a_run_that_is_due_is_made_and_then_there_is_nothing_to_do(
    cast: Cast, db: RolledBackDatabase, valkey: Redis
) -> None:
    at_ms = fill(cast.acme, hours=96)
    db.role = "worker"
    assert forecast.run(cast.acme, at_ms + SETTLE_MS)
    assert len(stored(cast.acme, before_ms=at_ms + 1)) == 4
    assert forecast.run(cast.acme, at_ms + SETTLE_MS + 60_000)
    assert {its.made_ms for its in stored(cast.acme, before_ms=at_ms + HOUR_MS).values()} == {at_ms}


def test_only_one_worker_forecasts_a_tenant(cast: Cast, db: RolledBackDatabase, valkey: Redis) -> None:
    at_ms = fill(cast.acme, hours=96)
    db.role = "worker"
    with turn(f"forecast:{cast.acme}", longest_s=10) as is_ours:
        assert is_ours
        forecast.forecast(tenant=cast.acme)
    assert not stored(cast.acme, before_ms=at_ms + 10**12)
    forecast.forecast(tenant=cast.acme)
    assert len(stored(cast.acme, before_ms=at_ms + 10**12)) == 4


def test_a_fault_is_told_to_who_waits_and_to_nobody_who_has_gone(
    cast: Cast, db: RolledBackDatabase, valkey: Redis
) -> None:
    question = msgspec.json.encode(PredictQuestion(expr="sum(", end_ms=HOUR_MS))
    names = {"tenant": cast.acme, "question": "q"}
    forecast.predict(**names)
    assert not valkey.exists(inference.ANSWERED.format(**names))
    valkey.set(inference.ASKED.format(**names), question)
    forecast.predict(**names)
    answer = valkey.lpop(inference.ANSWERED.format(**names))
    assert isinstance(answer, bytes) and "error" in msgspec.json.decode(answer)


def test_a_chart_that_does_not_wait_finds_the_answer_the_next_time(
    cast: Cast, db: RolledBackDatabase, valkey: Redis
) -> None:
    wanted = PredictQuestion(expr="cpu_load", end_ms=fill(cast.acme, hours=80, devices=2))
    asked = {"tenant": cast.acme, "question": bands.digest(msgspec.json.encode(wanted))}
    valkey.set(inference.ASKED.format(**asked), msgspec.json.encode(wanted))
    db.role = "worker"
    forecast.predict(**asked)
    found = bands.bands(cast.vera, wanted)
    assert found is not None and len(found) == 2
    assert len(found[0].ts) == 48
