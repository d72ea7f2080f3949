"""How much a tenant may send: sizes of one request, and samples per second over all processes."""

from __future__ import annotations

import math
from threading import Lock
from typing import Any, Final, cast

from redis.exceptions import RedisError

from app import clock
from app.domain.tenancy import TenantId
from app.errors import Overloaded, Unavailable
from app.valkey import valkey

# A request's body as sent, and after decompression.
MOST_BODY_BYTES: Final = 32 * 1024 * 1024
MOST_PLAIN_BYTES: Final = 64 * 1024 * 1024

# The bucket holds this many seconds of the tenant's rate, so that an outage's backlog may come in faster.
BURST_S: Final = 30
# A process takes this share of a second at once from the shared bucket: one round trip serves many requests.
SHARE: Final = 0.05
# Samples taken from the bucket and not used go stale with the process's interest in the tenant.
PURSE_AGE_S: Final = 1.0

# KEYS: the bucket. ARGV: rate, capacity, wanted, needed, now in seconds. Answers the samples granted, or minus the
# milliseconds to wait. A request larger than the bucket passes when the bucket is full, and leaves it in debt.
_TAKE = """
local state = redis.call('hmget', KEYS[1], 'level', 'at')
local rate, capacity, wanted, needed, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]),
    tonumber(ARGV[4]), tonumber(ARGV[5])
local level = tonumber(state[1] or capacity)
level = math.min(capacity, level + math.max(0, now - tonumber(state[2] or now)) * rate)
local granted = 0
if level >= wanted then granted = wanted
elseif level >= math.min(needed, capacity) then granted = needed end
if granted == 0 then return -math.ceil((math.min(needed, capacity) - level) / rate * 1000) end
redis.call('hset', KEYS[1], 'level', tostring(level - granted), 'at', ARGV[5])
redis.call('expire', KEYS[1], 3600)
return granted
"""

_purses: dict[TenantId, tuple[float, int]] = {}
_lock = Lock()


def take(tenant: TenantId, samples: int, *, samples_per_s: int) -> None:
    """Take `samples` from the tenant's budget; raises Overloaded with the time to wait when it is spent."""
    with _lock:
        taken_s, left = _purses.get(tenant, (0.0, 0))
        now = clock.monotonic_s()
        if now - taken_s > PURSE_AGE_S:
            left = 0
        if left < samples:
            left = _draw(tenant, samples, samples_per_s)
            taken_s = now
        _purses[tenant] = (taken_s, left - samples)


def _draw(tenant: TenantId, needed: int, rate: int) -> int:
    """Samples from the bucket that all processes share: at least `needed`."""
    wanted = max(needed, int(rate * SHARE))
    arguments = [rate, rate * BURST_S, wanted, needed, clock.now_ms() / 1000]
    try:
        granted = cast(int, valkey().eval(_TAKE, 1, f"quota:{tenant}", *cast(Any, arguments)))
    except RedisError as error:
        raise Unavailable("the ingest stream") from error
    if granted <= 0:
        wait_s = max(1, math.ceil(-granted / 1000))
        raise Overloaded(f"the tenant is over its {rate} samples per second", retry_after_s=wait_s)
    return granted
