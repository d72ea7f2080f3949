"""Token buckets in Valkey: one rate for all processes together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, cast

from redis.exceptions import RedisError

from app import clock
from app.errors import Unavailable
from app.valkey import valkey

# KEYS: the bucket. ARGV: rate per second, capacity, wanted, needed, now in seconds. Answers what is granted, or minus
# the milliseconds to wait. A need larger than the bucket passes when the bucket is full, and leaves it in debt.
_DRAW: Final = """
local state = redis.call('hmget', KEYS[1], 'level', 'at')
local rate, capacity, wanted, needed, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]),
    tonumber(ARGV[4]), tonumber(ARGV[5])
local level = tonumber(state[1] or capacity)
level = math.min(capacity, level + math.max(0, now - tonumber(state[2] or now)) * rate)
local granted = 0
if level >= wanted then granted = wanted
elseif level >= math.min(needed, capacity) then granted = math.max(needed, math.floor(level)) end
if granted == 0 then return -math.ceil((math.min(needed, capacity) - level) / rate * 1000) end
redis.call('hset', KEYS[1], 'level', tostring(level - granted), 'at', ARGV[5])
redis.call('expire', KEYS[1], 7200)
return granted
"""


@dataclass(frozen=True)
class Draw:
    """What a bucket gave: `granted`, or nothing for `wait_s` seconds."""

    granted: int
    wait_s: float


def draw(name: str, *, per_s: float, capacity: float, wanted: int, needed: int) -> Draw:
    """Take up to `wanted` and at least `needed` from a bucket that fills by `per_s`, or nothing.

    Raises Unavailable when Valkey is away.
    """
    arguments = [per_s, capacity, wanted, needed, clock.now_ms() / 1000]
    try:
        answer = cast(int, valkey().eval(_DRAW, 1, name, *cast(Any, arguments)))
    except RedisError as error:
        raise Unavailable("the ingest stream") from error
    return Draw(answer, 0.0) if answer > 0 else Draw(0, -answer / 1000)
