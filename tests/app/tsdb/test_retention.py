"""Partitions ahead, the end of what is past its term, and what would go by other terms."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from redis import Redis
from sqlalchemy import text

from app.domain.labels import Matcher, MatchOp, encode_labels, labels_of
from app.domain.retention import Terms
from app.domain.samples import GONE, Batch
from app.domain.tenancy import TenantId
from app.errors import InvalidInput
from app.objects import objects
from app.tsdb import archive, compact, retention
from app.tsdb.reader import Reader
from ingest.accept import accept
from models.session import close_database, open_database, platform_session, tenant_connection
from models.tenants import TenantRow
from tests.factories.objects import folder_store
from tests.factories.raw_samples import raw_samples
from tests.factories.samples import store
from tests.factories.servers import SECRET_KEY

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def worker_db(own_db: str, tmp_path: Path) -> None:
    """The database as workers see it: dropping partitions is for them alone."""
    close_database()
    open_database(own_db, role="worker", secret_key=SECRET_KEY)
    folder_store(tmp_path)


def tenant(name: str, **columns: object) -> TenantId:
    with platform_session() as session:
        row = TenantRow(name=name, title=name, **columns)
        session.add(row)
        session.flush()
        return TenantId(row.id)


def days_of(owner: TenantId) -> list[int]:
    times = sorted(set(raw_samples(owner).ts_ms.tolist()))
    return [round((NOW.timestamp() * 1000 - ts) / 86_400_000) for ts in times]


def fill(owner: TenantId, *days: int) -> None:
    for day in days:
        ts_ms = int((NOW - timedelta(days=day)).timestamp() * 1000)
        store(owner, {"__name__": "up", "device": "core-1"}, [(ts_ms, 1.0)])


def rolled_up(owner: TenantId, tier: int, at: datetime) -> None:
    with tenant_connection(owner) as connection:
        connection.execute(
            text(
                "insert into sample_rollups (tenant_id, group_id, tier, bucket, first_ts, last_ts, version, samples,"
                " checksum, codec, blob) values (:tenant, 1, :tier, :at, :at, :at, 1, 12, 0, 1, 'x')"
            ),
            {"tenant": owner, "tier": tier, "at": at},
        )


def tiers_of(owner: TenantId) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    with tenant_connection(owner) as connection:
        query = text("select tier, bucket from sample_rollups where tenant_id = :tenant order by tier, bucket desc")
        for tier, bucket in connection.execute(query, {"tenant": owner}):
            found.setdefault(tier, []).append((NOW - bucket).days)
    return found


def test_each_tenant_keeps_what_its_term_says(worker_db: None) -> None:
    long, short = tenant("long", raw_retention_days=15), tenant("short", raw_retention_days=2)
    for owner in (long, short):
        fill(owner, 0, 1, 5, 30)
    done = retention.drop_expired(NOW)
    assert days_of(long) == [5, 1, 0]
    assert days_of(short) == [1, 0]
    assert done == retention.Retained(archived=3, deleted=0, dropped=1)
    assert [archive.total(owner).objects for owner in (long, short)] == [1, 2]
    assert retention.drop_expired(NOW) == retention.Retained()


def test_late_samples_of_an_archived_piece_leave_its_rollups_whole(worker_db: None) -> None:
    owner = tenant("acme")
    first = NOW - timedelta(days=20)
    for minutes in (0, 1):
        store(owner, {"__name__": "up", "device": "core-1"}, [(at_ms(first - timedelta(minutes=minutes)), 1.0)])
    assert retention.drop_expired(NOW).archived == 1
    assert counted(owner) == {300: 2, 3600: 2, 86_400: 2}
    store(owner, {"__name__": "up", "device": "core-1"}, [(at_ms(first - timedelta(minutes=2)), 1.0)])
    assert retention.drop_expired(NOW).archived == 1
    assert counted(owner) == {300: 3, 3600: 3, 86_400: 3}
    assert archive.total(owner).samples == 3
    assert days_of(owner) == []


def test_a_correction_of_an_archived_sample_counts_once(worker_db: None) -> None:
    owner = tenant("acme")
    first = NOW - timedelta(days=20)
    times = [at_ms(first - timedelta(minutes=minutes)) for minutes in (0, 1)]
    for ts_ms in times:
        store(owner, {"__name__": "up", "device": "core-1"}, [(ts_ms, 1.0)])
    retention.drop_expired(NOW)
    for corrected in (times[:1], times):  # the second time nothing is left as it was
        store(owner, {"__name__": "up", "device": "core-1"}, [(ts_ms, 5.0) for ts_ms in corrected])
        assert list(compact.due(owner, at_ms(NOW))) == []  # it would add to the rollups
        retention.drop_expired(NOW)
        assert counted(owner) == {300: 2, 3600: 2, 86_400: 2}
        assert archive.total(owner).samples == 2
        assert days_of(owner) == []
    assert counted(owner, "max") == counted(owner, "min") == {300: 5, 3600: 5, 86_400: 5}


def test_what_comes_for_hours_of_which_only_rollups_are_left_is_refused(worker_db: None, valkey: Redis) -> None:
    owner = tenant("bare", archive_days=0, accept_from=NOW - timedelta(days=60), raw_retention_days=1)
    now = datetime.now(UTC)
    with platform_session() as session:
        session.get_one(TenantRow, owner).accept_from = None
    old = now - timedelta(days=3)
    labels = {"__name__": "up", "device": "core-1"}
    store(owner, labels, [(at_ms(old), 1.0)])
    retention.drop_expired(now)
    assert raw_samples(owner).values.tolist() == []
    keys = [encode_labels(labels_of(labels))]
    times = np.array([at_ms(old), at_ms(old - timedelta(days=1))])
    batch = Batch(keys, np.zeros(2, dtype=np.int32), times, np.array([5.0, 5.0]))
    done = accept(owner, batch, source="t", request_id="t")
    assert (done.count, [(each.index, each.reason) for each in done.rejected]) == (1, [(0, GONE)])
    # What was on its way when the hours went is told of as well, and its rollups stay as they are.
    store(owner, labels, [(at_ms(old), 5.0)])
    retention.drop_expired(now)
    assert raw_samples(owner).values.tolist() == []
    with tenant_connection(owner) as connection:
        told = connection.execute(text("select source, reason, sum(count) from rejected_samples group by 1, 2")).all()
        assert sorted(told) == [("store", GONE, 1), ("t", GONE, 1)]
        assert connection.scalar(text("select sum(samples) from sample_rollups where tier = 300")) == 1


def at_ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def counted(owner: TenantId, stat: str = "count") -> dict[int, float]:
    """How many samples went into the cells of each tier, or the sum of another statistic."""
    found = {}
    matchers = [Matcher("__name__", MatchOp.EQUAL, "up")]
    for tier in (300, 3600, 86_400):
        end_ms = int(NOW.timestamp() * 1000) // 86_400_000 * 86_400_000
        start_ms = end_ms - 30 * 86_400_000
        blocks = Reader(owner).select_rollups(
            matchers, start_ms=start_ms, end_ms=end_ms, unit_ms=tier * 1000, stats=[stat]
        )
        found[tier] = sum(float(np.nansum(block.stats[stat])) for block in blocks or [])
    return found


def test_without_an_archive_samples_just_go(worker_db: None) -> None:
    owner = tenant("bare", archive_days=0)
    fill(owner, 0, 30)
    assert retention.drop_expired(NOW).archived == 0
    assert days_of(owner) == [0]
    assert archive.total(owner).objects == 0


def test_rollups_go_by_the_term_of_their_tier(worker_db: None) -> None:
    owner, other = tenant("acme"), tenant("globex", retention_5m_days=200)
    for each in (owner, other):
        for tier in (300, 3600, 86_400):
            for days in (1, 100, 1000, 5000):
                rolled_up(each, tier, NOW - timedelta(days=days))
    retention.drop_expired(NOW)
    assert tiers_of(owner) == {300: [1], 3600: [1, 100], 86_400: [1, 100, 1000]}
    assert tiers_of(other)[300] == [1, 100]


def test_old_archives_go_by_their_term(worker_db: None) -> None:
    owner = tenant("acme", archive_days=60)
    fill(owner, 30, 90)
    retention.drop_expired(NOW)
    assert archive.total(owner).objects == 1
    assert len(objects().paths(f"tenant={owner}")) == 1


def test_what_was_restored_stays_until_it_may_go(worker_db: None) -> None:
    owner = tenant("acme")
    fill(owner, 30)
    retention.drop_expired(NOW)
    [listed] = archive.archives(owner, start=NOW - timedelta(days=40), end=NOW)
    fill(owner, 30)
    until = NOW + timedelta(days=7)
    archive.keep_restored(owner, listed.bucket, until=until, now=NOW, is_back=True)
    retention.drop_expired(NOW)
    assert days_of(owner) == [30]
    assert retention.drop_expired(until + timedelta(minutes=1)).archived == 1
    assert days_of(owner) == []
    assert archive.total(owner).samples == 1


def test_a_preview_tells_what_a_run_takes(worker_db: None) -> None:
    owner, other = tenant("acme"), tenant("globex")
    for each in (owner, other):
        fill(each, 0, 5, 10)
        rolled_up(each, 300, NOW - timedelta(days=50))
    terms = retention.terms_of(owner).changed({"raw": 3, "5m": 30})
    raw, five_minutes, *rest = retention.preview(owner, terms, NOW)
    assert (raw.tier, raw.rows, raw.first, raw.last) == ("raw", 2, NOW - timedelta(days=10), NOW - timedelta(days=5))
    assert raw.bytes > 100
    assert (five_minutes.tier, five_minutes.rows, five_minutes.samples) == ("5m", 1, 12)
    assert [going.rows for going in rest] == [0, 0, 0]
    assert [held.rows for held in retention.held(owner, NOW)] == [3, 1, 0, 0, 0]
    with platform_session() as session:
        row = session.get(TenantRow, owner)
        assert row is not None
        row.raw_retention_days, row.retention_5m_days = 3, 30
    done = retention.apply_terms(owner, NOW)
    assert (done.archived, done.deleted) == (2, 1)
    assert days_of(other) == [10, 5, 0]


@pytest.mark.parametrize(
    ("days", "field"),
    [
        pytest.param({"raw": 0}, "raw", id="nothing at all"),
        pytest.param({"raw": 91}, "5m", id="raw longer than its rollup"),
        pytest.param({"1h": 60}, "1h", id="a coarser tier shorter than a finer"),
        pytest.param({"archive": 10}, "archive", id="archives that go before they are made"),
        pytest.param({"2w": 10}, "2w", id="no such tier"),
    ],
)
def test_terms_that_make_no_sense_are_refused(days: dict[str, int], field: str) -> None:
    with pytest.raises(InvalidInput) as error:
        Terms(15, 90, 730, 3650, 3650).changed(days)
    assert error.value.field == field


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
