"""/api/v1/models: read by all, changed by admins, with tokens of that scope."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient
from redis import Redis

from app.domain.tenancy import Scope
from tests.factories.browser import make_server, token_for
from tests.factories.cast import Cast
from tests.factories.database import RolledBackDatabase
from tests.factories.mlmodels import three_versions
from tests.factories.objects import folder_store

ADDRESS = "/api/v1/models"


@pytest.fixture
def client(db: RolledBackDatabase, cast: Cast, valkey: Redis, tmp_path: Path) -> FlaskClient:
    folder_store(tmp_path)
    db.role = "worker"
    three_versions(cast)
    db.role = "web"
    return make_server().test_client()


def test_models_are_listed_in_pages_and_one_by_one(client: FlaskClient, cast: Cast) -> None:
    reader = token_for(cast.alice, Scope.READ)
    first = client.get(f"{ADDRESS}?limit=2&family=cpu", headers=reader).json
    rest = client.get(f"{ADDRESS}?limit=2&family=cpu&cursor={first['next']}", headers=reader).json
    assert [its["version"] for its in first["items"] + rest["items"]] == [3, 2, 1]
    one = client.get(f"{ADDRESS}/{first['items'][1]['id']}", headers=reader).json
    assert (one["stage"], one["family"], one["is_damaged"]) == ("champion", "cpu", False)
    assert client.get(f"{ADDRESS}?family=tape", headers=reader).json["items"] == []
    assert client.get(f"{ADDRESS}/drift", headers=reader).json["items"] == []
    theirs = token_for(cast.charlie, Scope.ADMIN)
    assert client.get(f"{ADDRESS}/{one['id']}", headers=theirs).status_code == 404


def test_admins_promote_roll_back_and_train(client: FlaskClient, cast: Cast) -> None:
    reader, admin = token_for(cast.alice, Scope.READ), token_for(cast.alice, Scope.ADMIN)
    newest = client.get(ADDRESS, headers=reader).json["items"][0]["id"]
    body = {"why": "the new uplink"}
    assert client.post(f"{ADDRESS}/{newest}/promote", json=body, headers=reader).status_code == 403
    assert client.post(f"{ADDRESS}/{newest}/promote", json={"why": ""}, headers=admin).status_code == 400
    promoted = client.post(f"{ADDRESS}/{newest}/promote", json=body, headers=admin).json
    assert (promoted["stage"], promoted["promoted_why"]) == ("champion", "the new uplink")
    assert client.post(f"{ADDRESS}/rollback", json={"family": "cpu"}, headers=admin).json["version"] == 2
    queued = client.post(f"{ADDRESS}/train", headers=admin)
    assert queued.status_code == 202
    assert client.post(f"{ADDRESS}/train", headers=admin).status_code == 409
    [run] = client.get(f"{ADDRESS}/runs", headers=reader).json["items"]
    assert (run["id"], run["state"], run["steps"]) == (queued.json["run"], "queued", [])
