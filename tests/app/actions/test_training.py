"""A training run goes on after a kill, leaves incidents out, and promotes by the gate; a damaged model is replaced."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from redis import Redis
from sqlalchemy import select, text, update

from app.actions import champions, models, training, training_steps
from app.domain.forecast.families import Family
from app.domain.mlmodels.model import Stage, TrainingRun, Why
from app.domain.tenancy import TenantId
from app.objects import objects
from app.queries import audit
from app.queries import models as queries
from app.queries.exclusions import exclusions
from app.tsdb import artefacts
from models.alerting import AlertRow
from models.mlmodels import BacktestSetRow, ModelRow
from models.session import close_database, open_database, tenant_session
from tests.factories.cast import Cast, create_cast
from tests.factories.mlmodels import registered
from tests.factories.objects import folder_store
from tests.factories.rhythms import HOUR_MS, rhythms, store_rhythms
from tests.factories.servers import SECRET_KEY

NOW = datetime(2026, 11, 24, 12, 20, tzinfo=UTC)
END_MS = int(datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()) * 1000
CPU = {"__name__": "cpu_load", "site": "berlin"}


@pytest.fixture
def cast(own_db: str, tmp_path: Path, valkey: Redis) -> Cast:
    """Thirty-six processors of acme over seventeen days; one of them had an incident of six hours."""
    close_database()
    open_database(own_db, role="worker", secret_key=SECRET_KEY)
    folder_store(tmp_path)
    made = create_cast()
    store_rhythms(made.acme, END_MS, rhythms(36, 17 * 24), CPU)
    began = NOW - timedelta(days=4)
    facts = {"severity": "major", "state": "resolved", "labels": {}, "annotations": {}, "summary": ""}
    with tenant_session(made.acme) as session:
        session.add(
            AlertRow(
                tenant_id=made.acme,
                fingerprint="x",
                name="HighCpu",
                device_name="r1",
                active_at=began,
                fired_at=began,
                resolved_at=began + timedelta(hours=6),
                evaluated_at=began,
                **facts,
            )
        )
    return made


def run_all(tenant: TenantId, run_id: int, *, most: int = 20) -> None:
    for _ in range(most):
        if training.work(tenant, run_id, now=NOW):
            return
    raise AssertionError("it does not end")


def begun(tenant: TenantId) -> int:
    run_id = models.begin_run(tenant, Why.NIGHTLY, asked_by="test")
    assert run_id is not None
    return run_id


def newest(cast: Cast) -> TrainingRun:
    return queries.runs(cast.vera)[0]


def test_a_run_trains_promotes_and_serves_and_survives_what_happens_to_it(cast: Cast) -> None:
    run_id = begun(cast.acme)
    assert models.begin_run(cast.acme, Why.NIGHTLY, asked_by="test") is None  # one at a time
    training.work(cast.acme, run_id, now=NOW)
    training.work(cast.acme, run_id, now=NOW)
    half = newest(cast)
    assert [(step.family, step.step, step.state) for step in half.steps] == [
        ("cpu", "freeze", "done"),
        ("cpu", "fit", "waiting"),
        ("cpu", "judge", "waiting"),
    ]
    assert (half.state, half.position) == ("running", 1)
    # A worker that is killed here has noted that it began; the next one goes on with the same step.
    training._take(cast.acme, run_id, NOW)
    run_all(cast.acme, run_id)
    done = newest(cast)
    assert (done.state, done.position, done.progress) == ("done", 3, 1.0), done.steps
    [model] = queries.models(cast.vera)
    assert (model.family, model.version, model.stage) == ("cpu", 1, Stage.CHAMPION), model.report
    assert model.report["against_naive"] < 1 and model.report["reasons"] == []
    assert model.trained_on["left_out"] == {"incident": 7}
    assert model.trained_to == datetime(2026, 11, 24, 12, tzinfo=UTC)
    served = champions.champion(cast.acme, Family.CPU)
    assert served is not None
    assert np.isfinite(served.predict_batch(rhythms(3, 400), 48)).all()
    assert champions.champion(cast.acme, Family.MEMORY) is None
    assert champions.champion(cast.globex, Family.CPU) is None
    [entry] = [each for each in audit.entries(cast.alice) if each.noun == "models"]
    assert (entry.action, entry.actor, (entry.after or {}).get("version")) == ("promote", "training", 1)
    check_that_judged_series_are_not_trained_on(cast)
    check_second_run(cast)


def check_that_judged_series_are_not_trained_on(cast: Cast) -> None:
    with tenant_session(cast.acme) as session:
        kept = session.scalar(select(BacktestSetRow))
        assert kept is not None
        run = session.get_one(training.TrainingRunRow, newest(cast).id)
    judged = {its["device"] for its in kept.members["series"]}
    work = training_steps.Work(cast.acme, run, Family.CPU)
    learned = {dict(labels)["device"] for labels in work.read(is_kept=False, hours=24).labels}
    assert judged and learned and not judged & learned
    assert artefacts.load(cast.acme, kept.sha256)["values"].shape == (kept.series, 17 * 24)


def check_second_run(cast: Cast) -> None:
    """The same data make the same model, which takes over, being no worse. Then its artefact rots."""
    run_all(cast.acme, begun(cast.acme))
    second, first = queries.models(cast.vera)
    assert (second.stage, first.stage) == (Stage.CHAMPION, Stage.ARCHIVED)
    assert (second.fingerprint, second.sha256) == (first.fingerprint, first.sha256)
    assert second.report["champion"]["version"] == 1
    # As if the second were another one, whose object was overwritten.
    with tenant_session(cast.acme) as session:
        session.execute(update(ModelRow).where(ModelRow.id == second.id).values(sha256="0" * 64))
    objects().put(artefacts.path_of(cast.acme, "0" * 64), b"\x80\x04rotten")
    assert champions.champion(cast.acme, Family.CPU) is not None
    damaged = queries.model(cast.vera, second.id)
    assert (damaged.is_damaged, damaged.stage) == (True, Stage.CHAMPION)
    assert not queries.model(cast.vera, first.id).is_damaged


def test_a_step_that_takes_its_worker_down_is_skipped(cast: Cast) -> None:
    run_id = begun(cast.acme)
    training.work(cast.acme, run_id, now=NOW)
    for _ in range(training.MOST_TRIES):
        training._take(cast.acme, run_id, NOW)
    training.work(cast.acme, run_id, now=NOW)
    step = newest(cast).steps[0]
    assert (step.state, step.note) == ("skipped", "did not end in 3 tries")


def test_versions_that_never_served_go_after_their_term(cast: Cast) -> None:
    old = NOW - timedelta(days=91)
    registered(cast, 1, created_at=old, stage=Stage.ARCHIVED)
    registered(cast, 2, created_at=old, stage=Stage.ARCHIVED, promoted_at=old)
    registered(cast, 3, created_at=old, stage=Stage.CHAMPION, promoted_at=old)
    registered(cast, 4, stage=Stage.ARCHIVED)
    first = queries.models(cast.vera)[-1].sha256
    assert training_steps.forget_old(cast.acme, NOW) == 1
    assert [its.version for its in queries.models(cast.vera)] == [4, 3, 2]
    paths = objects().paths(f"tenant={cast.acme}/models")
    assert len(paths) == 3 and artefacts.path_of(cast.acme, first) not in paths


def test_a_run_is_due_once_a_night_and_when_one_stopped(cast: Cast) -> None:
    assert models.LEAST_DAYS * 24 == training_steps.NEEDED_HOURS
    assert models.due_run(cast.globex, NOW) is None  # nothing to learn from
    run_id = models.due_run(cast.acme, NOW)
    assert run_id is not None
    with tenant_session(cast.acme) as session:
        session.execute(text("update training_runs set created_at = :now"), {"now": NOW})
    assert models.due_run(cast.acme, NOW + timedelta(minutes=1)) is None
    assert models.due_run(cast.acme, NOW + timedelta(minutes=20)) == run_id
    # One that trained nothing is soon begun anew, and leaves no line.
    with tenant_session(cast.acme) as session:
        session.execute(text("update training_runs set state = 'done'"))
    assert models.due_run(cast.acme, NOW + timedelta(minutes=29)) is None
    second = models.due_run(cast.acme, NOW + timedelta(minutes=31))
    assert [run.id for run in queries.runs(cast.vera)] == [second] and second != run_id
    plan = {"steps": [{"family": "cpu", "step": "fit", "state": "done"}]}
    with tenant_session(cast.acme) as session:
        values = {"state": "done", "created_at": NOW, "plan": plan}
        session.execute(update(training.TrainingRunRow).values(**values))
    assert models.due_run(cast.acme, NOW + timedelta(hours=23)) is None
    assert models.due_run(cast.acme, NOW + timedelta(hours=25)) not in (None, second)
    assert len(queries.runs(cast.vera)) == 2


def test_exclusions_are_incidents_and_expected_marks_of_the_tenant(cast: Cast) -> None:
    start, end = NOW - timedelta(days=10), NOW
    [incident] = exclusions(cast.acme, start, end)
    assert (incident.kind, incident.labels) == ("incident", {"device": "r1"})
    assert exclusions(cast.globex, start, end) == []
    assert exclusions(cast.acme, NOW - timedelta(days=1), end) == []
    assert HOUR_MS == 3_600_000
