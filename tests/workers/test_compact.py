"""The job compacts every tenant, gives way to another, and goes on where it stopped."""

from __future__ import annotations

import pytest
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy import text

from app import clock, jobs
from app.valkey import valkey as client
from models.session import close_database, open_database, tenant_connection
from tests.app.tsdb.test_compact import CPU, make_tenant, seen
from tests.factories.samples import store
from tests.factories.servers import SECRET_KEY
from workers import compact


@pytest.fixture(autouse=True)
def worker(own_db: str, valkey: Redis) -> None:
    close_database()
    open_database(own_db, role="worker", secret_key=SECRET_KEY)


def test_every_tenant_is_compacted() -> None:
    day_ago = clock.now_ms() - 86_400_000
    tenants = [make_tenant("acme"), make_tenant("globex")]
    for tenant in tenants:
        store(tenant, CPU, [(day_ago + 60_000 * index, index) for index in range(20)])
    before = [seen(tenant) for tenant in tenants]
    compact.compact()
    assert [seen(tenant) for tenant in tenants] == before
    for tenant in tenants:
        with tenant_connection(tenant) as connection:
            assert connection.scalar(text("select count(*) from sample_hot")) == 0
    assert not waiting()


def test_one_at_a_time(valkey: Redis) -> None:
    valkey.set("lease:" + compact.TURN, "another")
    store(make_tenant("acme"), CPU, [(clock.now_ms() - 86_400_000, 1.0)])
    compact.compact()
    with tenant_connection(make_tenant("other")) as connection:
        assert connection.scalar(text("select count(*) from sample_blocks")) == 0
    assert valkey.get("lease:" + compact.TURN) == b"another"


def test_what_is_left_is_queued_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compact, "RUN_S", -1.0)
    store(make_tenant("acme"), CPU, [(clock.now_ms() - 86_400_000, 1.0)])
    compact.compact()
    assert waiting() == [jobs.COMPACT.function]


def waiting() -> list[str]:
    return [
        job.func_name for job in Queue(jobs.COMPACT.queue, connection=client(), serializer=JSONSerializer).get_jobs()
    ]
