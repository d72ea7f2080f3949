"""Samples and offset in one transaction, by whoever holds the newest token; partitions appear when needed."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import text

from app.domain.labels import Matcher, MatchOp
from app.domain.tenancy import TenantId
from app.tsdb import writer
from app.tsdb.catalog import series_places
from app.tsdb.reader import Reader
from models.session import tenant_connection, writer_connection
from tests.app.tsdb.test_catalog import keys_of
from tests.factories.cast import Cast
from tests.factories.database import RolledBackDatabase

T0 = 1_770_000_000_000


def rows_of(tenant: TenantId, *, count: int = 3, ts_ms: int = T0) -> writer.Rows:
    places, _ = series_places(tenant, keys_of(count))
    return writer.Rows(
        tenants=np.full(count, tenant, dtype=np.int32),
        places=places,
        ts_ms=np.full(count, ts_ms),
        values=np.arange(count, dtype=float),
        parts=np.full(count, 1),
    )


def stored(tenant: TenantId) -> int:
    blocks = Reader(tenant).select([Matcher("__name__", MatchOp.EQUAL, "m")], start_ms=0, end_ms=2**42)
    return sum(len(block.ts_ms) for block in blocks)


def test_samples_and_offset_are_stored_together(cast: Cast) -> None:
    last, fence = writer.take_shard(0)
    assert last == "0-0"
    writer.write(rows_of(cast.acme), [writer.Advance(0, "7-1", fence)])
    assert stored(cast.acme) == 1
    assert writer.take_shard(0) == ("7-1", fence + 1)


def test_an_old_token_stores_nothing(cast: Cast) -> None:
    _, old = writer.take_shard(0)
    writer.take_shard(0)
    with pytest.raises(writer.FenceLost):
        writer.write(rows_of(cast.acme), [writer.Advance(0, "7-1", old)])
    assert stored(cast.acme) == 0
    assert writer.take_shard(0)[0] == "0-0"


@pytest.mark.parametrize(
    "ts_ms",
    [
        pytest.param(0, id="1970"),
        pytest.param(1_577_836_800_000 - 1, id="the last moment of 2019"),
        pytest.param(T0 + 10 * 365 * 86_400_000, id="ten years ahead"),
    ],
)
def test_any_time_finds_a_partition(cast: Cast, ts_ms: int) -> None:
    writer.write(rows_of(cast.acme, ts_ms=ts_ms), [])
    writer.write(rows_of(cast.acme, ts_ms=ts_ms + 3_600_000), [])
    assert stored(cast.acme) == 2


def test_a_partition_that_went_away_is_made_again(db: RolledBackDatabase, cast: Cast) -> None:
    writer.write(rows_of(cast.acme, ts_ms=0), [])
    db.role = "worker"
    with tenant_connection(cast.acme) as connection:
        connection.execute(text("select watchfloor_drop_partitions('1990-01-01')"))
    writer.write(rows_of(cast.acme, ts_ms=0), [])
    assert stored(cast.acme) == 1


def test_the_writer_may_add_and_nothing_more(cast: Cast) -> None:
    writer.write(rows_of(cast.acme), [])
    for statement in (
        "select * from sample_hot",
        "delete from sample_hot",
        "select * from series",
        "select * from tenants",
    ):
        with pytest.raises(Exception, match="permission denied"), writer_connection() as connection:
            connection.execute(text(statement))
