"""People of a tenant: who may decide what about whom."""

from __future__ import annotations

from dataclasses import replace

import pytest
from redis import Redis

from app.actions import users
from app.auth.sessions import CACHE_S, session_for, start_session
from app.domain.tenancy import Scope, Viewer
from app.errors import Conflict, Forbidden, InvalidInput, NotFound
from app.queries import audit as audit_queries
from app.queries import users as queries
from models.session import platform_session
from tests.factories.browser import Browser, give_password, make_server, token_for
from tests.factories.cast import Cast


def _session_of(viewer: Viewer) -> str:
    assert viewer.user_id is not None
    with platform_session() as session:
        return start_session(session, viewer.user_id, viewer.tenant, address="127.0.0.1", user_agent="test")[0]


def _id(viewer: Viewer) -> int:
    assert viewer.user_id is not None
    return viewer.user_id


def test_charlie_of_globex_sees_and_changes_nobody_of_acme(cast: Cast, valkey: Redis) -> None:
    assert [person.email for person in queries.users(cast.charlie)] == ["charlie@globex.example"]
    assert queries.names(cast.charlie) == [(cast.charlie.user_id, "Charlie")]
    with pytest.raises(NotFound):
        queries.user(cast.charlie, _id(cast.vera))
    for action in (users.disable, users.enable, users.remove, users.reset_password):
        with pytest.raises(NotFound):
            action(cast.charlie, _id(cast.vera))
    with pytest.raises(NotFound):
        users.set_role(cast.charlie, _id(cast.vera), "admin")
    with pytest.raises(NotFound):
        users.rename(cast.charlie, _id(cast.vera), "Eve")
    assert queries.user(cast.alice, _id(cast.vera)).role == "viewer"


@pytest.mark.parametrize("who", ["bob", "vera"])
def test_only_admins_manage_people(cast: Cast, valkey: Redis, who: str) -> None:
    viewer = getattr(cast, who)
    with pytest.raises(Forbidden):
        users.create(viewer, email="eve@acme.example", name="Eve", role="viewer")
    with pytest.raises(Forbidden):
        users.set_role(viewer, _id(cast.vera), "admin")
    with pytest.raises(Forbidden):
        queries.users(viewer)
    assert len(queries.names(viewer)) == 4


def test_a_person_is_added_once_with_a_password_shown_once(cast: Cast, valkey: Redis) -> None:
    made = users.create(cast.alice, email=" Nina@Acme.example", name="Nina", role="analyst")
    assert made.password is not None and len(made.password) >= 16
    assert queries.user(cast.alice, made.id).email == "nina@acme.example"
    with pytest.raises(Conflict):
        users.create(cast.alice, email="nina@acme.example", name="Nina", role="analyst")
    entry = audit_queries.entries(cast.alice)[0]
    assert (entry.action, entry.noun, entry.after) == (
        "create",
        "users",
        {"email": "nina@acme.example", "role": "analyst"},
    )


def test_an_account_of_another_tenant_keeps_its_password_and_name(cast: Cast, valkey: Redis) -> None:
    give_password(cast.vera)
    made = users.create(cast.charlie, email="vera@acme.example", name="Mine now", role="viewer")
    assert (made.id, made.password) == (cast.vera.user_id, None)
    for action in (users.disable, users.reset_password):
        with pytest.raises(Forbidden, match="other tenants"):
            action(cast.charlie, made.id)
    with pytest.raises(Forbidden, match="other tenants"):
        users.rename(cast.charlie, made.id, "Mine now")
    users.remove(cast.charlie, made.id)
    assert queries.user(cast.alice, made.id).name == "Vera"


@pytest.mark.parametrize(
    ("email", "name", "role", "password"),
    [
        ("no address", "Eve", "viewer", None),
        ("eve@acme.example\r\nBcc: x@y.example", "Eve", "viewer", None),
        ("eve@acme.example", "", "viewer", None),
        ("eve@acme.example", "Eve\x00", "viewer", None),
        ("eve@acme.example", "Eve", "emperor", None),
        ("eve@acme.example", "Eve", "viewer", "short"),
        ("eve@acme.example", "Eve", "viewer", "aaaaaaaaaaaaaa"),
    ],
)
def test_nonsense_is_refused(cast: Cast, valkey: Redis, email: str, name: str, role: str, password: str | None) -> None:
    with pytest.raises(InvalidInput):
        users.create(cast.alice, email=email, name=name, role=role, password=password)


