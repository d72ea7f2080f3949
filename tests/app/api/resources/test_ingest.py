"""/api/v1/ingest/… and what /metrics says of one tenant's refusals."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from redis import Redis

from app.domain.samples import TOO_OLD, Rejection
from app.domain.tenancy import Scope
from app.tsdb.refused import Sender, record_rejected
from tests.factories.browser import make_server, token_for
from tests.factories.cast import Cast
from tests.factories.dead_letters import bury

EDGE = Sender('edge "1"', "influx", "request-1")


@pytest.fixture
def client(cast: Cast, valkey: Redis) -> FlaskClient:
    record_rejected(cast.acme, [Rejection(3, TOO_OLD, 12)], EDGE)
    bury(cast.acme, "1770000000000-1")
    return make_server().test_client()


def test_refusals_over_the_api(client: FlaskClient, cast: Cast) -> None:
    ours = token_for(cast.alice, Scope.READ)
    (first,) = client.get("/api/v1/ingest/rejected", headers=ours).json["items"]
    assert (first["agent"], first["word"], first["count"], first["position"]) == ('edge "1"', "too_old", 12, 3)
    assert client.get("/api/v1/ingest/rejected?agent=other", headers=ours).json["items"] == []
    (total,) = client.get("/api/v1/ingest/rejected/totals?hours=1", headers=ours).json["items"]
    assert (total["samples"], total["requests"]) == (12, 1)
    assert client.get("/api/v1/ingest/usage", headers=ours).json["active_series"] == 2_000_000
    for hours in ("0", "721", "x", "-1"):
        assert client.get(f"/api/v1/ingest/rejected/totals?hours={hours}", headers=ours).status_code == 400


def test_charlie_of_globex_reads_none_of_acmes(client: FlaskClient, cast: Cast) -> None:
    theirs = token_for(cast.charlie, Scope.READ, Scope.ADMIN)
    for path in ("rejected", "rejected/totals", "dead-letters"):
        assert client.get(f"/api/v1/ingest/{path}", headers=theirs).json["items"] == []
    assert client.post("/api/v1/ingest/dead-letters/1:1770000000000-1/replay", headers=theirs).status_code == 404
    assert client.delete("/api/v1/ingest/dead-letters/1:1770000000000-1", headers=theirs).status_code == 404
    assert b"tenant_samples_rejected" not in client.get("/metrics", headers=theirs).data


def test_metrics_tell_a_tenant_of_its_own(client: FlaskClient, cast: Cast) -> None:
    assert b"acme" not in client.get("/metrics").data
    told = client.get("/metrics", headers=token_for(cast.alice, Scope.READ)).text
    labels = 'tenant="acme",agent="edge \\"1\\"",source="influx",reason="too_old"'
    assert f"watchfloor_tenant_samples_rejected_total{{{labels}}} 12\n" in told
    assert b"acme" not in client.get("/metrics", headers=token_for(cast.alice, Scope.INGEST)).data


def test_dead_letters_over_the_api(client: FlaskClient, cast: Cast) -> None:
    admin, reader = token_for(cast.alice, Scope.ADMIN), token_for(cast.alice, Scope.READ)
    path = "/api/v1/ingest/dead-letters"
    (letter,) = client.get(path, headers=reader).json["items"]
    assert client.post(f"{path}/{letter['id']}/replay", headers=reader).status_code == 403
    assert client.post(f"{path}/{letter['id']}/replay", headers=admin).status_code == 204
    assert client.delete(f"{path}/{letter['id']}", headers=admin).status_code == 404
    assert client.get(path, headers=reader).json["items"] == []
