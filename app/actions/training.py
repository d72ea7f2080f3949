"""Training runs, step by step.

A step ends with one transaction that also says how far the run came, so that a run that was killed goes on where it
stood. What a step does is in training_steps.py.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, update

from app.actions.training_steps import STEPS, Done, Work, forget_old
from app.clock import monotonic_s
from app.domain.forecast.families import Family
from app.domain.mlmodels import sample
from app.domain.mlmodels.model import RunState, Step
from app.domain.tenancy import TenantId
from app.queries.models import steps_of
from app.tsdb import hourly
from models.mlmodels import TrainingRunRow
from models.session import tenant_connection, tenant_session

log = logging.getLogger(__name__)

# An hour that ended less than this ago may still be on its way to the store.
SETTLE: Final = timedelta(minutes=10)
# The time that one run may work; what is left then is skipped, and says so.
BUDGET_S: Final = 1_800.0
# A step that was begun so often and never ended takes its worker down: it is skipped.
MOST_TRIES: Final = 3


def work(tenant: TenantId, run_id: int, *, now: datetime) -> bool:
    """One step of a run; answers whether nothing is left of it."""
    run = _take(tenant, run_id, now)
    if run is None:
        return True
    began_s = monotonic_s()
    steps = steps_of(run.plan)
    if not run.plan:
        _save_plan(tenant, run, now)
        return False
    if run.position >= len(steps):
        _finish(tenant, run, now)
        return True
    step = steps[run.position]
    if run.spent_s > BUDGET_S:
        done = Done("skipped", "the time of this run was used up")
    elif run.tries > MOST_TRIES:
        done = Done("skipped", f"did not end in {MOST_TRIES} tries")
    else:
        done = STEPS[step.step](Work(tenant, run, Family(step.family)))
    seconds = monotonic_s() - began_s
    steps[run.position] = replace(step, state=done.state, note=done.note, seconds=round(seconds, 2))
    _save_step(tenant, run, steps, seconds, now)
    log.info("trained", extra={"tenant": tenant, "run": run_id, "step": f"{step.family} {step.step}"} | vars(done))
    return False


def _take(tenant: TenantId, run_id: int, now: datetime) -> TrainingRunRow | None:
    """The run, with one more try at its step noted; None when there is nothing to do for it."""
    query = (
        update(TrainingRunRow)
        .where(
            TrainingRunRow.tenant_id == tenant,
            TrainingRunRow.id == run_id,
            TrainingRunRow.state.in_([RunState.QUEUED, RunState.RUNNING]),
        )
        .values(
            state=RunState.RUNNING,
            started_at=func.coalesce(TrainingRunRow.started_at, now),
            touched_at=now,
            tries=TrainingRunRow.tries + 1,
        )
        .returning(TrainingRunRow)
    )
    with tenant_session(tenant) as session:
        return session.scalar(query)


def _save_plan(tenant: TenantId, run: TrainingRunRow, now: datetime) -> None:
    """Which families there are, how much of each, and up to when."""
    with tenant_connection(tenant) as connection:
        groups = hourly.all_groups(connection, tenant)
    counts = {family: len(its) for family, its in hourly.by_family(groups).items()}
    quotas = sample.quotas({family: count for family, count in counts.items() if count >= sample.FEWEST_SERIES})
    steps = [Step(family=family, step=step) for family in sorted(quotas) for step in STEPS]
    until = (now - SETTLE).replace(minute=0, second=0, microsecond=0)
    _update(tenant, run, plan=_document(steps, quotas), until_at=until, tries=0)


def _save_step(tenant: TenantId, run: TrainingRunRow, steps: Sequence[Step], seconds: float, now: datetime) -> None:
    _update(
        tenant,
        run,
        plan=_document(steps, run.plan["quotas"]),
        position=run.position + 1,
        tries=0,
        spent_s=run.spent_s + seconds,
        touched_at=now,
    )


def _finish(tenant: TenantId, run: TrainingRunRow, now: datetime) -> None:
    forget_old(tenant, now)
    _update(tenant, run, state=RunState.DONE, finished_at=now)


def _update(tenant: TenantId, run: TrainingRunRow, **values: Any) -> None:
    """Unless another worker was first."""
    query = update(TrainingRunRow).where(
        TrainingRunRow.tenant_id == tenant, TrainingRunRow.id == run.id, TrainingRunRow.position == run.position
    )
    with tenant_session(tenant) as session:
        session.execute(query.values(**values))


def _document(steps: Sequence[Step], quotas: Mapping[str, int]) -> dict[str, Any]:
    return {"steps": [vars(step) for step in steps], "quotas": dict(quotas)}
