"""How the rows of groups are asked for: planned for what is asked."""

from __future__ import annotations

from sqlalchemy import text

from app.domain.labels import Matcher, MatchOp
from app.tsdb import raw
from app.tsdb.blocks import int_array
from app.tsdb.selection import select_series
from models.session import tenant_connection
from tests.factories.cast import Cast
from tests.factories.samples import store

T0 = 1_770_000_000_000
UP = [Matcher("__name__", MatchOp.EQUAL, "up")]

_PREPARED = text("select count(*) from pg_prepared_statements where statement like '%string_agg%'")


def test_rows_are_planned_for_the_groups_that_are_asked_for(cast: Cast) -> None:
    store(cast.acme, {"__name__": "up", "device": "core-1"}, [(T0, 1.0)])
    with tenant_connection(cast.acme, read_only=True) as connection:
        groups = select_series(connection, cast.acme, UP)
        for _ in range(12):  # the driver prepares what it has seen five times, the server plans it for any five later
            assert raw.fetch(connection, cast.acme, groups, start_ms=T0, end_ms=T0)
        assert connection.scalar(_PREPARED) == 0


def test_an_array_as_a_parameter(cast: Cast) -> None:
    with tenant_connection(cast.acme, read_only=True) as connection:
        for numbers in ([], [7], [3, -1, 2]):
            assert connection.scalar(text("select cast(:a as int[])"), {"a": int_array(numbers)}) == numbers
