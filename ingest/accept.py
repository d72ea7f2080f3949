"""accept(): the one way for samples into the system."""

from __future__ import annotations

import logging
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from sqlalchemy.exc import InterfaceError, OperationalError

from app import clock, selfmetrics
from app.domain.refusals import TOO_MANY_NEW, refusal_of
from app.domain.samples import (
    GONE,
    TOO_NEW,
    TOO_OLD,
    Accepted,
    Batch,
    Int64s,
    Rejection,
    Window,
    of_gone,
    outside,
    rejections,
)
from app.domain.tenancy import TenantId
from app.errors import Forbidden, Overloaded, Unavailable
from app.tsdb import catalog
from app.tsdb.refused import Sender, record_rejected
from app.tsdb.tenants import TenantLimits, describe_metrics, tenant_limits
from ingest import limits, refused, stream
from ingest.shards import FenceMoved

log = logging.getLogger(__name__)

# When a series that is one too many for this minute may come again.
NEW_SERIES_RETRY_S: Final = 10
# How often series of a tenant may be about to go under one accept().
MOST_TRIES: Final = 5


def accept(
    tenant: TenantId,
    batch: Batch,
    *,
    source: str,
    request_id: str,
    agent: str = "",
    idempotency_key: str | None = None,
) -> Accepted:
    """Make the good samples of a batch durable and say which were not taken, and why.

    `source` names the sender's protocol, `agent` the token it came with. When this returns, the samples survive the
    death of every process. A batch with an `idempotency_key` that was answered before gets the same answer and is not
    stored again. With `retry_after_s` in the answer the sender may repeat the batch for what was not taken.
    Raises Overloaded when the tenant is over its quota, Unavailable when a server of ours is away; then nothing
    is known to be stored and the sender repeats the whole batch, which does no harm.
    """
    if idempotency_key and (answer := stream.remembered(tenant, idempotency_key)):
        return msgspec.json.decode(answer, type=Accepted)
    sender = Sender(agent, source, request_id)
    try:
        limit = tenant_limits(tenant)
        take(tenant, sender, len(batch), limit)
        accepted = _append(tenant, batch, limit, sender, idempotency_key)
    except (OperationalError, InterfaceError) as error:
        raise Unavailable("the database") from error
    _count(accepted, source)
    _note(tenant, batch, accepted, sender)
    return accepted


def take(tenant: TenantId, sender: Sender, samples: int, limit: TenantLimits) -> None:
    """Take so many samples (or alerts, or events) from the tenant's budget; raises Overloaded, or Forbidden."""
    if limit.is_closed:
        raise Forbidden("the tenant is closed")
    try:
        limits.take(tenant, samples, samples_per_s=limit.samples_per_s, burst_s=limit.burst_s)
    except Overloaded as error:
        refused.note(tenant, sender, error, samples=samples)
        raise


def _append(
    tenant: TenantId, batch: Batch, limit: TenantLimits, sender: Sender, idempotency_key: str | None
) -> Accepted:
    """Append the good samples of a batch; once more when series were about to go while their places were looked up."""
    for _ in range(MOST_TRIES):
        fence = catalog.fence(tenant)
        places, reasons = catalog.series_places(tenant, batch.keys, limit.series)
        of_sample = places[batch.series]
        good, rejected = _sort_out(batch, of_sample, reasons, limit.window(clock.now_ms()))
        retry_after_s = NEW_SERIES_RETRY_S if TOO_MANY_NEW in reasons.values() else 0
        accepted = Accepted(int(np.count_nonzero(good)), [*batch.rejected, *rejected], retry_after_s)
        chosen = slice(None) if accepted.count == len(batch) else good
        is_kept = idempotency_key is not None and not retry_after_s
        try:
            stream.append(
                tenant,
                of_sample[chosen],
                ts_ms=batch.ts_ms[chosen],
                values=batch.values[chosen],
                source=sender.source,
                request_id=sender.request_id,
                remember=(idempotency_key, msgspec.json.encode(accepted)) if idempotency_key and is_kept else None,
                fence=fence,
            )
        except FenceMoved:
            catalog.forget(tenant)
        else:
            return accepted
    raise Unavailable("the catalogue of series, which is being changed", retry_after_s=1)


def _sort_out(
    batch: Batch, of_sample: Int64s, reasons: dict[int, str], window: Window
) -> tuple[NDArray[np.bool_], list[Rejection]]:
    """Which samples are good (n,), and what is wrong with the others."""
    too_old, too_new = outside(batch.ts_ms, window)
    good = ~(too_old | too_new)
    faults = [(too_old, TOO_OLD), (too_new, TOO_NEW)]
    if window.gone_ms:
        gone = of_gone(batch.ts_ms, window) & good
        good &= ~gone
        faults.append((gone, GONE))
    if reasons:
        good &= of_sample >= 0
        by_reason: dict[str, list[int]] = {}
        for index, reason in reasons.items():
            by_reason.setdefault(reason, []).append(index)
        faults += [(np.isin(batch.series, indexes), reason) for reason, indexes in by_reason.items()]
    if good.all():
        return good, []
    positions = np.arange(len(batch), dtype=np.int32) if batch.positions is None else batch.positions
    return good, [
        rejection
        for at_fault, reason in faults
        if at_fault.any()
        for rejection in rejections(positions[at_fault], reason)
    ]


def _count(accepted: Accepted, source: str) -> None:
    selfmetrics.SAMPLES_ACCEPTED.labels(source).inc(accepted.count)
    for rejection in accepted.rejected:
        # The reason itself may hold what the sender wrote, and a counter's labels must be few.
        selfmetrics.SAMPLES_REJECTED.labels(refusal_of(rejection.reason)).inc(rejection.count)


def _note(tenant: TenantId, batch: Batch, accepted: Accepted, sender: Sender) -> None:
    """Keep what was refused, and what came along about metrics. The samples are safe: a failure here is no failure."""
    refused.write_due()
    try:
        describe_metrics(tenant, batch.metadata)
        if accepted.rejected:
            record_rejected(tenant, accepted.rejected, sender)
    except (OperationalError, InterfaceError) as error:
        log.warning("could not note a request's particulars", extra={"tenant": tenant, "reason": str(error.orig)})
