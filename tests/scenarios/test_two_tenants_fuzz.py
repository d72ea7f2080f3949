"""Whatever is sent to whatever route, with either tenant's token: no 5xx, and nothing of the other tenant."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from redis import Redis

from app.domain.tenancy import Scope
from tests.factories.browser import make_server, token_for
from tests.factories.cast import Cast

SEED = 20261124
ROUNDS = 3
NASTY: tuple[Any, ...] = (
    "' or 1=1 --",
    '"; drop table users; --',
    "%27%20union%20select%20password_hash%20from%20users",
    "{{7*7}}{0.__class__}",
    "../../etc/passwd",
    "=cmd|'/c calc'!A1",
    "<img src=x onerror=alert(1)>",
    "ü" * 300,
    "",
    " ",
    "\u202e\ufeff",
    0,
    -1,
    2**31,
    2**63,
    10**30,
    1e308,
    True,
    None,
    [],
    {},
    ["read"],
    "2026-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00+14:00",
)


def test_no_route_breaks_or_leaks(cast: Cast, valkey: Redis) -> None:
    chance = random.Random(SEED)
    client = make_server().test_client()
    acme = token_for(cast.alice, Scope.READ, Scope.WRITE, Scope.ADMIN)
    globex = token_for(cast.charlie, Scope.READ, Scope.WRITE, Scope.ADMIN)
    document = client.get("/api/v1/openapi.json", headers=acme).json
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for header in [acme, globex] * ROUNDS:
                answer = client.open(
                    _filled(path, chance),
                    method=method.upper(),
                    query_string={
                        each["name"]: _text(chance) for each in operation["parameters"] if each["in"] == "query"
                    },
                    headers=header,
                    **_body(operation, document, chance),
                )
                assert answer.status_code < 500, (method, path, answer.text)
                if header is globex:
                    assert "acme" not in answer.text, (method, path)


@pytest.mark.parametrize("parameter", ["cursor", "limit", "since", "actor", "sort", "q", "site", "state", "severity"])
def test_parameters_are_data_and_never_code(cast: Cast, valkey: Redis, parameter: str) -> None:
    client, header = make_server().test_client(), token_for(cast.alice, Scope.ADMIN)
    for path in ("/api/v1/audit", "/api/v1/users", "/api/v1/alerts", "/api/v1/devices", "/api/v1/incidents"):
        for value in NASTY[:7]:
            answer = client.get(path, query_string={parameter: value}, headers=header)
            assert answer.status_code in (200, 400, 404), (path, value)
            assert "syntax error" not in answer.text and "psycopg" not in answer.text


def _filled(path: str, chance: random.Random) -> str:
    while "{" in path:
        before, _, rest = path.partition("{")
        path = before + chance.choice(["1", "0", "999999999999", "viewer", "globex", "%27"]) + rest.partition("}")[2]
    return path


def _text(chance: random.Random) -> str:
    return str(chance.choice(NASTY)).replace("\x00", "")


def _body(operation: dict[str, Any], document: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    if "requestBody" not in operation:
        return {}
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    body = _made_up(schema, document, chance)
    return {"data": json.dumps(body), "content_type": "application/json"}


def _made_up(schema: dict[str, Any], document: dict[str, Any], chance: random.Random) -> Any:
    """A value that often fits the schema and sometimes does not."""
    if chance.random() < 0.15:
        return chance.choice(NASTY)
    if "$ref" in schema:
        return _made_up(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document, chance)
    if "anyOf" in schema:
        return _made_up(chance.choice(schema["anyOf"]), document, chance)
    if "enum" in schema:
        return chance.choice(schema["enum"])
    kind = schema.get("type")
    if kind == "object":
        named = schema.get("properties", {})
        return {name: _made_up(each, document, chance) for name, each in named.items() if chance.random() < 0.9}
    if kind == "array":
        return [_made_up(schema.get("items") or {}, document, chance) for _ in range(chance.randint(0, 2))]
    if kind == "integer":
        return chance.choice([0, 1, -1, 2**31, 10**30])
    return chance.choice(NASTY)
