"""The jobs of training: a step at a time, one worker at a time, drift at the end; and what the scheduler queues."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from app import jobs
from app.actions.models import begin_run
from app.domain.mlmodels.model import Why
from app.queries import models as queries
from tests.factories.cast import Cast
from tests.factories.database import RolledBackDatabase
from tests.factories.objects import folder_store
from workers import schedule, train


@pytest.fixture
def run(cast: Cast, db: RolledBackDatabase, valkey: Redis, tmp_path: Path) -> int:
    """A run of a tenant without series."""
    folder_store(tmp_path)
    db.role = "worker"
    run_id = begin_run(cast.acme, Why.NIGHTLY, asked_by="test")
    assert run_id is not None
    return run_id


def waiting(valkey: Redis) -> list[tuple[str, dict[str, int]]]:
    return [(job.func_name, job.kwargs) for job in Queue("ml", connection=valkey, serializer=JSONSerializer).get_jobs()]


def test_a_job_is_one_step_and_the_last_one_asks_for_drift(cast: Cast, run: int, valkey: Redis) -> None:
    train.train(tenant=cast.acme, run=run)
    assert waiting(valkey) == [(jobs.TRAIN.function, {"tenant": cast.acme, "run": run})]
    train.train(tenant=cast.acme, run=run)
    assert waiting(valkey)[1:] == [(jobs.DRIFT.function, {"tenant": cast.acme})]
    assert queries.runs(cast.vera)[0].state == "done"
    train.check_drift(tenant=cast.acme)
    assert len(waiting(valkey)) == 2


def test_one_worker_trains_a_tenant(cast: Cast, run: int, valkey: Redis) -> None:
    valkey.set(f"lease:train:{cast.acme}", "another")
    train.train(tenant=cast.acme, run=run)
    assert waiting(valkey) == []
    assert queries.runs(cast.vera)[0].state == "queued"


def test_without_history_nothing_is_queued(cast: Cast, run: int, valkey: Redis) -> None:
    schedule.train_everywhere()
    assert waiting(valkey) == []
