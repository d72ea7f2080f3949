"""The permission table of a tenant."""

from __future__ import annotations

from dataclasses import replace

import pytest
from redis import Redis

from app.actions import roles, users
from app.domain.tenancy import ADMIN, READ, WRITE, Viewer, may
from app.errors import Conflict, Forbidden, InvalidInput, NotFound
from app.queries import roles as queries
from tests.factories.browser import Browser, make_server
from tests.factories.cast import Cast


def test_charlie_of_globex_has_a_table_of_his_own(cast: Cast, valkey: Redis) -> None:
    roles.save(cast.alice, "night-shift", title="Night shift", grants=[("alerts", READ), ("alerts", WRITE)])
    assert [role.name for role in queries.roles(cast.charlie)] == ["viewer", "analyst", "admin"]
    with pytest.raises(NotFound):
        queries.role(cast.charlie, "night-shift")
    with pytest.raises(NotFound):
        roles.remove(cast.charlie, "night-shift")
    with pytest.raises(InvalidInput):
        users.create(cast.charlie, email="x@globex.example", name="X", role="night-shift")


@pytest.mark.parametrize("who", ["bob", "vera"])
def test_only_admins_see_and_change_roles(cast: Cast, valkey: Redis, who: str) -> None:
    viewer = getattr(cast, who)
    with pytest.raises(Forbidden):
        queries.roles(viewer)
    with pytest.raises(Forbidden):
        roles.save(viewer, "mine", title="Mine", grants=[("users", ADMIN)])


def test_a_role_of_ones_own_counts_at_the_next_request(cast: Cast, valkey: Redis) -> None:
    server = make_server()
    roles.save(cast.alice, "clerk", title="Clerk", grants=[("users", READ)])
    made = users.create(cast.alice, email="cleo@acme.example", name="Cleo", role="clerk")
    browser = Browser(server, replace(cast.vera, user_id=made.id))
    assert browser.get("/api/v1/users").status_code == 200
    assert browser.get("/api/v1/roles").status_code == 403
    assert browser.get("/api/v1/alerts").status_code == 403


def test_a_builtin_role_is_replaced_and_brought_back(cast: Cast, valkey: Redis) -> None:
    roles.save(cast.alice, "viewer", title="Reader", grants=[("metrics", READ)])
    changed = queries.role(cast.alice, "viewer")
    assert (changed.title, changed.grants, changed.is_builtin, changed.members) == (
        "Reader",
        (("metrics", "read"),),
        False,
        1,
    )
    roles.remove(cast.alice, "viewer")
    assert queries.role(cast.alice, "viewer").is_builtin


def test_a_role_that_somebody_has_stays(cast: Cast, valkey: Redis) -> None:
    roles.save(cast.alice, "clerk", title="Clerk", grants=[("users", READ)])
    users.create(cast.alice, email="cleo@acme.example", name="Cleo", role="clerk")
    with pytest.raises(Conflict):
        roles.remove(cast.alice, "clerk")


def test_nobody_grows_by_editing_the_table(cast: Cast, valkey: Redis) -> None:
    roles.save(cast.alice, "steward", title="Steward", grants=[("roles", WRITE), ("users", WRITE), ("users", READ)])
    grants = frozenset({("roles", WRITE), ("users", WRITE), ("users", READ)})
    steward = Viewer(
        tenant=cast.acme, tenant_name="acme", name="S", role="steward", user_id=cast.bob.user_id, grants=grants
    )
    with pytest.raises(Forbidden):
        roles.save(steward, "steward", title="Steward", grants=[("audit", READ)])
    with pytest.raises(Forbidden):
        roles.save(steward, "other", title="Other", grants=[("audit", READ)])
    with pytest.raises(Forbidden):
        users.create(steward, email="x@acme.example", name="X", role="admin")
    with pytest.raises(Forbidden):
        users.disable(steward, cast.alice.user_id or 0)


@pytest.mark.parametrize(
    ("name", "grants"),
    [("admin", [("users", READ)]), ("Bad Name", []), ("fine", [("tenants", WRITE)]), ("fine", [("users", "ingest")])],
)
def test_what_no_table_may_say(cast: Cast, valkey: Redis, name: str, grants: list[tuple[str, str]]) -> None:
    with pytest.raises((Forbidden, InvalidInput)):
        roles.save(cast.paula, name, title="X", grants=grants)


def test_over_rest(cast: Cast, valkey: Redis) -> None:
    browser = Browser(make_server(), cast.alice)
    body = {"title": "Clerk", "grants": [["users", "read"]]}
    assert browser.send("PUT", "/api/v1/roles/clerk", json=body).json["grants"] == [["users", "read"]]
    assert "clerk" in [role["name"] for role in browser.get("/api/v1/roles").json["items"]]
    assert browser.send("DELETE", "/api/v1/roles/clerk").status_code == 204
    assert browser.get("/api/v1/roles/clerk").status_code == 404


def test_people_never_ingest_and_only_platform_admins_see_tenants(cast: Cast) -> None:
    assert not may(cast.paula, "ingest", "samples")
    assert not may(cast.alice, READ, "tenants")
    assert may(cast.paula, WRITE, "tenants")
