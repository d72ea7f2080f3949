"""The end of a tenant: all of it goes, nothing of the other, and the counts say so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from redis import Redis
from sqlalchemy import text, update

from app.actions import erasures, sites
from app.actions import tenants as tenant_actions
from app.domain.inventory import SiteFields
from app.errors import Conflict, Forbidden, InvalidInput, NotFound
from app.objects import objects
from app.queries import erasures as queries
from app.queries import tenants
from app.tsdb import archive, erase, retention
from app.tsdb.turns import turn_of
from ingest import stream
from models.session import close_database, open_database, platform_session, tenant_connection
from models.tenants import TenantRow
from tests.factories.cast import Cast, create_cast
from tests.factories.objects import folder_store
from tests.factories.samples import store
from tests.factories.servers import SECRET_KEY, Servers

BUCKET = datetime(2026, 1, 5, 6, tzinfo=UTC)


@pytest.fixture
def two(own_db: str, valkey: Redis, tmp_path: Path) -> Cast:
    """Both tenants with samples, an archive, entries that wait, keys, and rows in other tables."""
    close_database()
    open_database(own_db, role="worker", secret_key=SECRET_KEY)
    folder_store(tmp_path)
    cast = create_cast()
    for tenant in (cast.acme, cast.globex):
        moment = int(BUCKET.timestamp() * 1000) + 1
        store(tenant, {"__name__": "up", "device": "r1"}, [(moment, 1.0), (moment + 6 * 3_600_000, 2.0)])
        assert archive.retire(tenant, BUCKET)
        one = np.ones(1, dtype=np.int64)
        remember = ("key", b"answer")
        stream.append(tenant, one, ts_ms=one, values=np.ones(1), source="t", request_id="r", remember=remember)
    for viewer in (cast.alice, cast.charlie):
        sites.create_site(viewer, SiteFields(name="LON1"))
    return cast


def close(cast: Cast, name: str, *, seconds_ago: float = 60) -> None:
    tenant_actions.close(cast.paula, name)
    with platform_session() as session:
        closed_at = datetime.now(UTC) - timedelta(seconds=seconds_ago)
        session.execute(update(TenantRow).where(TenantRow.name == name).values(closed_at=closed_at))


def test_all_of_a_tenant_goes_and_nothing_of_the_other(two: Cast) -> None:
    ours = erase.counts(two.acme)
    close(two, "globex")
    erasure_id = erasures.ask(two.paula, "globex", typed="globex")
    assert erasures.quiet_in(erasure_id) == 0
    done = erasures.carry_out(erasure_id)
    expected = {"series": 1, "sample_hot": 1, "archives": 1, "sites": 1, "(objects)": 1, "tenants": 1, "memberships": 1}
    assert expected.items() <= done.before.items()
    assert done.before["(waiting in the stream)"] == 1
    assert done.before["(keys in Valkey)"] >= 1
    assert (done.after, erase.counts(two.globex)) == ({}, {})
    assert objects().paths(f"tenant={two.globex}") == []
    left = erase.counts(two.acme)
    assert left.pop("audit") == ours.pop("audit", 0) + 1  # that it was erased stands in the log of who asked for it
    assert left == ours
    with platform_session() as session:
        assert set(session.scalars(text("select name from users"))) == {"Alice", "Bob", "Vera", "Paula"}
    [told] = queries.erasures(two.paula)
    assert (told.name, told.requested_by, told.after) == ("globex", two.paula.email, {})
    assert told.finished_at is not None
    assert erasures.carry_out(erasure_id) == told
    with pytest.raises(NotFound):
        tenants.tenant(two.paula, "globex")


def test_every_table_with_a_tenant_is_counted_and_erased(two: Cast) -> None:
    with platform_session() as session:
        counted = set(session.scalars(text("select name from watchfloor_tenant_rows(1)")))
    with tenant_connection(two.acme) as connection:
        columns = text(
            "select table_name from information_schema.columns where table_schema = 'public'"
            " and column_name = 'tenant_id'"
        )
        assert set(connection.scalars(columns)) <= counted


def test_only_a_closed_tenant_is_erased_and_only_by_its_name(two: Cast) -> None:
    with pytest.raises(Conflict, match="Close it first"):
        erasures.ask(two.paula, "globex", typed="globex")
    close(two, "globex")
    with pytest.raises(InvalidInput):
        erasures.ask(two.paula, "globex", typed="globx")
    with pytest.raises(Forbidden):
        erasures.ask(two.alice, "globex", typed="globex")
    with pytest.raises(Forbidden):
        queries.erasures(two.charlie)
    with pytest.raises(Forbidden):
        queries.left_of(two.charlie, "acme")
    with pytest.raises(NotFound):
        erasures.ask(two.paula, "initech", typed="initech")
    close(two, "acme")
    with pytest.raises(Conflict, match="You are in acme"):
        erasures.ask(two.paula, "acme", typed="acme")


def test_it_waits_until_every_process_knows(two: Cast) -> None:
    close(two, "globex", seconds_ago=0)
    erasure_id = erasures.ask(two.paula, "globex", typed="globex")
    assert 0 < erasures.quiet_in(erasure_id) <= erasures.QUIET.total_seconds()
    assert erasures.ask(two.paula, "globex", typed="globex") == erasure_id


def test_an_erasure_that_a_crash_broke_off_is_ended_by_asking_again(two: Cast) -> None:
    close(two, "globex")
    erasure_id = erasures.ask(two.paula, "globex", typed="globex")
    assert erase.erase(two.globex) == {}
    assert erasures.ask(two.paula, "globex", typed="globex") == erasure_id
    assert erasures.carry_out(erasure_id).finished_at is not None


STEPS = ["entries", "keys", "objects", "rows"]


@pytest.mark.parametrize("last", [pytest.param(step, id=f"killed after {step}") for step in ["", *STEPS]])
def test_an_erasure_that_was_killed_between_two_steps_ends_when_asked_for_again(
    two: Cast, own_db: str, servers: Servers, tmp_path: Path, last: str
) -> None:
    ours, before = erase.counts(two.acme), erase.counts(two.globex)
    close(two, "globex")
    erasure_id = erasures.ask(two.paula, "globex", typed="globex")
    run_until(own_db, servers.redis_url, tmp_path, two.globex, last)
    assert erasures.ask(two.paula, "globex", typed="globex") == erasure_id
    done = erasures.carry_out(erasure_id)
    assert (done.after, erase.counts(two.globex), objects().paths(f"tenant={two.globex}")) == ({}, {}, [])
    assert done.finished_at is not None
    if not last:
        assert done.before["sample_hot"] == before["sample_hot"]
    left = erase.counts(two.acme)
    assert left.pop("audit") == ours.pop("audit", 0) + 1
    assert left == ours


def run_until(url: str, redis_url: str, folder: Path, tenant: int, last: str) -> None:
    """Erase in a process that kills itself after the step `last`; "": right at the start."""
    program = f"""
