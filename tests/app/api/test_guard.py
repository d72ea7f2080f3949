"""The guard: nothing opens without a viewer, and nothing changes on another site's word."""

from __future__ import annotations

import io

import pytest
from redis import Redis

from app.api.guard import is_same_origin_path
from app.domain.tenancy import Scope
from tests.factories.browser import PASSWORD, Browser, give_password, make_server, token_for
from tests.factories.cast import Cast


@pytest.mark.parametrize(
    "path", ["/api/v1/users", "/api/v1/openapi.json", "/_dash-layout", "/metrics/x", "/api/nothing"]
)
def test_programs_get_401_without_a_token(cast: Cast, valkey: Redis, path: str) -> None:
    answer = make_server().test_client().get(path)
    assert (answer.status_code, answer.content_type) == (401, "application/problem+json")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.headers["X-Request-Id"] == answer.json["request_id"]


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("/", "/login"),
        ("/explore?expr=up", "/login?next=/explore%3Fexpr%3Dup"),
        ("//evil.example/", "/login"),
        ("/api/docs", "/login?next=/api/docs"),
    ],
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


def test_metrics_are_for_this_machine_and_for_tokens(cast: Cast, valkey: Redis) -> None:
    client = make_server().test_client()
    assert client.get("/metrics").status_code == 200
    elsewhere = {"REMOTE_ADDR": "192.0.2.7"}
    assert client.get("/metrics", environ_overrides=elsewhere).status_code == 401
    assert client.get("/metrics", headers={"X-Forwarded-For": "192.0.2.7"}).status_code == 401
    header = token_for(cast.alice, Scope.READ)
    assert client.get("/metrics", environ_overrides=elsewhere, headers=header).status_code == 200


@pytest.mark.parametrize("path", ["/login", "/healthz", "/", "/api/v1/users", "/nothing/here", "/assets/none.css"])
def test_every_answer_carries_the_headers(cast: Cast, valkey: Redis, path: str) -> None:
    answer = make_server().test_client().get(path, headers={"Origin": "https://evil.example"})
    policy = answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy and "object-src 'none'" in policy and "base-uri 'none'" in policy
    script = policy.partition("script-src ")[2].partition(";")[0]
    assert script.startswith("'self' 'sha256-") and "unsafe" not in script and "http" not in script
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer.headers["X-Request-Id"]
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control-")]


def test_the_push_process_is_reached_by_its_port_only_when_embedded(cast: Cast, valkey: Redis) -> None:
    def connect(**options: object) -> str:
        answer = make_server(**options).test_client().get("/login", base_url="http://noc.local:8050")
        return answer.headers["Content-Security-Policy"].partition("connect-src ")[2].partition(";")[0]

    assert connect() == "'self' ws://noc.local:8051 http://noc.local:8051"
    assert connect(public_url="https://noc.example.org").strip() == "'self'"


@pytest.mark.parametrize("given", ["short", "x" * 65, "a b c d e f g h", "abcdefgh\tijk", "<script>alert(1)"])
def test_a_request_id_that_could_do_harm_is_replaced(cast: Cast, valkey: Redis, given: str) -> None:
    answered = make_server().test_client().get("/healthz", headers={"X-Request-Id": given}).headers["X-Request-Id"]
    assert answered != given and len(answered) == 16


def test_a_page_that_is_missing_answers_a_browser_with_a_page(cast: Cast, valkey: Redis) -> None:
    browser = Browser(make_server(), cast.alice)
    answer = browser.post("/nothing/here", headers={"Accept": "text/html"})
    assert answer.status_code in (404, 405) and answer.mimetype == "text/html"
    assert browser.get("/api/v1/nothing").mimetype in ("application/problem+json", "text/html")


def test_the_sign_in_form_is_small_and_says_how_long_it_is(cast: Cast, valkey: Redis) -> None:
    client = make_server().test_client()
    form = {"email": "alice@acme.example", "password": "x" * 20_000}
    assert client.post("/login", data=form).status_code == 413
    chunked = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    answer = client.post("/login", environ_overrides=chunked, input_stream=io.BytesIO(b"email=a&password=b"))
    assert answer.status_code == 411
