"""The jobs that train a tenant's models and look for drift. A job is one step: detection gets its turn in between."""

from __future__ import annotations

from secrets import token_hex
from typing import Final

from app import clock, jobs
from app.actions import drift, training
from app.domain.tenancy import TenantId
from app.valkey import valkey

LEASE: Final = "lease:train:{tenant}"
LEASE_MS: Final = jobs.TRAIN.timeout_s * 1000
_RELEASE: Final = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end"


def train(*, tenant: int, run: int) -> None:
    """Job: one step of a run; queues itself again until nothing is left."""
    token, lease = token_hex(8), LEASE.format(tenant=tenant)
    if not valkey().set(lease, token, nx=True, px=LEASE_MS):
        return
    try:
        is_done = training.work(TenantId(tenant), run, now=clock.utc_now())
    finally:
        valkey().eval(_RELEASE, 1, lease, token)
    if is_done:
        jobs.enqueue(jobs.DRIFT, tenant=tenant)
    else:
        jobs.enqueue(jobs.TRAIN, tenant=tenant, run=run)


def check_drift(*, tenant: int) -> None:
    """Job: look at the tenant's models in service; what drifts is trained."""
    _, run = drift.check(TenantId(tenant), clock.utc_now())
    if run is not None:
        jobs.enqueue(jobs.TRAIN, tenant=tenant, run=run)
