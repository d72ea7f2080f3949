"""The shards of the stream: how many there are, which still hold something, and the change from one number to another.

The number stands in Postgres (app/tsdb/layout.py); the stream's server holds a copy, which every append is checked
against. So a change happens at one moment for all writers, and a shard that is left over needs only to be drained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from app.domain.samples import Int64s
from app.tsdb.catalog import SLOTS_BITS
from app.tsdb.entries import STREAM
from app.tsdb.layout import FEWEST_SHARDS, MOST_SHARDS
from app.valkey import valkey

LAYOUT: Final = "ingest:shards"
# When the number changed, as the ms of the first entry id behind each change; the newest last.
CHANGES: Final = "ingest:shards:changes"
MOST_CHANGES_KEPT: Final = 1_000
DEFAULT: Final = 2  # as in the table
ALL: Final = tuple(STREAM.format(shard=shard) for shard in range(MOST_SHARDS))

# KEYS: layout, answer, fence, then a stream for each entry. ARGV: the number that the writer reckoned with, an answer
# to keep ("" for none) and for how long, the fence ("" for none), then header and body of each entry. Answers 0, or the
# number that holds when it is another one, or -1 when the fence was moved; then nothing was added.
_APPEND: Final = f"""
local now = redis.call('get', KEYS[1]) or '{DEFAULT}'
if now ~= ARGV[1] then return tonumber(now) end
if ARGV[4] ~= '' and redis.call('get', KEYS[3]) ~= ARGV[4] then return -1 end
for i = 4, #KEYS do
    redis.call('xadd', KEYS[i], '*', 'h', ARGV[2 * i - 3], 'b', ARGV[2 * i - 2])
end
if ARGV[2] ~= '' then redis.call('set', KEYS[2], ARGV[2], 'ex', ARGV[3]) end
return 0
"""
# A series may change its shard here. Of two samples for one time the one with the greater entry id wins, so every id
# given out from now on, in whichever shard, must be above all ids of before, even when the clock steps back.
_LAY_OUT: Final = f"""
if (redis.call('get', KEYS[1]) or '{DEFAULT}') == ARGV[1] then return 0 end
local newest = 0
for i = 3, #KEYS do
    if redis.call('exists', KEYS[i]) == 1 then
        local info = redis.call('xinfo', 'stream', KEYS[i])
        for j = 1, #info, 2 do
            if info[j] == 'last-generated-id' then
                newest = math.max(newest, tonumber(string.match(info[j + 1], '^%d+')))
            end
        end
    end
end
local first = string.format('%.0f-0', newest + 1)
for i = 3, #KEYS do
    if redis.call('exists', KEYS[i]) == 1 then
        redis.call('xsetid', KEYS[i], first)
    elseif i - 3 < tonumber(ARGV[1]) then
        redis.call('xadd', KEYS[i], 'maxlen', '=', '0', first, 'h', '')
    end
end
redis.call('rpush', KEYS[2], string.format('%.0f', newest + 1))
redis.call('ltrim', KEYS[2], -{MOST_CHANGES_KEPT}, -1)
redis.call('set', KEYS[1], ARGV[1])
return 1
"""

_expected = DEFAULT


def shards_of(places: Int64s, count: int) -> Int64s:
    """The shard of each place when there are `count` of them; a series group is always in one."""
    return (places >> SLOTS_BITS) % count


def expected() -> int:
    """The number of shards as this process knows it; append() tells when it is another one by now."""
    return _expected


class FenceMoved(Exception):
    """Series were about to go since the places were asked for: nothing was added."""


def append(
    count: int,
    entries: Sequence[tuple[int, Mapping[bytes, bytes]]],
    *,
    answer: tuple[str, bytes, int] | None,
    fence: tuple[str, str] | None = None,
) -> bool:
    """Add entries (shard, fields) if there are still `count` shards, all or none; answers whether it was done.

    `answer` is a name, a value and how many seconds it is kept beside them. `fence` is a name and what must stand
    there, else FenceMoved is raised. If this answers False, expected() is what holds now.
    """
    global _expected  # noqa: PLW0603  what the process knows of the one stream
    name, value, kept_s = answer or (LAYOUT, b"", 0)
    fence_name, fence_value = fence or (LAYOUT, "")
    keys = [LAYOUT, name, fence_name, *(STREAM.format(shard=shard) for shard, _ in entries)]
    bodies = [part for _, fields in entries for part in (fields[b"h"], fields[b"b"])]
    script = valkey().register_script(_APPEND)
    now = int(cast(int, script(keys, [str(count), value, kept_s, fence_value, *bodies])))
    if now < 0:
        raise FenceMoved
    if now:
        _expected = now
    return not now


def count() -> int:
    """How many shards writers use now."""
    return int(cast("bytes | None", valkey().get(LAYOUT)) or DEFAULT)


def lay_out(shards: int) -> bool:
    """Make writers use so many shards from this moment on; answers whether it was another number before.

    What waits in shards that are left over stays there to be drained. Raises ValueError unless 1 <= shards <= 64.
    """
    if not FEWEST_SHARDS <= shards <= MOST_SHARDS:
        raise ValueError(f"a stream has {FEWEST_SHARDS} to {MOST_SHARDS} shards")
    return bool(valkey().register_script(_LAY_OUT)([LAYOUT, CHANGES, *ALL], [str(shards)]))


def changes() -> list[int]:
    """When the number of shards changed, ascending: entries with an id below such a ms came before it."""
    found = cast("list[bytes]", valkey().lrange(CHANGES, 0, -1))
    return [int(ms) for ms in found]


def waiting() -> dict[int, int]:
    """How many entries wait in each shard: those that writers use, and those of before that the server still knows."""
    pipe = valkey().pipeline(transaction=False)
    pipe.get(LAYOUT)
    for name in ALL:
        pipe.exists(name)
        pipe.xlen(name)
    reply: list[Any] = pipe.execute()
    used, facts = int(reply[0] or DEFAULT), reply[1:]
    return {shard: facts[2 * shard + 1] for shard in range(MOST_SHARDS) if shard < used or facts[2 * shard]}


def active() -> list[int]:
    """The shards that need a drain: those that writers use, and those of before in which something waits."""
    used = count()
    return [shard for shard, entries in waiting().items() if shard < used or entries]
