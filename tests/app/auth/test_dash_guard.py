"""dash-auth: its helpers on our session, its bypass held closed."""

from __future__ import annotations

import json

import pytest
from dash_auth.group_protection import check_groups, list_groups
from dash_auth.public_routes import get_public_callbacks, get_public_routes
from redis import Redis

from app.auth.dash_guard import GuardedDash
from app.domain.tenancy import Scope
from tests.factories.browser import Browser, make_server, token_for
from tests.factories.cast import Cast

# The body that talks dash-auth's own guard out of checking: an input called "pathname" with a public path.
BYPASS = {
    "output": "x.children",
    "outputs": {"id": "x", "property": "children"},
    "inputs": [{"id": "url", "property": "pathname", "value": "/login"}],
    "changedPropIds": [],
}


@pytest.mark.parametrize("value", ["/login", "/healthz", "/assets/x.css", "/"])
def test_no_body_talks_the_guard_out_of_checking(cast: Cast, valkey: Redis, value: str) -> None:
    body = json.loads(json.dumps(BYPASS))
    body["inputs"][0]["value"] = value
    answer = make_server().test_client().post("/_dash-update-component", json=body)
    assert answer.status_code == 401


@pytest.mark.parametrize("path", ["/_dash-layout", "/_dash-dependencies", "/_reload-hash"])
def test_dashs_own_routes_are_not_public(cast: Cast, valkey: Redis, path: str) -> None:
    assert make_server().test_client().get(path).status_code == 401


def test_nothing_is_public_for_dash_auth(cast: Cast, valkey: Redis) -> None:
    dash_app = make_server().extensions["watchfloor.dash"]
    assert not list(get_public_routes(dash_app).map.iter_rules())
    assert not get_public_callbacks(dash_app)
    with pytest.raises(TypeError):
        GuardedDash(dash_app, public_routes=["/login"])  # type: ignore[call-arg]


def test_its_group_helpers_read_our_session(cast: Cast, valkey: Redis) -> None:
    browser = Browser(make_server(), cast.bob)
    with browser.client:
        browser.get("/api/v1/openapi.json")
        assert list_groups() == ["analyst"]
        assert check_groups(["analyst", "admin"]) is True
        assert check_groups(["admin"]) is False
    with make_server().test_client() as nobody:
        nobody.get("/healthz")
        assert check_groups(["admin"]) is None


def test_flask_sets_no_session_cookie_of_its_own(cast: Cast, valkey: Redis) -> None:
    answer = Browser(make_server(), cast.bob).get("/api/v1/openapi.json")
    assert not [line for line in answer.headers.getlist("Set-Cookie") if line.startswith("session=")]


@pytest.mark.parametrize(
    ("headers", "options"),
    [
        ({"X-CSRFToken": ""}, {"json": BYPASS}),
        ({"Origin": "https://evil.example"}, {"json": BYPASS}),
        ({"Sec-Fetch-Site": "cross-site"}, {"json": BYPASS}),
        ({}, {"data": json.dumps(BYPASS), "content_type": "text/plain"}),
        ({}, {"data": json.dumps(BYPASS), "content_type": "application/x-www-form-urlencoded"}),
    ],
    ids=["no token", "another origin", "cross-site", "text", "form"],
)
def test_callbacks_take_no_order_from_elsewhere(
    cast: Cast, valkey: Redis, headers: dict[str, str], options: dict[str, object]
) -> None:
    browser = Browser(make_server(), cast.bob)
    assert browser.post("/_dash-update-component", headers=headers, **options).status_code == 403


def test_a_token_runs_no_callback(cast: Cast, valkey: Redis) -> None:
    header = token_for(cast.alice, Scope.ADMIN)
    assert make_server().test_client().post("/_dash-update-component", json=BYPASS, headers=header).status_code == 401
