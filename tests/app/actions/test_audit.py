"""The audit log: complete, unbroken, and each tenant's own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis
from sqlalchemy import text

from app.actions import tokens
from app.actions.audit import record
from app.domain.audit import storable
from app.errors import Forbidden
from app.queries import audit as queries
from models.session import tenant_session
from tests.factories.browser import Browser, make_server
from tests.factories.cast import Cast
from tests.factories.database import RolledBackDatabase

ODD = {
    "float": 1.5,
    "whole": 2.0,
    "big": 1e300,
    "nan": float("nan"),
    "at": datetime(2026, 1, 1, tzinfo=UTC),
    "no": None,
}


def _write(cast: Cast, count: int) -> None:
    for number in range(count):
        with tenant_session(cast.acme) as session:
            record(session, cast.alice, action="try", noun="things", object_id=number, after={"n": number, **ODD})


def test_charlie_of_globex_reads_nothing_of_acme(cast: Cast) -> None:
    _write(cast, 3)
    assert queries.entries(cast.charlie) == []
    assert queries.verify(cast.charlie).entries == 0
    for viewer in (cast.bob, cast.vera):
        with pytest.raises(Forbidden):
            queries.entries(viewer)


def test_what_was_written_is_intact(cast: Cast) -> None:
    _write(cast, 4)
    check = queries.verify(cast.alice)
    assert (check.entries, check.is_intact) == (4, True)


@pytest.mark.parametrize(
    "tampering",
    [
        "update audit set actor = 'mallory' where object_id = '1'",
        "update audit set after = jsonb_set(after, '{n}', '9') where object_id = '1'",
        "delete from audit where object_id = '1'",
        "update audit set object_id = case object_id when '1' then '2' when '2' then '1' else object_id end",
        "insert into audit (tenant_id, at, actor, action, noun, object_id, request_id, previous_hash, hash) "
        "select tenant_id, at, actor, action, noun, 'more', request_id, hash, hash from audit where object_id = '3'",
    ],
    ids=["edited actor", "edited value", "deleted", "reordered", "inserted"],
)
def test_tampering_is_found(cast: Cast, db: RolledBackDatabase, tampering: str) -> None:
    _write(cast, 4)
    db.outer.execute(text("reset role"))
    db.outer.execute(text(f"set local app.tenant = '{cast.acme}'"))
    db.outer.execute(text(tampering))
    assert queries.verify(cast.alice).first_bad is not None


def test_secrets_stay_out(cast: Cast) -> None:
    with tenant_session(cast.acme) as session:
        record(session, cast.alice, action="x", noun="y", object_id=1, after={"password": "canary", "name": "n"})
    made = tokens.create(cast.alice, name="t", scopes=["read"])
    log = repr(queries.entries(cast.alice))
    assert "canary" not in log and made.secret not in log


def test_filters_and_pages_over_rest(cast: Cast, valkey: Redis) -> None:
    _write(cast, 5)
    browser = Browser(make_server(), cast.alice)
    first = browser.get("/api/v1/audit?noun=things&limit=3").json
    rest = browser.get(f"/api/v1/audit?noun=things&limit=3&cursor={first['next']}").json
    assert [entry["object_id"] for entry in first["items"] + rest["items"]] == ["4", "3", "2", "1", "0"]
    assert browser.get("/api/v1/audit?actor=nobody").json == {"items": [], "next": None}
    assert browser.get("/api/v1/audit?since=2026-01-01").status_code == 400
    assert browser.get("/api/v1/audit?actor=%00").status_code == 400
    assert browser.get("/api/v1/audit/verify").json["first_bad"] is None


def test_a_request_leaves_its_id(cast: Cast, valkey: Redis) -> None:
    browser = Browser(make_server(), cast.alice)
    body = {"name": "x", "scopes": ["read"]}
    browser.post("/api/v1/tokens", json=body, headers={"X-Request-Id": "trace-me-please"})
    assert queries.entries(cast.alice)[0].request_id == "trace-me-please"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_storable_is_stable(value: Any) -> None:
    assert storable(storable(value)) == storable(value)
