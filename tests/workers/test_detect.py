"""The worker of detection: a tenant's cycle, and questions that the web asks and waits for."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from redis import Redis
from sqlalchemy import func, select, text

from app import clock, jobs
from app.actions import inference
from app.domain.anomaly.question import ScoreQuestion
from app.domain.labels import labels_of
from app.errors import Overloaded
from app.tsdb import found_anomalies
from app.tsdb.found_anomalies import Point
from models.anomalies import AnomalyRow, AnomalyScoreRow
from models.session import tenant_session
from tests.factories.browser import Browser, make_server
from tests.factories.cast import Cast
from tests.factories.database import RolledBackDatabase
from tests.factories.samples import store, store_all
from workers import detect

STEP = 300_000
LOAD = {"__name__": "load", "device": "core-1"}
ADDRESS = "/api/v1/anomalies/score"


@pytest.fixture
def start_ms(cast: Cast, db: RolledBackDatabase, valkey: Redis, monkeypatch: pytest.MonkeyPatch) -> int:
    """Ten hours of samples of acme from this moment on; questions are answered at once."""
    at_ms = clock.now_ms() // STEP * STEP - 120 * STEP
    store(cast.acme, LOAD, [(at_ms + i * STEP, 90.0 if i == 115 else float(i % 5)) for i in range(120)])
    monkeypatch.setattr(jobs, "enqueue", lambda _job, **ids: detect.score(**ids))
    return at_ms


def ask(browser: Browser, **body: Any) -> Any:
    return browser.post(ADDRESS, json=body)


def test_values_and_stored_series_get_the_same_scores(cast: Cast, start_ms: int) -> None:
    browser = Browser(make_server(), cast.vera)
    ts = [start_ms + i * STEP for i in range(120)]
    values = [90.0 if i == 115 else float(i % 5) for i in range(120)]
    given = ask(browser, series=[{"labels": {}, "ts": ts, "values": values}])
    assert given.status_code == 200
    column = given.json["series"][0]
    assert column["score"][115] == max(column["score"]) > 1
    assert (column["view"][115], column["expected_hi"][115]) == ("value", pytest.approx(4, abs=0.1))
    times = {"start": "2026-01-01T00:00:00Z", "end": "2099-01-01T00:00:00Z"}
    stored = ask(browser, selector='load{device="core-1"}', **times).json["series"][0]
    assert stored["score"] == column["score"]
    assert stored["labels"] == LOAD


@pytest.mark.parametrize(
    ("body", "where"),
    [
        pytest.param({}, "series", id="nothing"),
        pytest.param({"selector": "up", "series": [{"labels": {}, "ts": [1], "values": [1]}]}, "series", id="both"),
        pytest.param({"series": [{"labels": {}, "ts": [1], "values": []}]}, "series", id="lengths"),
        pytest.param({"series": [{"labels": {}, "ts": [2, 1], "values": [1, 2]}]}, "series", id="order"),
        pytest.param({"selector": "up"}, "start", id="no time"),
    ],
)
def test_a_question_that_makes_no_sense_is_named(cast: Cast, start_ms: int, body: Any, where: str) -> None:
    answer = ask(Browser(make_server(), cast.vera), **body)
    assert answer.status_code == 400
    assert where in answer.text


def test_what_a_device_was_like_at_an_anomaly(
    cast: Cast, db: RolledBackDatabase, valkey: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "enqueue", lambda _job, **ids: detect.together(**ids))
    end_ms = clock.now_ms() // 300_000 * 300_000
    steps = np.arange(900)
    noise = np.random.default_rng(1).normal(0, 1, (4, 900))
    noise[2, -1] = 60
    series = [
        (
            {"__name__": "load", "device": "core-1", "cpu": str(at)},
            list(zip((end_ms - (899 - steps) * 300_000).tolist(), (50 + row).tolist(), strict=True)),
        )
        for at, row in enumerate(noise)
    ]
    store_all(cast.acme, series)
    with tenant_session(cast.acme) as session:
        point = Point(1, 2, labels_of(series[2][0]), end_ms, 2.0, 110, False, 40, 60, 53, 1)
        found_anomalies.write(session, cast.acme, [point])
        anomaly_id = session.scalars(select(AnomalyRow.id)).one()
    answer = Browser(make_server(), cast.vera).get(f"/api/v1/anomalies/{anomaly_id}/together").json
    assert answer["score"] > 1
    assert answer["readings"][0]["labels"] == series[2][0]
    assert answer["readings"][0]["share"] > 0.5
    assert answer["readings"][0]["value"] == pytest.approx(110)
    assert Browser(make_server(), cast.charlie).get(f"/api/v1/anomalies/{anomaly_id}/together").status_code == 404


def test_charlie_of_globex_gets_no_score_of_acme(cast: Cast, start_ms: int) -> None:
    question = msgspec.json.encode(ScoreQuestion(selector="load", end_ms=start_ms + 200 * STEP))
    assert inference.opened(inference.ask(cast.charlie, "anomalies", jobs.SCORE, question), list[Any], where="") == []
    assert len(inference.opened(inference.ask(cast.vera, "anomalies", jobs.SCORE, question), list[Any], where="")) == 1


def test_a_tenant_asks_for_so_much_at_once(cast: Cast, start_ms: int, valkey: Redis) -> None:
    valkey.set(inference.OPEN.format(tenant=cast.acme), inference.MOST_OPEN)
    with pytest.raises(Overloaded):
        inference.ask(cast.vera, "anomalies", jobs.SCORE, b"{}")
    valkey.delete(inference.OPEN.format(tenant=cast.acme))
    question = msgspec.json.encode(ScoreQuestion(selector="load", end_ms=start_ms + 200 * STEP))
    inference.ask(cast.vera, "anomalies", jobs.SCORE, question)
    assert int(valkey.get(inference.OPEN.format(tenant=cast.acme)) or 0) == 0  # type: ignore[arg-type]


def test_one_worker_holds_a_tenant(cast: Cast, db: RolledBackDatabase, start_ms: int, valkey: Redis) -> None:
    db.outer.execute(text("reset role"))
    db.outer.execute(text("update series_groups set created_at = now() - interval '1 day'"))
    db.role = "worker"
    lease = "lease:" + detect.TURN.format(tenant=cast.acme)
    valkey.set(lease, "another")
    detect.detect(tenant=cast.acme)
    assert _scored(cast) == 0
    valkey.delete(lease)
    detect.detect(tenant=cast.acme)
    assert _scored(cast) > 50
    assert not valkey.exists(lease)


def _scored(cast: Cast) -> int:
    with tenant_session(cast.acme) as session:
        return session.scalar(select(func.count()).select_from(AnomalyScoreRow)) or 0
