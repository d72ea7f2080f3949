"""TimescaleDB: skipped on servers without it. WATCHFLOOR_TEST_DATABASE_URL points at one that has it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from app.domain.tenancy import TenantId
from app.tsdb.engines.timescale import HYPERTABLES, POLICY
from models.session import tenant_connection, writer_connection
from tests.factories.cast import create_cast
from tests.factories.servers import Servers, owner_engine

NOW = datetime(2026, 7, 1, tzinfo=UTC)
ADD = text("insert into sample_hot (tenant_id, group_id, ts, part, vals) values (:tenant, 1, :ts, 1, '')")
MAKE = text("select watchfloor_make_partitions(cast(:moments as timestamptz[]))")
CHUNKS = text(
    "select count(*) from timescaledb_information.chunks where hypertable_name = 'sample_hot' and range_end <= :before"
)
FIRST_CHUNK = text(
    "select format('%I.%I', chunk_schema, chunk_name) from timescaledb_information.chunks"
    " where hypertable_name = 'sample_hot' limit 1"
)


@pytest.fixture
def owner(servers: Servers, own_db: str) -> Iterator[Connection]:
    """The owner's connection to a database whose time tables are hypertables."""
    engine = owner_engine(own_db)
    with engine.connect() as connection:
        if not connection.scalar(text("select exists (select from pg_extension where extname = 'timescaledb')")):
            pytest.skip("the server has no TimescaleDB")
        yield connection
    engine.dispose()


def add(tenant: TenantId, *ages_h: int) -> None:
    """As the writer does: pieces of time first, then rows."""
    with writer_connection() as connection:
        connection.execute(MAKE, {"moments": [NOW - timedelta(hours=age) for age in ages_h]})
        connection.execute(ADD, [{"tenant": tenant, "ts": NOW - timedelta(hours=age)} for age in ages_h])


def chunks(owner: Connection) -> int:
    owner.rollback()
    return int(owner.scalar(CHUNKS, {"before": NOW}) or 0)


def test_time_tables_are_hypertables_and_a_policy_drops_their_chunks(owner: Connection) -> None:
    names = owner.scalars(text("select hypertable_name from timescaledb_information.hypertables"))
    assert set(names) == set(HYPERTABLES)
    jobs = owner.scalars(text("select proc_name from timescaledb_information.jobs where proc_name like 'watch%'"))
    assert list(jobs) == [POLICY]


def test_the_policy_drops_what_is_over_and_empty_and_nothing_else(owner: Connection) -> None:
    cast = create_cast()
    add(cast.acme, 100, 50)
    add(cast.globex, 50)
    assert chunks(owner) == 2
    owner.execute(text("delete from sample_hot where tenant_id = :tenant"), {"tenant": cast.acme})
    owner.commit()
    owner.execute(text(f"call {POLICY}(0, null)"))
    owner.commit()
    assert chunks(owner) == 1
    assert owner.scalar(text("select count(*) from sample_hot")) == 1


def test_a_chunk_is_reached_through_its_table_only(owner: Connection) -> None:
    cast = create_cast()
    add(cast.acme, 50)
    chunk = owner.scalar(FIRST_CHUNK)
    with tenant_connection(cast.acme) as connection:
        assert connection.scalar(text("select count(*) from sample_hot")) == 1
    with tenant_connection(cast.globex) as connection:
        assert connection.scalar(text("select count(*) from sample_hot")) == 0
    with pytest.raises(DBAPIError, match="permission denied"), tenant_connection(cast.globex) as connection:
        connection.execute(text(f"select count(*) from {chunk}"))
