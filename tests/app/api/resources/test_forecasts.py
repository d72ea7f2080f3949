"""Forecasts over HTTP: what is stored, what is computed when asked for, how good past ones were; one's own alone."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import numpy as np
import pytest
from redis import Redis

from app import clock
from app.actions import bands
from app.domain.forecast.outlook import HOUR_MS, PredictQuestion, Quality
from app.promql.engine import query_instant, query_range
from app.promql.result import Vector
from app.queries import forecasts as queries
from app.tsdb import forecasts
from app.tsdb.derived import FORECAST
from app.tsdb.forecasts import GroupForecast
from app.tsdb.reader import Reader
from app.tsdb.selection import select_series
from models.session import tenant_connection, tenant_session
from tests.factories.browser import Browser, make_server
from tests.factories.cast import Cast
from tests.factories.database import RolledBackDatabase
from tests.factories.questions import answer_next
from tests.factories.samples import store_all

ADDRESS = "/api/v1/forecasts"
SELECTOR = 'cpu_load{device="core-1"}'


def made_at(now_ms: int) -> int:
    return now_ms // HOUR_MS * HOUR_MS - HOUR_MS


@pytest.fixture
def browser(cast: Cast, db: RolledBackDatabase, valkey: Redis) -> Browser:
    """Two series of one device: one is foretold, of the other 5 hours are lacking."""
    now_ms = clock.now_ms()
    series = [({"__name__": "cpu_load", "device": "core-1", "cpu": n}, [(now_ms, 1.0)]) for n in ("0", "1")]
    store_all(cast.acme, series)
    with tenant_connection(cast.acme) as connection:
        (group,) = select_series(connection, cast.acme, [])
    slots = dict(zip((dict(each)["cpu"] for each in group.labels), group.slots.tolist(), strict=True))
    row = GroupForecast(
        group_id=group.group_id,
        made_ms=made_at(now_ms),
        slots=np.array([slots["0"]]),
        mean=np.arange(48.0)[None] + 100,
        widths=np.array([10.0, 20.0])[:, None, None] * np.ones((2, 1, 48)),
        floor=np.array([0.0]),
        factors=np.ones((2, 1)),
        models=("global_boosting",),
        lacking={slots["1"]: 5},
    )
    db.role = "worker"
    with tenant_session(cast.acme) as session:
        assert forecasts.write(session, cast.acme, row.made_ms, [row])
        counted = Quality(series=2, points=10, inside80=8, inside95=9, error=5.0, naive_error=10.0)
        for _ in range(2):
            forecasts.add_quality(session, cast.acme, "cpu", counted, made_ms=row.made_ms, is_backtest=False)
    db.role = "web"
    return Browser(make_server(), cast.vera)


def test_the_stored_forecast_of_each_series_and_what_is_lacking(browser: Browser) -> None:
    first, second = browser.get(ADDRESS, query_string={"selector": SELECTOR}).json["items"]
    assert first["labels"] == {"__name__": "cpu_load", "device": "core-1", "cpu": "0"}
    assert (first["mean"][0], first["lo80"][0], first["hi95"][0], len(first["ts"])) == (101.0, 91.0, 121.0, 47)
    assert first["model"] == "global_boosting"
    assert (second["lacking_h"], second["ts"]) == (5, [])


def test_pages_of_forecasts(browser: Browser) -> None:
    first = browser.get(ADDRESS, query_string={"selector": SELECTOR, "limit": 1}).json
    second = browser.get(ADDRESS, query_string={"selector": SELECTOR, "limit": 1, "cursor": first["next"]}).json
    assert [its["items"][0]["labels"]["cpu"] for its in (first, second)] == ["0", "1"]
    assert second["next"] is None


def test_the_figures_of_pieces_of_a_run_add_up(browser: Browser) -> None:
    (its,) = browser.get(f"{ADDRESS}/quality").json["items"]
    assert (its["family"], its["points"], its["coverage80"], its["coverage95"], its["mase"]) == (
        "cpu", 20, 0.8, 0.9, 0.5,
    )  # fmt: skip


def test_promql_reads_the_hours_to_come(cast: Cast, browser: Browser) -> None:
    now_ms = clock.now_ms()
    ahead_ms = made_at(now_ms) + 10 * HOUR_MS - 1_200_000  # within the tenth hour
    found = query_instant(Reader(cast.acme), f'{FORECAST}{{metric="cpu_load"}}', at_ms=ahead_ms)
    assert isinstance(found, Vector)
    values = {
        dict(labels)["quantile"]: value for labels, value in zip(found.labels, found.values.tolist(), strict=True)
    }
    assert values == {"0.025": 89.0, "0.1": 99.0, "0.5": 109.0, "0.9": 119.0, "0.975": 129.0}
    matrix = query_range(
        Reader(cast.acme),
        f'{FORECAST}{{quantile="0.5"}}',
        start_ms=made_at(now_ms) + HOUR_MS,
        end_ms=made_at(now_ms) + 48 * HOUR_MS,
        step_ms=HOUR_MS,
    )
    assert matrix.values[0].tolist() == (np.arange(48.0) + 100).tolist()
    assert FORECAST in Reader(cast.acme).label_values("__name__", [], start_ms=0, end_ms=now_ms)


def test_given_values_are_continued_by_an_ml_worker(cast: Cast, browser: Browser, valkey: Redis) -> None:
    ts = [i * 300_000 for i in range(96)]
    column = {"labels": {"a": "b"}, "ts": ts, "values": [50 + 10 * math.sin(math.pi * i / 6) for i in range(96)]}
    body = {"series": [column], "season": 12, "horizon": 3}
    with ThreadPoolExecutor(1) as pool:
        worker = pool.submit(answer_next, valkey, wait_s=5)
        answer = browser.post(f"{ADDRESS}/predict", json=body)
        worker.result(timeout=10)
    (found,) = answer.json["series"]
    assert found["ts"] == [ts[-1] + 300_000 * k for k in (1, 2, 3)]
    assert found["mean"] == pytest.approx([50.0, 55.0, 58.6603], abs=0.01)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        pytest.param({}, "series", id="nothing"),
        pytest.param({"selector": "up", "expr": "up"}, "series", id="two things"),
        pytest.param({"selector": "up", "horizon": 49}, "horizon", id="too far"),
        pytest.param({"selector": "up", "season": 7}, "season", id="a season of hours"),
        pytest.param({"series": [{"labels": {}, "ts": [2, 1], "values": [1, 2]}]}, "series", id="times out of order"),
        pytest.param({"series": [{"labels": {}, "ts": [1], "values": []}]}, "series", id="fewer values"),
    ],
)
def test_what_is_wrong_with_a_question_is_said(browser: Browser, body: dict[str, Any], field: str) -> None:
    answer = browser.post(f"{ADDRESS}/predict", json=body)
    assert answer.status_code == 400
    assert field in answer.text


def test_bands_of_a_chart_are_computed_once_an_hour(cast: Cast, valkey: Redis) -> None:
    wanted = PredictQuestion(expr="up", end_ms=HOUR_MS)
    bands.keep(cast.acme, msgspec.json.encode(wanted), b'{"found":[{"labels":{"a":"b"},"lacking_h":7}]}')
    found = bands.bands(cast.vera, wanted)
    assert found is not None
    assert (found[0].labels, found[0].lacking_h) == ({"a": "b"}, 7)


def test_charlie_of_globex_sees_none_of_acme(cast: Cast, browser: Browser) -> None:
    assert queries.newest_forecasts(cast.charlie, SELECTOR, now_ms=clock.now_ms(), limit=10) == []
    assert queries.quality(cast.charlie, since=clock.utc_now().replace(year=2000)) == []
    theirs = Browser(make_server(), cast.charlie)
    assert theirs.get(ADDRESS, query_string={"selector": SELECTOR}).json["items"] == []
    assert len(query_range(Reader(cast.globex), FORECAST, start_ms=0, end_ms=HOUR_MS, step_ms=HOUR_MS)) == 0


def test_series_are_pinned_and_let_go(cast: Cast, db: RolledBackDatabase, valkey: Redis) -> None:
    alice, charlie = Browser(make_server(), cast.alice), Browser(make_server(), cast.charlie)
    made = alice.post(f"{ADDRESS}/pins", json={"selector": SELECTOR})
    assert made.status_code == 201
    assert [its["selector"] for its in alice.get(f"{ADDRESS}/pins").json["items"]] == [SELECTOR]
    assert isinstance(alice.get(f"{ADDRESS}/pins").json["items"][0]["series"], list)
    assert charlie.get(f"{ADDRESS}/pins").json["items"] == []
    assert alice.post(f"{ADDRESS}/pins", json={"selector": SELECTOR}).status_code == 409
    assert alice.post(f"{ADDRESS}/pins", json={"selector": "rate(x[5m])"}).status_code == 400
    assert alice.send("DELETE", f"{ADDRESS}/pins/{made.json['id']}").status_code == 204
    assert alice.send("DELETE", f"{ADDRESS}/pins/{made.json['id']}").status_code == 404
