"""Raw samples in the object store: verified before they go, restored, asked, and safe against a crash at any step."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from app.domain.labels import Labels, Matcher, MatchOp
from app.domain.samples import ABSENT, STALE
from app.domain.tenancy import TenantId
from app.errors import Unavailable, WatchfloorError
from app.objects import object_store, objects, use_objects
from app.promql.select import SeriesBlock
from app.tsdb import archive, parquet
from app.tsdb.archived import ArchiveSource
from models.session import close_database, open_database, platform_session
from models.tenants import TenantRow
from tests.factories.objects import bucket_url, folder_store
from tests.factories.raw_samples import raw_samples
from tests.factories.samples import store, store_all
from tests.factories.servers import SECRET_KEY

BUCKET = datetime(2026, 1, 5, 6, tzinfo=UTC)
START_MS = int(BUCKET.timestamp() * 1000)
STEPS = ["copied", "verified", "listed", "deleted", "swept"]
UP = [Matcher("__name__", MatchOp.EQUAL, "up")]


@pytest.fixture(params=["folder", "s3"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "folder":
        yield f"file://{tmp_path}/objects"
        return
    with bucket_url() as url:
        yield url


@pytest.fixture
def worker_db(own_db: str) -> str:
    close_database()
    open_database(own_db, role="worker", secret_key=SECRET_KEY)
    return own_db


def tenant(name: str = "acme") -> TenantId:
    with platform_session() as session:
        row = TenantRow(name=name, title=name)
        session.add(row)
        session.flush()
        return TenantId(row.id)


def fill(owner: TenantId) -> int:
    """Three devices, a minute apart, with the values that are easily lost; answers how many samples."""
    values = [1.0, 0.1 + 0.2, STALE, float("nan"), -0.0, float("inf"), 1e-308]
    store_all(
        owner,
        [
            ({"__name__": "up", "device": f"r{n}"}, [(START_MS + 60_000 * (i + 1), v) for i, v in enumerate(values)])
            for n in range(3)
        ],
    )
    return 3 * len(values)


def archived(owner: TenantId) -> parquet.Samples:
    return parquet.samples_of(ArchiveSource(owner).select(UP, start_ms=0, end_ms=2**42))


def paths(owner: TenantId) -> list[str]:
    return objects().paths(f"tenant={owner}")


def test_a_piece_is_copied_verified_listed_and_gone(worker_db: str, store_url: str) -> None:
    use_objects(object_store(store_url))
    owner, other = tenant(), tenant("globex")
    count = fill(owner)
    fill(other)
    before = raw_samples(owner)
    assert list(archive.retire_steps(owner, BUCKET)) == STEPS
    assert len(raw_samples(owner)) == 0
    assert len(raw_samples(other)) == count
    assert archived(owner).digest() == before.digest()
    assert len(archived(other)) == 0
    [listed] = archive.archives(owner, start=BUCKET, end=BUCKET + timedelta(hours=1))
    assert (listed.series, listed.samples, [listed.path]) == (3, count, paths(owner))
    assert archive.archives(other, start=BUCKET, end=BUCKET + timedelta(hours=1)) == []
    assert list(archive.retire_steps(owner, BUCKET)) == ["deleted", "swept"]


def test_a_piece_is_read_and_written_in_pieces_of_bounded_size(
    worker_db: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "SERIES_AT_ONCE", 2)
    monkeypatch.setattr(parquet, "ROW_GROUP", 4)
    folder_store(tmp_path)
    owner = tenant()
    times = [START_MS + 60_000 * i for i in range(1, 8)]
    # Each device is a group of its own.
    store_all(
        owner, [({"__name__": "up", "device": f"r{n}"}, [(ts_ms, float(n)) for ts_ms in times]) for n in range(5)]
    )
    before = raw_samples(owner).digest()
    assert [len(some.labels) for some in archive._stored(owner, BUCKET)] == [2, 2, 1]
    assert list(archive.retire_steps(owner, BUCKET)) == STEPS
    [path] = paths(owner)
    file = pq.ParquetFile(tmp_path / path)
    # Two series at a time are 14 samples, four to a row group.
    assert [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] == [4, 4, 4, 2, 4, 4, 4, 2, 4, 3]
    assert archived(owner).digest() == before
    [listed] = archive.archives(owner, start=BUCKET, end=BUCKET + timedelta(hours=1))
    assert (listed.series, listed.samples) == (5, 35)
    assert listed.last_ts.timestamp() * 1000 == times[-1]
    # Back again in pieces, too: what came meanwhile wins, and a series in two row groups is one.
    store(owner, {"__name__": "up", "device": "r1"}, [(times[3], 9.0)])
    assert archive.put_back(owner, listed) == 34
    assert archive.put_back(owner, listed) == 0
    found = {dict(labels)["device"]: number for number, labels in enumerate(raw_samples(owner).labels)}
    back = raw_samples(owner)
    assert back.values[back.series == found["r1"]].tolist() == [1.0, 1.0, 1.0, 9.0, 1.0, 1.0, 1.0]
    assert back.ts_ms[back.series == found["r4"]].tolist() == times


def test_late_samples_join_the_object_of_their_hours(worker_db: str, tmp_path: Path) -> None:
    folder_store(tmp_path)
    owner = tenant()
    count = fill(owner)
    archive.retire(owner, BUCKET)
    store(owner, {"__name__": "up", "device": "r0"}, [(START_MS + 60_000, 7.0), (START_MS + 90_000, 8.0)])
    assert archive.retire(owner, BUCKET)
    found = archived(owner)
    assert len(found) == count + 1
    assert found.values[found.ts_ms == START_MS + 60_000].tolist() == [7.0, 1.0, 1.0]
    assert len(paths(owner)) == 1


def test_samples_that_come_while_a_copy_is_made_stay(worker_db: str, tmp_path: Path) -> None:
    folder_store(tmp_path)
    owner = tenant()
    count = fill(owner)
    steps = archive.retire_steps(owner, BUCKET)
    assert next(steps) == "copied"
    store(owner, {"__name__": "up", "device": "r9"}, [(START_MS + 1, 5.0)])
    assert list(steps)[-1] == "changed"
    assert len(raw_samples(owner)) == count + 1
    assert archive.retire(owner, BUCKET)
    assert (len(raw_samples(owner)), len(archived(owner))) == (0, count + 1)


def test_a_copy_that_is_not_what_was_written_deletes_nothing(worker_db: str, tmp_path: Path) -> None:
    folder_store(tmp_path)
    owner = tenant()
    count = fill(owner)
    steps = archive.retire_steps(owner, BUCKET)
    assert next(steps) == "copied"
    [path] = paths(owner)
    (tmp_path / path).write_bytes((tmp_path / path).read_bytes()[:-20])
    with pytest.raises(WatchfloorError, match="not what was written"):
        next(steps)
    assert len(raw_samples(owner)) == count
    assert archived(owner).digest() == parquet.NO_SAMPLES.digest()


def test_a_store_that_is_away_deletes_nothing(worker_db: str) -> None:
    use_objects(object_store("s3://key:secret@bucket/x?endpoint=http://127.0.0.1:9&region=us-east-1&retries=0"))
    owner = tenant()
    count = fill(owner)
    with pytest.raises(Unavailable):
        archive.retire(owner, BUCKET)
    assert len(raw_samples(owner)) == count


@pytest.mark.parametrize("last", [pytest.param(step, id=f"killed after {step}") for step in ["", *STEPS]])
def test_a_process_killed_between_two_steps_loses_and_doubles_nothing(
    worker_db: str, tmp_path: Path, last: str
) -> None:
    folder_store(tmp_path)
    owner = tenant()
    fill(owner)
    before = raw_samples(owner).digest()
    run_until(worker_db, tmp_path, owner, last)
    # Nobody sees less or more than there was, whatever the dead process left behind.
    both = parquet.merged(raw_samples(owner), archived(owner))
    assert both.digest() == before
    assert archive.retire(owner, BUCKET)
    assert (len(raw_samples(owner)), archived(owner).digest()) == (0, before)
    assert len(paths(owner)) == 1


def run_until(url: str, folder: Path, owner: TenantId, last: str) -> None:
    """Retire the piece in a process that kills itself after the step `last`; "": right at the start."""
    program = f"""
