"""Partitions ahead, and the end of what is past its term."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from app.domain.labels import Matcher, MatchOp
from app.domain.tenancy import TenantId
from app.tsdb import retention
from app.tsdb.reader import Reader
from models.session import close_database, open_database, platform_session, tenant_connection
from models.tenants import TenantRow
from tests.factories.samples import store
from tests.factories.servers import SECRET_KEY

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def worker_db(own_db: str) -> None:
    """The database as workers see it: dropping partitions is for them alone."""
    close_database()
    open_database(own_db, role="worker", secret_key=SECRET_KEY)


def tenant(name: str, **columns: object) -> TenantId:
    with platform_session() as session:
        row = TenantRow(name=name, title=name, **columns)
        session.add(row)
        session.flush()
        return TenantId(row.id)


def days_of(owner: TenantId) -> list[int]:
    matcher = Matcher("__name__", MatchOp.EQUAL, "up")
    blocks = Reader(owner).select([matcher], start_ms=0, end_ms=2**42)
    return [round((NOW.timestamp() * 1000 - ts) / 86_400_000) for block in blocks for ts in block.ts_ms.tolist()]


def fill(owner: TenantId, *days: int) -> None:
    for day in days:
        ts_ms = int((NOW - timedelta(days=day)).timestamp() * 1000)
        store(owner, {"__name__": "up", "device": "core-1"}, [(ts_ms, 1.0)])


def test_each_tenant_keeps_what_its_term_says(worker_db: None) -> None:
    long, short = tenant("long", raw_retention_days=15), tenant("short", raw_retention_days=2)
    for owner in (long, short):
        fill(owner, 0, 1, 5, 30)
    done = retention.drop_expired(NOW)
    assert days_of(long) == [5, 1, 0]
    assert days_of(short) == [1, 0]
    assert done.dropped == 1
    assert done.deleted == 1
    assert retention.drop_expired(NOW) == retention.Retained(dropped=0, deleted=0)


def test_a_window_opened_for_old_data_keeps_it(worker_db: None) -> None:
    opened = tenant("opened", accept_from=datetime(1970, 1, 1, tzinfo=UTC))
    other = tenant("other")
    for owner in (opened, other):
        fill(owner, 1, 400)
    retention.drop_expired(NOW)
    assert days_of(opened) == [400, 1]
    assert days_of(other) == [1]


def test_partitions_are_made_ahead_once(worker_db: None) -> None:
    now = datetime.now(UTC)
    assert retention.make_partitions(now) == 9
    assert retention.make_partitions(now) == 0
    owner = tenant("acme")
    with tenant_connection(owner) as connection:
        ends = connection.scalar(text("select max(ends_at) from sample_partitions"))
    assert ends > now + timedelta(days=2)
