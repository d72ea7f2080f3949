"""The job that plans the capacity of one tenant: once in a night, and again when much of the past came in."""

from __future__ import annotations

import logging

from app import clock, jobs
from app.actions import capacity as actions
from app.domain.tenancy import TenantId
from workers.one_at_a_time import turn

log = logging.getLogger(__name__)


def capacity(*, tenant: int) -> None:
    """Job: what is full when, as far as there is anything new to say; one worker at a time for a tenant."""
    with turn(f"capacity:{tenant}", longest_s=jobs.CAPACITY.timeout_s) as is_ours:
        if not is_ours or actions.waits_for_history(TenantId(tenant)):
            return
        began_s = clock.monotonic_s()
        items = actions.keep_up(TenantId(tenant), now=clock.utc_now())
        if items is not None:
            seconds = round(clock.monotonic_s() - began_s, 1)
            log.info("capacity planned", extra={"tenant": tenant, "items": items, "seconds": seconds})
