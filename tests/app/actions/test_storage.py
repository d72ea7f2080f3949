"""Terms that are previewed, changed and audited; archives that come back; and the series they belong to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from app.actions import storage as actions
from app.errors import Forbidden, InvalidInput, NotFound
from app.promql.engine import query_range
from app.queries import audit, cardinality
from app.queries import storage as queries
from app.tsdb import archive, retention, rollups
from app.tsdb.reader import Reader
from models.session import close_database, open_database
from tests.factories.cast import Cast, create_cast
from tests.factories.objects import folder_store
from tests.factories.raw_samples import raw_samples
from tests.factories.samples import store
from tests.factories.servers import SECRET_KEY

MINUTE = timedelta(minutes=1)


@pytest.fixture
def cast(own_db: str, tmp_path: Path) -> Cast:
    """Both tenants with a sample of yesterday, of five days ago and of twenty days ago."""
    close_database()
    open_database(own_db, role="worker", secret_key=SECRET_KEY)
    folder_store(tmp_path)
    made = create_cast()
    for tenant in (made.acme, made.globex):
        for days in (1, 5, 20):
            store(tenant, {"__name__": "up", "device": f"r{days}"}, [(ms(days), float(days))])
    return made


def ms(days: int) -> int:
    return int((datetime.now(UTC) - timedelta(days=days)).timestamp() * 1000)


def test_terms_are_previewed_then_saved_and_audited(cast: Cast) -> None:
    change = queries.preview(cast.vera, {"raw": 3})
    assert (change.days["raw"], change.going[0].rows, change.going[0].samples) == (3, 2, 2)
    assert queries.storage(cast.vera).days["raw"] == 15
    assert actions.change_terms(cast.alice, {"raw": 3, "5m": 90}).raw == 3
    [entry] = [each for each in audit.entries(cast.alice) if each.noun == "storage"]
    assert (entry.action, entry.before, entry.after) == ("change", {"raw": 15}, {"raw": 3})
    assert actions.change_terms(cast.alice, {"raw": 3}).raw == 3
    assert len([each for each in audit.entries(cast.alice) if each.noun == "storage"]) == 1
    assert actions.run_retention(cast.alice) == retention.Retained(archived=2)
    assert len(raw_samples(cast.acme)) == 1


def test_only_admins_change_terms_and_only_their_own(cast: Cast) -> None:
    for viewer in (cast.vera, cast.bob):
        with pytest.raises(Forbidden):
            actions.change_terms(viewer, {"raw": 3})
        with pytest.raises(Forbidden):
            actions.restore(viewer, start=queries.EVER, end=queries.FAR)
    actions.change_terms(cast.charlie, {"raw": 1, "5m": 2})
    assert queries.storage(cast.vera).days == {"raw": 15, "5m": 90, "1h": 730, "1d": 3650, "archive": 3650}
    with pytest.raises(InvalidInput):
        actions.change_terms(cast.alice, {"raw": 0})


def test_what_is_archived_comes_back_once_and_stays_for_its_days(cast: Cast) -> None:
    before = raw_samples(cast.acme).digest()
    retention.drop_expired(datetime.now(UTC))
    assert len(raw_samples(cast.acme)) == 2
    assert actions.restore(cast.alice, start=queries.EVER, end=queries.FAR, days=3) == 1
    assert raw_samples(cast.acme).digest() == before
    assert actions.restore(cast.alice, start=queries.EVER, end=queries.FAR, days=3) == 0
    [listed] = queries.archives(cast.vera)
    assert listed.restored_at is not None and listed.restored_until is not None
    retention.drop_expired(datetime.now(UTC))
    assert raw_samples(cast.acme).digest() == before
    retention.drop_expired(listed.restored_until + MINUTE)
    assert len(raw_samples(cast.acme)) == 2
    assert archive.total(cast.acme).objects == 1


def test_a_restore_that_broke_off_is_ended_by_the_next(cast: Cast) -> None:
    before = raw_samples(cast.acme).digest()
    retention.drop_expired(datetime.now(UTC))
    [listed] = queries.archives(cast.vera)
    archive.keep_restored(
        cast.acme, listed.bucket, until=datetime.now(UTC) + MINUTE, now=datetime.now(UTC), is_back=False
    )
    assert actions.bring_back(cast.acme, listed.bucket, days=2) == 1
    assert actions.bring_back(cast.acme, listed.bucket, days=2) == 0
    assert raw_samples(cast.acme).digest() == before


def test_the_archive_answers_promql(cast: Cast) -> None:
    retention.drop_expired(datetime.now(UTC))
    moment = datetime.fromtimestamp(ms(20) / 1000, UTC)
    expr = "sum by (device) (up) * 2"
    found = queries.archived_range(cast.vera, expr, start=moment, end=moment + MINUTE, step=MINUTE)
    assert found.labels == [(("device", "r20"),)]
    assert found.values.tolist() == [[40.0, 40.0]]


def test_charlie_of_globex_sees_and_restores_nothing_of_acme(cast: Cast) -> None:
    actions.change_terms(cast.charlie, {"archive": 0})
    retention.drop_expired(datetime.now(UTC))
    assert len(queries.archives(cast.vera)) == 1
    assert queries.archives(cast.charlie) == []
    assert queries.archive_total(cast.charlie).objects == 0
    moment = datetime.fromtimestamp(ms(20) / 1000, UTC)
    assert len(queries.archived_range(cast.charlie, "up", start=moment, end=moment, step=MINUTE).labels) == 0
    with pytest.raises(NotFound):
        actions.restore(cast.charlie, start=queries.EVER, end=queries.FAR)


def test_series_by_metric_and_label_and_what_is_new(cast: Cast) -> None:
    store(cast.acme, {"__name__": "load", "device": "r1", "core": "0"}, [(ms(0), 1.0)])
    found = cardinality.cardinality(cast.vera)
    assert (found.series, found.day, found.week) == (4, 4, 4)
    assert [(each.name, each.series) for each in found.metrics] == [("up", 3), ("load", 1)]
    device, core = found.labels
    assert (device.name, device.values, device.series, device.examples[0]) == ("device", 3, 4, "r1")
    assert (core.name, core.values) == ("core", 1)
    assert sum(count for _, count in found.new_by_day) == 4
    assert len(cardinality.cardinality(cast.vera, limit=1).metrics) == 1
    assert cardinality.cardinality(cast.charlie).series == 3


STEPS = ["kept", "places known", "blocks written", *(f"rollups of {tier} s written" for tier in rollups.TIERS)]


@pytest.mark.parametrize(
    "last", [pytest.param(step, id=f"killed at {step}") for step in [*STEPS, "committed", "noted"]]
)
def test_what_comes_back_is_there_once_however_often_it_was_killed(
    cast: Cast, own_db: str, tmp_path: Path, last: str
) -> None:
    actions.change_terms(cast.alice, {"raw": 3})
    before, coarse = raw_samples(cast.acme).digest(), _hourly(cast)
    retention.drop_expired(datetime.now(UTC))
    listed = archive.archives(cast.acme, start=queries.EVER, end=queries.FAR)
    for each in listed:
        run_until(own_db, tmp_path, cast.acme, each.bucket, last)
        retention.drop_expired(datetime.now(UTC))
        is_back = last in ("committed", "noted")
        assert actions.bring_back(cast.acme, each.bucket, days=2) == (0 if is_back else each.samples)
        retention.drop_expired(datetime.now(UTC))
    assert raw_samples(cast.acme).digest() == before
    assert _hourly(cast) == coarse
    [*again] = archive.archives(cast.acme, start=queries.EVER, end=queries.FAR)
    assert [(each.bucket, each.checksum) for each in again] == [(each.bucket, each.checksum) for each in listed]
    assert all(each.restored_at is not None for each in again)


def _hourly(cast: Cast) -> list[float]:
    """How many samples there are in all hours, by the rollups where they answer."""
    end_ms = int(datetime.now(UTC).timestamp() * 1000) // 3_600_000 * 3_600_000
    found = query_range(
        Reader(cast.acme),
        "count_over_time(up[1h])",
        start_ms=end_ms - 30 * 86_400_000,
        end_ms=end_ms,
        step_ms=3_600_000,
    )
    return sorted(float(value) for value in found.values[~np.isnan(found.values)])


def run_until(url: str, folder: Path, tenant: int, bucket: datetime, last: str) -> None:
    """Bring an archive back in a process that kills itself at a step."""
    program = f"""
import os, signal
from datetime import datetime
from app.actions import storage
from app.objects import object_store, use_objects
from models.session import open_database
open_database(os.environ["URL"], role="worker", secret_key={SECRET_KEY!r})
use_objects(object_store("file://{folder}"))
die = lambda step: os.kill(os.getpid(), signal.SIGKILL) if step == {last!r} else None
storage.bring_back({tenant}, datetime.fromisoformat("{bucket.isoformat()}"), days=2, at_step=die)
"""
    done = subprocess.run([sys.executable, "-c", program], env={**os.environ, "URL": url}, check=False)
    assert done.returncode == -signal.SIGKILL
