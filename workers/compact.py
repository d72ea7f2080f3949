"""The job that makes blocks of closed buckets: for some seconds, then it queues itself again behind other jobs."""

from __future__ import annotations

import logging
from secrets import token_hex
from threading import Event
from typing import Final

from app import clock, jobs
from app.domain.tenancy import TenantId
from app.queries.devices import all_tenants
from app.tsdb import compact as compaction
from app.tsdb.blocks import BLOCK_MS, moment
from app.valkey import valkey

log = logging.getLogger(__name__)

RUN_S: Final = 5.0
LEASE: Final = "lease:compact"
LEASE_MS: Final = 60_000
_RELEASE: Final = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end"


def compact() -> None:
    """Job: compact what is closed, oldest first, unless another worker is at it."""
    token = token_hex(8)
    if not valkey().set(LEASE, token, nx=True, px=LEASE_MS):
        return
    try:
        is_done = run(clock.monotonic_s() + RUN_S)
    finally:
        valkey().eval(_RELEASE, 1, LEASE, token)
    if not is_done:
        jobs.enqueue(jobs.COMPACT)


def run(until_s: float) -> bool:
    """Compact until `until_s`; answers whether nothing is left."""
    return all(_compact_tenant(tenant, until_s) for tenant in all_tenants())


def _compact_tenant(tenant: TenantId, until_s: float) -> bool:
    samples = blob_bytes = 0
    is_done = True
    for due in compaction.due(tenant, clock.now_ms()):
        if clock.monotonic_s() > until_s:
            is_done = False
            break
        began_s = clock.monotonic_s()
        done = compaction.compact_bucket(tenant, due.bucket_ms, due.groups)
        # At most half of a core: nobody waits for a block.
        Event().wait(clock.monotonic_s() - began_s)
        samples += done.samples
        blob_bytes += done.blob_bytes
        until = moment(due.bucket_ms + BLOCK_MS)
    if samples:
        dropped = compaction.drop_empty_partitions(tenant, until)
        found = {"tenant": tenant, "samples": samples, "bytes": blob_bytes, "until": until.isoformat()}
        log.info("compacted", extra=found | {"partitions_dropped": dropped, "all": is_done})
    return is_done
