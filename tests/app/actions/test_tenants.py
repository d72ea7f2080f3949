"""Tenants: platform admins make them, everybody else sees their own."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from redis import Redis

from app.actions import tenants
from app.auth.operator import operator, operator_of
from app.auth.sessions import session_for, start_session
from app.domain.tenancy import Scope, TenantId
from app.errors import Conflict, Forbidden, InvalidInput, NotFound
from app.queries import audit as audit_queries
from app.queries import rules as rule_queries
from app.queries import tenants as queries
from models.session import platform_session
from tests.factories.browser import Browser, make_server, token_for
from tests.factories.cast import Cast


def test_charlie_of_globex_sees_globex_alone(cast: Cast) -> None:
    assert [tenant.name for tenant in queries.tenants(cast.charlie)] == ["globex"]
    with pytest.raises(NotFound):
        queries.tenant(cast.charlie, "acme")
    for viewer in (cast.charlie, cast.alice):
        with pytest.raises(Forbidden):
            tenants.create(viewer, "initech")
        with pytest.raises(Forbidden):
            tenants.change(viewer, "globex", {"samples_per_s": 10})
        with pytest.raises(Forbidden):
            tenants.close(viewer, "globex")


def test_a_new_tenant_has_rules_and_an_entry_in_its_own_log(cast: Cast, valkey: Redis) -> None:
    made = tenants.create(operator(), "initech", accept_from=datetime(1970, 1, 1, tzinfo=UTC))
    viewer = operator_of("initech")
    assert viewer.tenant == made.id
    assert rule_queries.groups(viewer)
    assert [(entry.actor, entry.action) for entry in audit_queries.entries(viewer)] == [("command line", "create")]
    with pytest.raises(Conflict):
        tenants.create(operator(), "initech")


def test_limits_are_changed_within_reason(cast: Cast) -> None:
    changed = tenants.change(cast.paula, "globex", {"samples_per_s": 5000, "raw_retention_days": 30})
    assert (changed.samples_per_s, changed.raw_retention_days) == (5000, 30)
    for changes in ({"samples_per_s": 0}, {"samples_per_s": True}, {"id": 7}, {"name": "x"}, {"closed_at": None}):
        with pytest.raises(InvalidInput):
            tenants.change(cast.paula, "globex", changes)


@pytest.mark.parametrize(
    "terms",
    [{"raw_retention_days": 91}, {"retention_5m_days": 731}, {"retention_1h_days": 80}, {"retention_1d_days": 100}],
)
def test_terms_that_make_no_sense_together_are_refused_whole(cast: Cast, terms: dict[str, int]):
    before = tenants.change(cast.paula, "globex", {"title": "Globex"})
    with pytest.raises(InvalidInput):
        tenants.change(cast.paula, "globex", {"samples_per_s": 77, **terms})
    assert tenants.change(cast.paula, "globex", {"title": "Globex"}) == before
    wider = {"raw_retention_days": 91, "retention_5m_days": 800, "retention_1h_days": 900}
    assert tenants.change(cast.paula, "globex", wider).raw_retention_days == 91


@pytest.mark.parametrize("name", ["", "a", "Acme", "a b", "-a", "a" * 64, "a/b", "acme\x00"])
def test_names_that_make_trouble_are_refused(cast: Cast, name: str) -> None:
    with pytest.raises(InvalidInput):
        tenants.create(cast.paula, name)


def test_nobody_gets_into_a_closed_tenant(cast: Cast, valkey: Redis) -> None:
    header = token_for(cast.charlie, Scope.READ)
    with platform_session() as session:
        secret, _ = start_session(session, cast.charlie.user_id or 0, cast.globex, address="", user_agent="")
    tenants.close(cast.paula, "globex")
    assert session_for(secret) is None
    assert make_server().test_client().get("/api/v1/alerts", headers=header).status_code == 401


def test_over_rest(cast: Cast, valkey: Redis) -> None:
    paula = Browser(make_server(), cast.paula)
    assert paula.post("/api/v1/tenants", json={"name": "initech"}).status_code == 201
    assert [tenant["name"] for tenant in paula.get("/api/v1/tenants").json["items"]] == ["acme", "globex", "initech"]
    changed = paula.send("PATCH", "/api/v1/tenants/initech", json={"title": "Initech Ltd"})
    assert changed.json["title"] == "Initech Ltd"
    assert paula.send("DELETE", "/api/v1/tenants/initech").status_code == 204
    alice = Browser(make_server(), cast.alice)
    assert [tenant["name"] for tenant in alice.get("/api/v1/tenants").json["items"]] == ["acme"]
    assert alice.get("/api/v1/tenants/globex").status_code == 404
    assert alice.post("/api/v1/tenants", json={"name": "mine"}).status_code == 403


def test_a_tenant_in_the_request_changes_nothing(cast: Cast, valkey: Redis) -> None:
    alice = Browser(make_server(), cast.alice)
    headers = {"X-Tenant": "globex", "X-Scope-OrgID": str(cast.globex)}
    seen = alice.get(f"/api/v1/users?tenant=globex&tenant_id={cast.globex}", headers=headers).json["items"]
    assert {person["email"].partition("@")[2] for person in seen} == {"acme.example"}


def test_the_operator_is_nobody_outside_a_tenant(cast: Cast) -> None:
    assert operator().tenant == TenantId(0)
    with pytest.raises(NotFound):
        operator_of("nowhere")
    assert replace(operator_of("acme"), tenant=cast.acme).tenant_name == "acme"
