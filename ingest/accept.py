"""accept(): the one way for samples into the system."""

from __future__ import annotations

import logging
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from sqlalchemy.exc import InterfaceError, OperationalError

from app import clock, selfmetrics
from app.domain.samples import TOO_NEW, TOO_OLD, Accepted, Batch, Int64s, Rejection, Window, outside, rejections
from app.domain.tenancy import TenantId
from app.errors import Forbidden, Unavailable
from app.tsdb.catalog import AT_LIMIT, series_places
from app.tsdb.tenants import describe_metrics, record_rejected, tenant_limits
from ingest import limits, stream

log = logging.getLogger(__name__)

KINDS: Final = {TOO_OLD: "too old", TOO_NEW: "too new", AT_LIMIT: "series limit"}


def accept(
    tenant: TenantId, batch: Batch, *, source: str, request_id: str, idempotency_key: str | None = None
) -> Accepted:
    """Make the good samples of a batch durable and say which were not taken, and why.

    `source` names the sender's protocol. When this returns, the samples survive the death of every process. A batch
    with an `idempotency_key` that was answered before gets the same answer and is not stored again.
    Raises Overloaded when the tenant is over its quota, Unavailable when a server of ours is away; then nothing
    is known to be stored and the sender repeats the whole batch, which does no harm.
    """
    if idempotency_key and (answer := stream.remembered(tenant, idempotency_key)):
        return msgspec.json.decode(answer, type=Accepted)
    try:
        limit = tenant_limits(tenant)
        if limit.is_closed:
            raise Forbidden("the tenant is closed")
        limits.take(tenant, len(batch), samples_per_s=limit.samples_per_s)
        places, reasons = series_places(tenant, batch.keys)
    except (OperationalError, InterfaceError) as error:
        raise Unavailable("the database") from error
    of_sample = places[batch.series]
    good, rejected = _sort_out(batch, of_sample, reasons, limit.window(clock.now_ms()))
    accepted = Accepted(int(np.count_nonzero(good)), [*batch.rejected, *rejected])
    chosen = slice(None) if accepted.count == len(batch) else good
    stream.append(
        tenant,
        of_sample[chosen],
        ts_ms=batch.ts_ms[chosen],
        values=batch.values[chosen],
        source=source,
        request_id=request_id,
        remember=(idempotency_key, msgspec.json.encode(accepted)) if idempotency_key else None,
    )
    _count(accepted, source)
    _note(tenant, batch, accepted, source=source, request_id=request_id)
    return accepted


def _sort_out(
    batch: Batch, of_sample: Int64s, reasons: dict[int, str], window: Window
) -> tuple[NDArray[np.bool_], list[Rejection]]:
    """Which samples are good (n,), and what is wrong with the others."""
    too_old, too_new = outside(batch.ts_ms, window)
    good = ~(too_old | too_new)
    faults = [(too_old, TOO_OLD), (too_new, TOO_NEW)]
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
        selfmetrics.SAMPLES_REJECTED.labels(KINDS.get(rejection.reason, "malformed")).inc(rejection.count)


def _note(tenant: TenantId, batch: Batch, accepted: Accepted, *, source: str, request_id: str) -> None:
    """Keep what was refused, and what came along about metrics. The samples are safe: a failure here is no failure."""
    try:
        describe_metrics(tenant, batch.metadata)
        if accepted.rejected:
            record_rejected(tenant, accepted.rejected, source=source, request_id=request_id)
    except (OperationalError, InterfaceError) as error:
        log.warning("could not note a request's particulars", extra={"tenant": tenant, "reason": str(error.orig)})
