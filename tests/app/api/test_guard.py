"""The guard: nothing opens without a viewer, and nothing changes on another site's word."""

from __future__ import annotations

import pytest
from redis import Redis

from app.api.guard import is_same_origin_path
from app.domain.tenancy import Scope
from tests.factories.browser import PASSWORD, Browser, give_password, make_server, token_for
from tests.factories.cast import Cast


@pytest.mark.parametrize(
    "path", ["/api/v1/users", "/api/v1/openapi.json", "/api/docs", "/_dash-layout", "/api/nothing"]
)
def test_programs_get_401_without_a_token(cast: Cast, valkey: Redis, path: str) -> None:
    answer = make_server().test_client().get(path)
    assert (answer.status_code, answer.content_type) == (401, "application/problem+json")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.headers["X-Request-Id"] == answer.json["request_id"]


@pytest.mark.parametrize(
    ("path", "where"),
    [("/", "/login"), ("/explore?expr=up", "/login?next=/explore%3Fexpr%3Dup"), ("//evil.example/", "/login")],
)
def test_people_are_sent_to_sign_in(cast: Cast, valkey: Redis, path: str, where: str) -> None:
    answer = make_server().test_client().get(path)
    assert (answer.status_code, answer.headers["Location"]) == (302, where)


@pytest.mark.parametrize(
    ("path", "is_ours"),
    [
        ("/alerts?state=open#x", True),
        ("//evil.example", False),
        ("/\\evil.example", False),
        ("\\\\evil.example", False),
        ("/\t/evil.example", False),
        ("javascript:alert(1)", False),
        ("https://evil.example", False),
        ("", False),
    ],
)
def test_next_stays_on_this_site(path: str, is_ours: bool) -> None:
    assert is_same_origin_path(path) == is_ours


def test_signing_in_and_out(cast: Cast, valkey: Redis) -> None:
    give_password(cast.alice)
    client = make_server().test_client()
    form = {"email": "Alice@acme.example ", "password": PASSWORD, "next": "/alerts"}
    answer = client.post("/login", data=form)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/alerts")
    assert client.get("/api/v1/openapi.json").status_code == 200
    csrf = client.get_cookie("_csrf_token_8050").value
    assert client.post("/logout").status_code == 403
    assert client.post("/logout", data={"csrf_token": csrf}).headers["Location"] == "/login"
    assert client.get("/api/v1/openapi.json").status_code == 401


def test_a_token_gets_in_by_header_only(cast: Cast, valkey: Redis) -> None:
    client, header = make_server().test_client(), token_for(cast.alice, Scope.READ)
    secret = header["Authorization"].removeprefix("Bearer ")
    assert client.get("/api/v1/openapi.json", headers=header).status_code == 200
    assert client.get("/api/v1/openapi.json", headers={"Authorization": f"Token {secret}"}).status_code == 200
    assert client.get("/api/v1/openapi.json", auth=("prometheus", secret)).status_code == 200
    assert client.get(f"/api/v1/openapi.json?token={secret}").status_code == 400
    assert client.get(f"/api/v1/openapi.json?x={secret}", headers=header).status_code == 400
    assert client.get("/explore", headers=header).status_code == 302


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"X-CSRFToken": "guess"},
        {"X-CSRFToken": ""},
    ],
)
def test_another_site_changes_nothing(cast: Cast, valkey: Redis, headers: dict[str, str]) -> None:
    browser = Browser(make_server(), cast.alice)
    assert browser.post("/logout", headers=headers).status_code == 403
    assert browser.get("/api/v1/openapi.json").status_code == 200


def test_another_site_cannot_sign_a_person_in(cast: Cast, valkey: Redis) -> None:
    give_password(cast.alice)
    form = {"email": "alice@acme.example", "password": PASSWORD}
    answer = make_server().test_client().post("/login", data=form, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers
