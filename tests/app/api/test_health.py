"""Probes: alive, ready or why not, and our own counters without a word about tenants."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis

from app.api import health
from app.valkey import use_valkey
from models.session import open_database
from tests.factories.servers import SECRET_KEY


@pytest.fixture
def client(own_db: str, valkey: Redis) -> FlaskClient:
    """A server with nothing but the probes."""
    server = Flask("probes")
    health.measure(server)
    server.register_blueprint(health.blueprint)
    return server.test_client()


def test_alive_whatever_else_is_wrong(client: FlaskClient) -> None:
    use_valkey(Redis(port=1))
    assert client.get("/healthz").status_code == 200


def test_ready_with_database_valkey_and_schema(client: FlaskClient) -> None:
    answer = client.get("/readyz")
    assert (answer.status_code, answer.get_json()) == (200, {"ready": True, "reasons": {}})


def test_not_ready_without_valkey(client: FlaskClient) -> None:
    use_valkey(Redis(port=1, socket_connect_timeout=1))
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert list(answer.get_json()["reasons"]) == ["valkey"]


def test_not_ready_without_database(client: FlaskClient) -> None:
    open_database("postgresql://owner:x@127.0.0.1:1/none", role="web", secret_key=SECRET_KEY)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert list(answer.get_json()["reasons"]) == ["database"]


def test_not_ready_on_another_schema(client: FlaskClient) -> None:
    client.application.extensions[health.STATE] = readiness = health.Readiness()
    readiness.revision = "9999"
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.get_json()["reasons"]["migrations"].endswith("this version needs 9999")


def test_probes_that_come_often_are_answered_from_memory(client: FlaskClient) -> None:
    assert client.get("/readyz").status_code == 200
    use_valkey(Redis(port=1, socket_connect_timeout=1))
    assert client.get("/readyz").status_code == 200


def test_counters_name_routes_and_never_addresses(client: FlaskClient) -> None:
    client.get("/healthz?secret=1")
    client.get("/no/such/page")
    text = client.get("/metrics").get_data(as_text=True)
    assert 'watchfloor_http_requests_total{method="GET",route="/healthz",status="200"}' in text
    assert 'route="unknown",status="404"' in text
    assert "secret" not in text
    assert "/no/such" not in text
