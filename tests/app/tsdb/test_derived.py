"""Scores are series: PromQL, label names and values show them, to their own tenant."""

from __future__ import annotations

import numpy as np
import pytest

from app.domain.labels import Matcher, MatchOp
from app.domain.samples import is_absent
from app.promql.engine import query_instant
from app.promql.result import Vector
from app.tsdb import scores
from app.tsdb.derived import SCORE
from app.tsdb.reader import Reader
from app.tsdb.scores import ScoredRow
from app.tsdb.selection import select_series
from models.session import tenant_connection, tenant_session
from tests.factories.cast import Cast
from tests.factories.database import RolledBackDatabase
from tests.factories.samples import store_all

T0 = 1_770_000_000_000
RANGE = {"start_ms": T0 - 60_000, "end_ms": T0 + 60_000}
NAMED = [Matcher("__name__", MatchOp.EQUAL, SCORE)]


@pytest.fixture
def scored(cast: Cast, db: RolledBackDatabase) -> Cast:
    """Two series of acme, one with a score of 1.5."""
    series = [({"__name__": "up", "device": name}, [(T0, 1.0)]) for name in ("core-1", "core-2")]
    store_all(cast.acme, series)
    db.role = "worker"
    with tenant_connection(cast.acme) as connection:
        groups = select_series(connection, cast.acme, [Matcher("device", MatchOp.EQUAL, "core-1")])
    for group in groups:
        values = np.full(int(group.slots.max()) + 1, np.nan)
        values[group.slots] = 1.5
        with tenant_session(cast.acme) as session:
            for _twice in range(2):
                rows = [ScoredRow(group.group_id, T0, scores.encode(values).tobytes())]
                scores.write(session, cast.acme, rows)
    db.role = "web"
    return cast


def test_a_score_is_a_series_that_promql_reads(scored: Cast) -> None:
    found = query_instant(Reader(scored.acme), f'{SCORE}{{metric="up"}} >= 1', at_ms=T0 + 1000)
    assert isinstance(found, Vector)
    assert [dict(labels) for labels in found.labels] == [{"__name__": SCORE, "metric": "up", "device": "core-1"}]
    assert found.values.tolist() == [1.5]


def test_labels_and_values_show_it(scored: Cast) -> None:
    reader = Reader(scored.acme)
    assert SCORE in reader.label_values("__name__", [], **RANGE)
    assert reader.label_values("device", [NAMED], **RANGE) == ["core-1"]
    assert reader.label_names([NAMED], **RANGE) == ["__name__", "device", "metric"]
    assert len(reader.series([NAMED], **RANGE)) == 1


def test_charlie_of_globex_sees_no_score_of_acme(scored: Cast) -> None:
    theirs = Reader(scored.globex)
    assert theirs.select(NAMED, **RANGE) == []
    assert SCORE not in theirs.label_values("__name__", [], **RANGE)


def test_what_is_below_the_boundary_stays_below_it() -> None:
    found = np.array([0.0, 0.9999, 1.0, 3.9, 99.0, np.nan])
    stored = scores.decode(scores.encode(found))
    assert is_absent(stored).tolist() == [False] * 5 + [True]
    assert (stored[:5] <= found[:5]).all()
    assert ((stored[:5] >= 1) == (found[:5] >= 1)).all()
