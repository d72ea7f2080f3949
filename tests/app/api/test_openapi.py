"""Bodies, answers, and the document that describes them."""

from __future__ import annotations

import json

import pytest
from redis import Redis

from app.domain.tenancy import Scope
from tests.factories.browser import Browser, make_server, token_for
from tests.factories.cast import Cast

GOOD = {"name": "x", "scopes": ["read"]}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b'"x"',
        b'{"name":"x","scopes":["read"],"name":"y"}',
        b'{"name":"x","scopes":["read"],"expires_at":NaN}',
        b'{"name":"x","scopes":["read"],"expires_at":Infinity}',
        b'{"name":"x\\u0000","scopes":["read"]}',
        b'{"name":"\\ud800","scopes":["read"]}',
        b'{"name":"\xff","scopes":["read"]}',
        b'{"name":' + b"9" * 5000 + b',"scopes":["read"]}',
        b"[" * 100_000,
        b'{"name":{"a":' + b'{"a":' * 20_000,
        json.dumps({f"k{number}": 1 for number in range(50_000)}).encode(),
        b'{"name":7,"scopes":["read"]}',
        b'{"name":"x","scopes":"read"}',
        b'{"name":"x","scopes":["root"]}',
        b'{"name":"x"}',
    ],
    ids=lambda body: repr(body[:30]),
)
def test_bodies_that_cannot_be_read_are_400(cast: Cast, valkey: Redis, body: bytes) -> None:
    browser = Browser(make_server(), cast.alice)
    answer = browser.post("/api/v1/tokens", data=body, content_type="application/json")
    assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")
    assert answer.json["field"]


def test_the_problem_names_the_field(cast: Cast, valkey: Redis) -> None:
    browser = Browser(make_server(), cast.alice)
    answer = browser.post("/api/v1/tokens", json={**GOOD, "scopes": ["read", "root"]})
    assert answer.json["field"].startswith("scopes")
    assert browser.post("/api/v1/tokens", json={**GOOD, "tenant_id": 2}).json["field"] != ""


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "multipart/form-data", ""])
def test_other_content_types_are_415(cast: Cast, valkey: Redis, content_type: str) -> None:
    header = token_for(cast.alice, Scope.ADMIN)
    answer = (
        make_server()
        .test_client()
        .post("/api/v1/tokens", data=json.dumps(GOOD), headers=header, content_type=content_type)
    )
    assert answer.status_code == 415


def test_a_body_over_the_limit_is_413(cast: Cast, valkey: Redis) -> None:
    browser = Browser(make_server(), cast.alice)
    answer = browser.post("/api/v1/tokens", data=b" " * (2 * 1024 * 1024 + 1), content_type="application/json")
    assert answer.status_code == 413


def test_the_document_describes_what_exists(cast: Cast, valkey: Redis) -> None:
    client, header = make_server().test_client(), token_for(cast.vera, Scope.READ)
    document = client.get("/api/v1/openapi.json", headers=header).json
    assert document["openapi"] == "3.1.0"
    assert {"get", "post"} <= document["paths"]["/api/v1/tokens"].keys()
    for path in ("/api/v1/users/{user_id}", "/api/v1/audit", "/api/v1/tenants", "/api/v1/roles/{name}"):
        assert path in document["paths"]
    used = set(_references(document))
    assert used <= {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    operations = [each["operationId"] for path in document["paths"].values() for each in path.values()]
    assert len(operations) == len(set(operations))


def test_the_document_is_readable_without_script(cast: Cast, valkey: Redis) -> None:
    page = Browser(make_server(), cast.vera).get("/api/docs").text
    assert "<script" not in page and "POST /api/v1/tokens" in page


def _references(value: object) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [each for item in value.values() for each in _references(item)]
    if isinstance(value, list):
        return [each for item in value for each in _references(item)]
    return []
