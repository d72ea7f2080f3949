"""A tenant's budgets: what is over them is refused with the right status, and its people see it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from app.clock import now_ms, utc_now
from app.domain.tenancy import Scope
from app.queries import ingest
from app.tsdb import tenants
from models.session import platform_session
from models.tenants import TenantRow
from tests.factories.browser import token_for
from tests.factories.cast import Cast
from tests.factories.prompb import snappy, write_request_2
from tests.ingest.test_routes import V2, WRITTEN, stored


def give(cast: Cast, **budgets: int) -> None:
    with platform_session() as session:
        row = session.get_one(TenantRow, cast.acme)
        for name, value in budgets.items():
            setattr(row, name, value)
    tenants._limits.clear()


def rows(count: int, **labels: str) -> dict[str, object]:
    samples = [{"metric": f"m{n}", "labels": labels, "ts": now_ms(), "value": n} for n in range(count)]
    return {"samples": samples}


def words_of(cast: Cast) -> dict[str, tuple[int, int]]:
    totals = ingest.totals(cast.vera, since=utc_now() - timedelta(hours=1))
    return {each.word: (each.samples, each.requests) for each in totals}


def test_the_burst_is_the_tenants(client: FlaskClient, sender: dict[str, str], cast: Cast) -> None:
    give(cast, samples_per_s=1, burst_s=20)
    statuses = [client.post("/api/v1/ingest", json=rows(10), headers=sender).status_code for _ in range(4)]
    assert statuses[:2] == [202, 202] and statuses[3] == 429
    assert words_of(cast)["over_rate"][0] >= 10
    assert ingest.totals(cast.charlie, since=utc_now() - timedelta(hours=1)) == []


def test_new_series_above_the_rate_may_come_again(client: FlaskClient, sender: dict[str, str], cast: Cast) -> None:
    give(cast, new_series_per_min=3)
    answer = client.post("/api/v1/ingest", json=rows(5), headers=sender)
    assert (answer.status_code, int(answer.headers["Retry-After"]) >= 1) == (429, True)
    # What was within the budget is stored, and the series that are known pass.
    assert stored(cast.acme, "m0") == [0.0]
    assert client.post("/api/v1/ingest", json=rows(3), headers=sender).status_code == 202
    assert words_of(cast) == {"new_series": (2, 1)}


def test_remote_write_counts_what_was_within_the_budget(
    client: FlaskClient, sender: dict[str, str], cast: Cast
) -> None:
    give(cast, new_series_per_min=1)
    request = write_request_2([({"__name__": f"m{n}"}, [(now_ms(), 1.5)]) for n in range(3)])
    answer = client.post("/api/v1/write", data=snappy(request), headers=V2 | sender)
    assert (answer.status_code, answer.headers[WRITTEN.format("Samples")]) == (429, "1")
    assert int(answer.headers["Retry-After"]) >= 1


def test_a_request_over_the_rate_of_new_series_is_not_remembered(
    client: FlaskClient, sender: dict[str, str], cast: Cast
) -> None:
    give(cast, new_series_per_min=1)
    headers = sender | {"Idempotency-Key": "poll-1"}
    assert client.post("/api/v1/ingest", json=rows(2), headers=headers).status_code == 429
    give(cast, new_series_per_min=6_000_000)
    assert client.post("/api/v1/ingest", json=rows(2), headers=headers).json["accepted"] == 2


def test_series_above_the_limit_are_refused_and_the_others_kept(
    client: FlaskClient, sender: dict[str, str], cast: Cast
) -> None:
    give(cast, active_series=2)
    answer = client.post("/api/v1/ingest", json=rows(3), headers=sender)
    assert (answer.status_code, answer.json["accepted"], answer.json["rejected"]) == (202, 2, 1)
    assert words_of(cast) == {"series_limit": (1, 1)}


@pytest.mark.parametrize(
    ("budget", "reason"),
    [
        ({"most_labels": 1}, "more than 1 labels"),
        ({"most_name_chars": 7}, "a label name longer than 7 characters"),
        ({"most_value_chars": 5}, "a label value longer than 5 characters"),
    ],
)
def test_labels_above_the_tenants_sizes(
    client: FlaskClient, sender: dict[str, str], cast: Cast, budget: dict[str, int], reason: str
) -> None:
    give(cast, **budget)
    answer = client.post("/api/v1/ingest", json=rows(1, datacentre="london"), headers=sender)
    assert answer.json["errors"][0]["reason"] == reason
    assert words_of(cast) == {"labels": (1, 1)}


def test_a_body_above_the_tenants_size(client: FlaskClient, sender: dict[str, str], cast: Cast) -> None:
    give(cast, most_body_bytes=1024)
    assert client.post("/api/v1/ingest", json=rows(100), headers=sender).status_code == 413
    assert client.post("/api/v1/ingest", json=rows(2), headers=sender).status_code == 202
    assert words_of(cast) == {"too_large": (0, 1)}


def test_requests_that_nobody_could_read_are_seen(client: FlaskClient, sender: dict[str, str], cast: Cast) -> None:
    for _ in range(3):
        assert client.post("/api/v2/write?precision=days", data=b"cpu x=1", headers=sender).status_code == 400
    assert client.post("/api/v1/write", data=b"x", headers=sender).status_code == 415
    told = words_of(cast)
    # The second and third wait for their second, or for the next request after it.
    assert told["unreadable"][1] >= 1 and told["unsupported"] == (0, 1)
    assert ingest.rejected(cast.vera)[0].source == "remote_write"


def test_two_processes_share_the_rate_of_new_series(client: FlaskClient, sender: dict[str, str], cast: Cast) -> None:
    give(cast, new_series_per_min=4)
    assert client.post("/api/v1/ingest", json=rows(4), headers=sender).status_code == 202
    other = {"samples": [{"metric": "other", "ts": now_ms(), "value": 1}]}
    assert client.post("/api/v1/ingest", json=other, headers=sender).status_code == 429
    theirs = token_for(cast.charlie, Scope.INGEST)
    assert client.post("/api/v1/ingest", json=other, headers=theirs).status_code == 202
