"""How much a tenant may send: sizes of one request, and samples per second over all processes."""

from __future__ import annotations

import math
from threading import Lock
from typing import Final

from app import clock
from app.domain.tenancy import TenantId
from app.errors import Overloaded
from app.tsdb.buckets import draw

# A request's body as sent, and after decompression; a tenant may have less.
MOST_BODY_BYTES: Final = 32 * 1024 * 1024
MOST_PLAIN_BYTES: Final = 64 * 1024 * 1024

# The bucket holds this many seconds of the tenant's rate, so that an outage's backlog may come in faster.
BURST_S: Final = 30
# A process takes this share of a second at once from the shared bucket: one round trip serves many requests.
SHARE: Final = 0.05
# Samples taken from the bucket and not used go stale with the process's interest in the tenant.
PURSE_AGE_S: Final = 1.0

_purses: dict[TenantId, tuple[float, int]] = {}
_lock = Lock()


def take(tenant: TenantId, samples: int, *, samples_per_s: int, burst_s: int = BURST_S) -> None:
    """Take `samples` from the tenant's budget; raises Overloaded with the time to wait when it is spent."""
    with _lock:
        taken_s, left = _purses.get(tenant, (0.0, 0))
        now = clock.monotonic_s()
        if now - taken_s > PURSE_AGE_S:
            left = 0
        if left < samples:
            left = _draw(tenant, samples, samples_per_s, burst_s)
            taken_s = now
        _purses[tenant] = (taken_s, left - samples)


def _draw(tenant: TenantId, needed: int, rate: int, burst_s: int) -> int:
    """Samples from the bucket that all processes share: at least `needed`."""
    wanted = max(needed, int(rate * SHARE))
    given = draw(f"quota:{tenant}", per_s=rate, capacity=rate * burst_s, wanted=wanted, needed=needed)
    if not given.granted:
        wait_s = max(1, math.ceil(given.wait_s))
        raise Overloaded(f"the tenant is over its {rate} samples per second", retry_after_s=wait_s)
    return given.granted
