"""Exemplars of the series that an expression reads, of one's own tenant."""

from __future__ import annotations

import pytest
from redis import Redis

from app.domain.exemplars import Exemplar
from app.domain.labels import labels_of
from app.domain.tenancy import Scope
from app.errors import QueryError
from app.queries.exemplars import exemplars
from app.tsdb import exemplars as store
from tests.factories.browser import make_server, token_for
from tests.factories.cast import Cast

NOW_MS = 1_770_000_000_000
TRACE = labels_of({"trace_id": "abc"})


def of(metric: str, ts_ms: int = NOW_MS) -> Exemplar:
    return Exemplar(labels_of({"__name__": metric, "job": "api"}), TRACE, ts_ms, 0.5)


def test_those_of_every_selector_once(cast: Cast) -> None:
    store.add(cast.acme, [of("a_bucket"), of("b"), of("c"), of("a_bucket", NOW_MS - 60_000)])
    expr = 'histogram_quantile(0.9, sum by (le) (rate(a_bucket{job="api"}[5m]))) / b + b'
    found = exemplars(cast.vera, expr, start_ms=NOW_MS - 1_000, end_ms=NOW_MS)
    assert {dict(series)["__name__"]: len(kept) for series, kept in found.items()} == {"a_bucket": 1, "b": 1}
    assert exemplars(cast.vera, 'b{job="web"}', start_ms=0, end_ms=NOW_MS) == {}
    with pytest.raises(QueryError):
        exemplars(cast.vera, "sum(", start_ms=0, end_ms=NOW_MS)


def test_charlie_of_globex_reads_none_of_acmes(cast: Cast) -> None:
    store.add(cast.acme, [of("a")])
    assert exemplars(cast.charlie, "a", start_ms=0, end_ms=NOW_MS) == {}


def test_as_prometheus_writes_them(cast: Cast, valkey: Redis) -> None:
    store.add(cast.acme, [of("a")])
    client = make_server().test_client()
    reader = token_for(cast.alice, Scope.READ)
    answer = client.get(f"/api/v1/query_exemplars?query=a&start={NOW_MS / 1000}", headers=reader).json
    assert answer["data"] == [
        {
            "seriesLabels": {"__name__": "a", "job": "api"},
            "exemplars": [{"labels": {"trace_id": "abc"}, "value": "0.5", "timestamp": NOW_MS / 1000}],
        }
    ]
    assert client.get("/api/v1/query_exemplars?query=sum(", headers=reader).status_code == 400
