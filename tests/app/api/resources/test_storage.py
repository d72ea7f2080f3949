"""/api/v1/storage, /api/v1/archives, /api/v1/cardinality: for one's own tenant alone."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from redis import Redis

from app.domain.tenancy import Scope
from models.archives import ArchiveRow
from models.session import tenant_session
from tests.factories.browser import make_server, token_for
from tests.factories.cast import Cast
from tests.factories.database import RolledBackDatabase
from tests.factories.objects import folder_store
from tests.factories.samples import store

WHEN = datetime(2026, 1, 5, 6, tzinfo=UTC)


@pytest.fixture
def client(db: RolledBackDatabase, cast: Cast, valkey: Redis, tmp_path: Path) -> FlaskClient:
    folder_store(tmp_path)
    store(cast.acme, {"__name__": "up", "device": "r1"}, [(1_767_600_000_000, 1.0)])
    db.role = "worker"  # who alone lists archives
    with tenant_session(cast.acme) as session:
        for day in (5, 6):
            at = WHEN.replace(day=day)
            values = {"series": 1, "samples": 2, "bytes": 3, "checksum": "x", "first_ts": at, "last_ts": at}
            session.add(ArchiveRow(tenant_id=cast.acme, bucket=at, path=f"day={day}", **values))
    db.role = "web"
    return make_server().test_client()


def test_terms_over_the_api(client: FlaskClient, cast: Cast) -> None:
    reader, admin = token_for(cast.alice, Scope.READ), token_for(cast.alice, Scope.ADMIN)
    stored = client.get("/api/v1/storage", headers=reader).json
    assert stored["days"]["raw"] == 15
    assert [each["tier"] for each in stored["held"]] == ["raw", "5m", "1h", "1d", "archive"]
    body = {"days": {"raw": 3}}
    going = client.post("/api/v1/storage/preview", json=body, headers=reader).json
    assert going["going"][0]["rows"] == 1
    assert client.patch("/api/v1/storage", json=body, headers=reader).status_code == 403
    assert client.patch("/api/v1/storage", json=body, headers=admin).json["days"]["raw"] == 3
    assert client.patch("/api/v1/storage", json={"days": {"raw": -1}}, headers=admin).status_code == 400


def test_archives_are_paged_and_restored_by_a_worker(client: FlaskClient, cast: Cast, valkey: Redis) -> None:
    ours = token_for(cast.alice, Scope.READ, Scope.ADMIN)
    first = client.get("/api/v1/archives?limit=1", headers=ours).json
    second = client.get(f"/api/v1/archives?limit=1&cursor={first['next']}", headers=ours).json
    assert [page["items"][0]["path"] for page in (first, second)] == ["day=6", "day=5"]
    assert second["next"] is None
    bounded = client.get("/api/v1/archives?end=2026-01-06T00:00:00Z", headers=ours).json
    assert [each["path"] for each in bounded["items"]] == ["day=5"]
    assert client.get("/api/v1/archives?start=yesterday", headers=ours).status_code == 400
    body = {"start": "2026-01-06T00:00:00Z", "end": "2026-01-07T00:00:00Z"}
    answer = client.post("/api/v1/archives/restore", json=body, headers=ours)
    assert (answer.status_code, len(answer.json["items"]), valkey.llen("rq:queue:default")) == (202, 1, 1)


def test_charlie_of_globex_reads_and_restores_none_of_acmes(client: FlaskClient, cast: Cast) -> None:
    theirs = token_for(cast.charlie, Scope.READ, Scope.ADMIN)
    assert client.get("/api/v1/archives", headers=theirs).json["items"] == []
    assert client.get("/api/v1/storage", headers=theirs).json["held"][0]["rows"] == 0
    body = {"start": "2026-01-01T00:00:00Z", "end": "2026-02-01T00:00:00Z"}
    assert client.post("/api/v1/archives/restore", json=body, headers=theirs).status_code == 404
    assert client.get("/api/v1/cardinality", headers=theirs).json["series"] == 0
    assert client.get("/api/v1/cardinality", headers=token_for(cast.vera, Scope.READ)).json["series"] == 1
