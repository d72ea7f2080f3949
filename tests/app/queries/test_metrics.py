"""The query door: PromQL over what is stored, within limits, and for its own tenant only."""

from __future__ import annotations

import numpy as np
import pytest

from app.domain.labels import Matcher, MatchOp
from app.domain.samples import Metadata
from app.domain.tenancy import Scope
from app.errors import Forbidden, QueryError
from app.promql.result import Matrix, Vector
from app.queries import metrics
from app.tsdb.tenants import describe_metrics
from tests.factories.cast import Cast, token_viewer
from tests.factories.samples import store_all

T0 = 1_770_000_000_000
ALL_TIME = {"start_ms": T0 - 10**9, "end_ms": T0 + 10**9}
OCTETS = [[Matcher("__name__", MatchOp.EQUAL, "ifHCInOctets")]]


@pytest.fixture
def stored(cast: Cast) -> Cast:
    """Two interfaces of acme, ten octets and twenty octets a second, every 15 s for five minutes."""
    store_all(
        cast.acme,
        [
            (
                {"__name__": "ifHCInOctets", "device": "core-1", "site": "north", "ifName": f"eth{speed}"},
                [(T0 + index * 15_000, float(speed * 15 * index)) for index in range(21)],
            )
            for speed in (10, 20)
        ],
    )
    return cast


def test_an_instant_query(stored: Cast) -> None:
    result = metrics.query_instant(stored.vera, "sum by (site) (rate(ifHCInOctets[1m]))", at_ms=T0 + 300_000)
    assert isinstance(result, Vector)
    assert result.labels == [(("site", "north"),)]
    assert result.values.tolist() == pytest.approx([30.0])


def test_a_range_query(stored: Cast) -> None:
    result = metrics.query_range(stored.vera, "ifHCInOctets", start_ms=T0, end_ms=T0 + 60_000, step_ms=30_000)
    assert isinstance(result, Matrix)
    assert [dict(labels)["ifName"] for labels in result.labels] == ["eth10", "eth20"]
    assert np.array_equal(result.values, [[0, 300, 600], [0, 600, 1200]])


def test_what_there_is(stored: Cast) -> None:
    found = metrics.series(stored.vera, OCTETS, **ALL_TIME)
    assert [dict(labels)["ifName"] for labels in found] == ["eth10", "eth20"]
    assert metrics.label_names(stored.vera, OCTETS, **ALL_TIME) == ["__name__", "device", "ifName", "site"]
    assert metrics.label_values(stored.vera, "site", **ALL_TIME) == ["north"]


def test_metadata(stored: Cast) -> None:
    describe_metrics(stored.acme, [Metadata("ifHCInOctets", "counter", "Octets in", "bytes")])
    assert metrics.metadata(stored.vera, "ifHCInOctets") == [Metadata("ifHCInOctets", "counter", "Octets in", "bytes")]


def test_a_query_has_its_time(stored: Cast) -> None:
    with pytest.raises(QueryError) as caught:
        metrics.query_instant(stored.vera, "ifHCInOctets", at_ms=T0, timeout_s=-1.0)
    assert (caught.value.kind, str(caught.value)) == ("timeout", "query timed out in expression evaluation")


def test_a_token_for_ingest_may_not_ask(stored: Cast) -> None:
    with pytest.raises(Forbidden):
        metrics.query_instant(token_viewer(stored.alice, Scope.INGEST), "up", at_ms=T0)


def test_charlie_of_globex_sees_nothing_of_acme(stored: Cast) -> None:
    describe_metrics(stored.acme, [Metadata("ifHCInOctets", "counter", "Octets in", "bytes")])
    charlie = stored.charlie
    assert len(metrics.query_instant(charlie, "ifHCInOctets", at_ms=T0 + 60_000)) == 0  # type: ignore[arg-type]
    ranged = metrics.query_range(charlie, '{__name__=~".+"}', start_ms=T0, end_ms=T0 + 60_000, step_ms=30_000)
    assert len(ranged) == 0
    assert metrics.series(charlie, OCTETS, **ALL_TIME) == []
    assert metrics.label_names(charlie, **ALL_TIME) == []
    assert metrics.label_values(charlie, "site", **ALL_TIME) == []
    assert metrics.metadata(charlie) == []
