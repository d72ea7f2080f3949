"""The jobs that train a tenant's models and look for drift. A job is one step: detection gets its turn in between."""

from __future__ import annotations

from app import clock, jobs
from app.actions import drift, training
from app.domain.tenancy import TenantId
from workers.one_at_a_time import turn


def train(*, tenant: int, run: int) -> None:
    """Job: one step of a run; queues itself again until nothing is left."""
    with turn(f"train:{tenant}", longest_s=jobs.TRAIN.timeout_s) as is_ours:
        if not is_ours:
            return
        is_done = training.work(TenantId(tenant), run, now=clock.utc_now())
    if is_done:
        jobs.enqueue(jobs.DRIFT, tenant=tenant)
    else:
        jobs.enqueue(jobs.TRAIN, tenant=tenant, run=run)


def check_drift(*, tenant: int) -> None:
    """Job: look at the tenant's models in service; what drifts is trained."""
    _, run = drift.check(TenantId(tenant), clock.utc_now())
    if run is not None:
        jobs.enqueue(jobs.TRAIN, tenant=tenant, run=run)