import os, signal
from datetime import datetime
from app.objects import object_store, use_objects
from app.tsdb import archive
from models.session import open_database
open_database(os.environ["URL"], role="worker", secret_key={SECRET_KEY!r})
use_objects(object_store("file://{folder}"))
if {last!r}:
    for step in archive.retire_steps({owner}, datetime.fromisoformat("{BUCKET.isoformat()}")):
        if step == {last!r}:
            break
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program], env={**os.environ, "URL": url}, check=False)
    assert done.returncode == -signal.SIGKILL


def test_remains_of_a_crash_are_swept(worker_db: str, tmp_path: Path) -> None:
    folder_store(tmp_path)
    owner = tenant()
    fill(owner)
    steps = archive.retire_steps(owner, BUCKET)
    next(steps)
    store(owner, {"__name__": "up", "device": "r0"}, [(START_MS + 90_000, 8.0)])
    assert archive.retire(owner, BUCKET)
    assert len(paths(owner)) == 1


def test_a_damaged_archive_is_not_answered_from(worker_db: str, tmp_path: Path) -> None:
    folder_store(tmp_path)
    owner = tenant()
    fill(owner)
    archive.retire(owner, BUCKET)
    [path] = paths(owner)
    (tmp_path / path).write_bytes(b"PAR1 and no more")
    with pytest.raises(WatchfloorError, match="is damaged"):
        archived(owner)


def test_what_is_missing_is_told_by_series_and_time() -> None:
    dice = np.random.default_rng(3)
    names = [(("__name__", f"m{n}"),) for n in range(6)]

    def some(labels: Sequence[Labels]) -> parquet.Samples:
        times = np.sort(dice.choice(50, 20, replace=False)) + 2**52
        values = dice.random((20, len(labels)))
        values[dice.random(values.shape) < 0.5] = ABSENT
        return parquet.samples_of([SeriesBlock(tuple(labels), times, values)])

    for _ in range(20):
        present, wanted = some(names[:4]), some(names[2:])
        there = {(present.labels[n], ts) for n, ts in zip(present.series, present.ts_ms, strict=True)}
        found = parquet.missing_from(present, wanted)
        assert list(zip(found.series, found.ts_ms, found.values, strict=True)) == [
            (n, ts, value)
            for n, ts, value in zip(wanted.series, wanted.ts_ms, wanted.values, strict=True)
            if (wanted.labels[n], ts) not in there
        ]
    assert len(parquet.missing_from(parquet.NO_SAMPLES, wanted)) == len(wanted)
    assert len(parquet.missing_from(wanted, parquet.NO_SAMPLES)) == 0


def test_parquet_keeps_every_bit() -> None:
    values = np.array([[1.0, STALE], [np.nan, -0.0]])
    block = SeriesBlock(((("__name__", "b"), ("x", 'q"\\')), (("__name__", "a"),)), np.array([1, 2]), values)
    samples = parquet.samples_of([block])
    assert [dict(labels)["__name__"] for labels in samples.labels] == ["a", "b"]
    assert parquet.decode(parquet.encode(samples)).digest() == samples.digest()
