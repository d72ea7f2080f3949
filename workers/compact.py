"""The job that makes blocks of closed buckets: for some seconds, then it queues itself again behind other jobs."""

from __future__ import annotations

import logging
from threading import Event
from typing import Final

from app import clock, jobs
from app.domain.tenancy import TenantId
from app.queries.devices import all_tenants
from app.tsdb import compact as compaction
from app.tsdb.blocks import BLOCK_MS, moment
from workers.one_at_a_time import turn

log = logging.getLogger(__name__)

RUN_S: Final = 5.0
TURN: Final = "compact"
LONGEST_S: Final = 60.0


def compact() -> None:
    """Job: compact what is closed, oldest first, unless another worker is at it."""
    with turn(TURN, longest_s=LONGEST_S) as is_ours:
        is_done = not is_ours or run(clock.monotonic_s() + RUN_S)
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
