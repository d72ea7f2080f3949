"""An answer says from which resolution it comes."""

from __future__ import annotations

import numpy as np
import pytest
from redis import Redis

from app.domain.tenancy import Scope
from tests.app.tsdb.test_compact import compact_all
from tests.factories.browser import make_server, token_for
from tests.factories.cast import Cast
from tests.factories.database import RolledBackDatabase
from tests.factories.samples import store

DAY = 86_400
T0 = 1_770_000_000 // DAY * DAY


@pytest.mark.parametrize(
    ("query", "step", "resolution"),
    [
        ("max_over_time(load[5m])", 300, "5m"),
        ("rate(load[1h])", 3600, "1h"),
        ("avg_over_time(load[1d])", DAY, "1d"),
        ("load", 3600, "raw"),
        ("rate(load[7m])", 3600, "raw"),
    ],
)
def test_the_resolution_is_told(
    cast: Cast, db: RolledBackDatabase, valkey: Redis, query: str, step: int, resolution: str
) -> None:
    times = 1000 * (T0 + 300 * np.arange(1, 2 * 288 + 1))
    store(cast.acme, {"__name__": "load", "device": "sw-1"}, list(zip(times.tolist(), range(len(times)), strict=True)))
    db.role = "worker"
    compact_all(cast.acme, (T0 + 10 * DAY) * 1000)
    db.role = "web"
    client, header = make_server().test_client(), token_for(cast.vera, Scope.READ)
    span = {"start": T0 + DAY, "end": T0 + 2 * DAY, "step": step}
    answer = client.get("/api/v1/query_range", query_string={"query": query, **span}, headers=header)
    assert answer.status_code == 200
    assert answer.headers["X-Resolution"] == resolution
    assert len(answer.json["data"]["result"][0]["values"]) == DAY // step + 1
    foreign = client.get(
        "/api/v1/query_range", query_string={"query": query, **span}, headers=token_for(cast.charlie, Scope.READ)
    )
    assert foreign.json["data"]["result"] == []
