"""API tokens: made once, seen once, dead at once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from redis import Redis

from app.actions import tokens
from app.auth.tokens import viewer_for_token
from app.clock import utc_now
from app.domain.tenancy import READ, Scope, Viewer
from app.errors import Forbidden, InvalidInput, NotFound, Unauthenticated
from app.queries import tokens as queries
from tests.factories.browser import Browser, make_server, token_for
from tests.factories.cast import Cast


def test_charlie_of_globex_sees_and_revokes_no_token_of_acme(cast: Cast) -> None:
    made = tokens.create(cast.alice, name="poller", scopes=["ingest"])
    assert queries.tokens(cast.charlie) == []
    with pytest.raises(NotFound):
        queries.token(cast.charlie, made.token.id)
    with pytest.raises(NotFound):
        tokens.revoke(cast.charlie, made.token.id)
    assert viewer_for_token(made.secret, "127.0.0.1").tenant == cast.acme


def test_a_secret_is_stored_as_a_hash_alone(cast: Cast) -> None:
    made = tokens.create(cast.alice, name="poller", scopes=[Scope.INGEST])
    assert made.secret.startswith(made.token.prefix + "_")
    assert made.secret not in repr(queries.token(cast.alice, made.token.id))


def test_a_revoked_token_is_dead_within_the_time_of_the_copy(cast: Cast) -> None:
    made = tokens.create(cast.alice, name="poller", scopes=["read"])
    tokens.revoke(cast.alice, made.token.id)
    tokens.revoke(cast.alice, made.token.id)
    with pytest.raises(Unauthenticated):
        viewer_for_token(made.secret, "127.0.0.1")


def test_an_expired_token_is_dead_and_one_that_expires_soon_lives(cast: Cast, valkey: Redis) -> None:
    client = make_server().test_client()
    dead = token_for(cast.alice, Scope.READ, expires_at=utc_now() - timedelta(seconds=1))
    living = token_for(cast.alice, Scope.READ, expires_at=utc_now() + timedelta(minutes=1))
    assert client.get("/api/v1/alerts", headers=dead).status_code == 401
    assert client.get("/api/v1/alerts", headers=living).status_code == 200


def test_a_token_bound_to_addresses_works_from_there_alone(cast: Cast) -> None:
    made = tokens.create(cast.alice, name="site", scopes=["ingest"], source_ranges=["10.1.0.0/16", "2001:db8::/32"])
    assert viewer_for_token(made.secret, "10.1.2.3").tenant == cast.acme
    assert viewer_for_token(made.secret, "2001:db8::7").tenant == cast.acme
    for elsewhere in ("10.2.0.1", "127.0.0.1", "", "10.1.0.0/16"):
        with pytest.raises(Forbidden):
            viewer_for_token(made.secret, elsewhere)


def test_a_forged_forwarded_address_is_not_believed(cast: Cast, valkey: Redis) -> None:
    header = token_for(cast.alice, Scope.READ, source_ranges=["10.1.0.0/16"])
    forged = {**header, "X-Forwarded-For": "10.1.2.3"}
    assert make_server().test_client().get("/api/v1/alerts", headers=forged).status_code == 403
    behind = make_server(trusted_proxies="127.0.0.0/8").test_client()
    assert behind.get("/api/v1/alerts", headers=forged).status_code == 200
    twice = {**header, "X-Forwarded-For": "10.1.2.3, 192.0.2.1"}
    assert behind.get("/api/v1/alerts", headers=twice).status_code == 403


@pytest.mark.parametrize(
    ("scope", "method", "path", "status"),
    [
        (Scope.READ, "GET", "/api/v1/alerts", 200),
        (Scope.READ, "POST", "/api/v1/incidents/1/ack", 403),
        (Scope.READ, "GET", "/api/v1/users", 403),
        (Scope.READ, "POST", "/api/v1/ingest", 403),
        (Scope.WRITE, "POST", "/api/v1/incidents/1/ack", 404),
        (Scope.WRITE, "POST", "/api/v1/tokens", 403),
        (Scope.WRITE, "POST", "/api/v1/ingest", 403),
        (Scope.ADMIN, "GET", "/api/v1/users", 200),
        (Scope.ADMIN, "POST", "/api/v1/tenants", 403),
        (Scope.INGEST, "GET", "/api/v1/alerts", 403),
        (Scope.INGEST, "GET", "/api/v1/query?query=1", 403),
        (Scope.INGEST, "GET", "/api/v1/openapi.json", 403),
    ],
)
def test_a_scope_opens_what_it_says(
    cast: Cast, valkey: Redis, scope: Scope, method: str, path: str, status: int
) -> None:
    body = {"json": {}} if method == "POST" else {}
    answer = make_server().test_client().open(path, method=method, headers=token_for(cast.alice, scope), **body)
    assert answer.status_code == status


def test_nobody_makes_a_token_that_may_more_than_they(cast: Cast) -> None:
    grants = frozenset({("tokens", "write"), ("tokens", READ)})
    keeper = Viewer(tenant=cast.acme, tenant_name="acme", name="K", role="keeper", user_id=1, grants=grants)
    for scope in (Scope.READ, Scope.WRITE, Scope.ADMIN):
        with pytest.raises(Forbidden):
            tokens.create(keeper, name="x", scopes=[scope])
    for viewer in (cast.bob, cast.vera):
        with pytest.raises(Forbidden):
            tokens.create(viewer, name="x", scopes=["read"])


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"scopes": []},
        {"scopes": ["root"]},
        {"expires_at": utc_now() - timedelta(days=1)},
        {"source_ranges": ["10.0.0.0/99"]},
    ],
)
def test_nonsense_is_refused(cast: Cast, fields: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        tokens.create(cast.alice, **{"name": "x", "scopes": ["read"], **fields})  # type: ignore[arg-type]


def test_over_rest(cast: Cast, valkey: Redis) -> None:
    client, header = make_server().test_client(), token_for(cast.alice, Scope.ADMIN)
    made = client.post("/api/v1/tokens", headers=header, json={"name": "grafana", "scopes": ["read"]})
    assert made.status_code == 201 and made.json["secret"].startswith("wf_")
    reader = {"Authorization": f"Bearer {made.json['secret']}"}
    assert client.get("/api/v1/alerts", headers=reader).status_code == 200
    assert "secret" not in client.get(f"/api/v1/tokens/{made.json['id']}", headers=header).json
    assert client.delete(f"/api/v1/tokens/{made.json['id']}", headers=header).status_code == 204
    assert client.get(f"/api/v1/tokens/{made.json['id']}", headers=header).json["revoked_at"]


def test_pages_go_on_where_they_ended_and_a_cursor_is_good_for_its_tenant_alone(cast: Cast, valkey: Redis) -> None:
    for number in range(5):
        tokens.create(cast.alice, name=f"t{number}", scopes=["ingest"])
    acme, globex = Browser(make_server(), cast.alice), Browser(make_server(), cast.charlie)
    names, cursor = [], ""
    while cursor is not None:
        page = acme.get(f"/api/v1/tokens?limit=2{'&cursor=' + cursor if cursor else ''}").json
        names += [token["name"] for token in page["items"]]
        cursor, last = page["next"], cursor
    assert names == ["t4", "t3", "t2", "t1", "t0"]
    assert globex.get(f"/api/v1/tokens?cursor={last}").status_code == 400
    assert acme.get(f"/api/v1/users?cursor={last}").status_code == 400
    changed = ("B" if last[0] == "A" else "A") + last[1:]
    for bad in (changed, last[:-4], "x", "%00", "9" * 5000):
        assert acme.get(f"/api/v1/tokens?cursor={bad}").status_code == 400
    for bad in ("0", "-1", "1001", "x", "1e3"):
        assert acme.get(f"/api/v1/tokens?limit={bad}").status_code == 400