def test_nobody_changes_their_own_role(cast: Cast, valkey: Redis) -> None:
    with pytest.raises(Forbidden):
        users.set_role(cast.alice, _id(cast.alice), "viewer")
    with pytest.raises(Forbidden):
        users.remove(cast.alice, _id(cast.alice))


def test_the_last_admin_stays(cast: Cast, valkey: Redis) -> None:
    paula = replace(cast.paula, tenant=cast.globex, tenant_name="globex")
    for action in (users.disable, users.remove):
        with pytest.raises(Conflict, match="last admin"):
            action(paula, _id(cast.charlie))
    with pytest.raises(Conflict, match="last admin"):
        users.set_role(paula, _id(cast.charlie), "viewer")


def test_a_new_role_ends_the_sessions_at_once_and_holds_at_the_next(cast: Cast, valkey: Redis) -> None:
    secret = _session_of(cast.vera)
    users.set_role(cast.alice, _id(cast.vera), "analyst")
    assert session_for(secret) is None
    fresh = session_for(_session_of(cast.vera))
    assert fresh is not None and fresh.viewer.role == "analyst"
    assert CACHE_S < 1


@pytest.mark.parametrize("action", [users.disable, users.remove, users.reset_password])
def test_what_takes_rights_away_ends_sessions(cast: Cast, valkey: Redis, action: object) -> None:
    secret = _session_of(cast.vera)
    action(cast.alice, _id(cast.vera))  # type: ignore[operator]
    assert session_for(secret) is None


def test_a_right_change_is_told_to_open_screens(cast: Cast, valkey: Redis) -> None:
    listener = valkey.pubsub(ignore_subscribe_messages=True)
    listener.subscribe(f"live:{cast.acme}:authz")
    listener.get_message(timeout=1)
    users.disable(cast.alice, _id(cast.vera))
    message = listener.get_message(timeout=5)
    assert message is not None and str(cast.vera.user_id) in message["data"].decode()
    listener.close()


def test_over_rest(cast: Cast, valkey: Redis) -> None:
    browser = Browser(make_server(), cast.alice)
    body = {"email": "nina@acme.example", "name": "Nina", "role": "viewer"}
    made = browser.post("/api/v1/users", json=body)
    assert made.status_code == 201 and made.json["password"]
    path = f"/api/v1/users/{made.json['id']}"
    assert browser.send("PATCH", path, json={"role": "analyst"}).json["role"] == "analyst"
    assert browser.send("PATCH", path, json={"is_disabled": True}).json["disabled_at"]
    assert browser.post(path + "/password", json={}).json["password"]
    assert browser.send("DELETE", path).status_code == 204
    assert browser.get(path).status_code == 404


@pytest.mark.parametrize("extra", ["tenant_id", "is_platform_admin", "is_admin", "id", "password_hash"])
def test_fields_that_are_not_the_callers_to_set_are_refused(cast: Cast, valkey: Redis, extra: str) -> None:
    body = {"email": "eve@acme.example", "name": "Eve", "role": "viewer", extra: 1}
    browser = Browser(make_server(), cast.alice)
    assert browser.post("/api/v1/users", json=body).status_code == 400
    assert browser.send("PATCH", f"/api/v1/users/{cast.vera.user_id}", json={extra: True}).status_code == 400


def test_another_tenants_person_is_the_same_as_nobody(cast: Cast, valkey: Redis) -> None:
    client, header = make_server().test_client(), token_for(cast.charlie, Scope.ADMIN)
    theirs = client.get(f"/api/v1/users/{cast.vera.user_id}", headers=header)
    nobody = client.get("/api/v1/users/999999", headers=header)
    assert theirs.status_code == nobody.status_code == 404
    assert theirs.json["detail"].replace(str(cast.vera.user_id), "") == nobody.json["detail"].replace("999999", "")