import os, signal
from redis import Redis
from app.objects import object_store, use_objects
from app.tsdb import erase
from app.tsdb.turns import turn_of
from app.valkey import use_valkey
from models.session import open_database
open_database(os.environ["URL"], role="worker", secret_key={SECRET_KEY!r})
use_valkey(Redis.from_url({redis_url!r}))
use_objects(object_store("file://{folder}"))
with turn_of({tenant}, wait_s=5):
    for step in erase.erase_steps({tenant}) if {last!r} else ():
        if step == {last!r}:
            break
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program], env={**os.environ, "URL": url}, check=False)
    assert done.returncode == -signal.SIGKILL


def test_erasing_and_retention_take_turns(two: Cast, tmp_path: Path) -> None:
    close(two, "globex")
    erasure_id = erasures.ask(two.paula, "globex", typed="globex")
    there, may_go_on = Event(), Event()

    def retention_at_work() -> None:
        with turn_of(two.globex, wait_s=5):
            steps = archive.retire_steps(two.globex, BUCKET + timedelta(hours=6))
            assert next(steps) == "copied"
            there.set()
            assert may_go_on.wait(20)
            assert list(steps)[-1] == "swept"

    with ThreadPoolExecutor() as pool:
        retiring = pool.submit(retention_at_work)
        assert there.wait(20)
        erasing = pool.submit(erasures.carry_out, erasure_id)
        assert retention.drop_expired(datetime.now(UTC)).archived == 1  # acme's; of globex in the next run
        assert not erasing.done()
        may_go_on.set()
        retiring.result(20)
        assert erasing.result(20).after == {}
    assert objects().paths(f"tenant={two.globex}") == []
