"""The job that plans the capacity of one tenant: once in a night, and again when much of the past came in."""

from __future__ import annotations

import logging
from secrets import token_hex
from typing import Final

from app import clock, jobs
from app.actions import capacity as actions
from app.domain.tenancy import TenantId
from app.valkey import valkey

log = logging.getLogger(__name__)

LEASE: Final = "lease:capacity:{tenant}"
_RELEASE: Final = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end"


def capacity(*, tenant: int) -> None:
    """Job: what is full when, as far as there is anything new to say; one worker at a time for a tenant."""
    token, lease = token_hex(8), LEASE.format(tenant=tenant)
    if not valkey().set(lease, token, nx=True, ex=jobs.CAPACITY.timeout_s):
        return
    try:
        began_s = clock.monotonic_s()
        items = actions.keep_up(TenantId(tenant), now=clock.utc_now())
        if items is not None:
            seconds = round(clock.monotonic_s() - began_s, 1)
            log.info("capacity planned", extra={"tenant": tenant, "items": items, "seconds": seconds})
    finally:
        valkey().eval(_RELEASE, 1, lease, token)
