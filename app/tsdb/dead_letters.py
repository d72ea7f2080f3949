"""The entries of the stream that could not be stored, each tenant's own: shown, sent through again, or thrown away.

ingest/stream.py buries them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, cast

import numpy as np
from redis.exceptions import RedisError

from app.domain.samples import Int64s
from app.domain.tenancy import TenantId
from app.errors import DecodeError, NotFound, Unavailable
from app.tsdb import entries
from app.tsdb.entries import DEAD, STREAM, Header
from app.tsdb.layout import MOST_SHARDS
from app.tsdb.turns import PATIENCE_S, turn_of
from app.valkey import valkey

# The newest of each shard that are looked at.
LOOKED_AT: Final = 1_000

# KEYS: dead letters, stream. ARGV: the entry. Answers how many were sent through again: one, or none that is there.
_REPLAY: Final = """
local found = redis.call('xrange', KEYS[1], ARGV[1], ARGV[1])
if #found == 0 then return 0 end
local fields = {}
for place = 1, #found[1][2], 2 do
    if found[1][2][place] ~= 'reason' then
        fields[#fields + 1] = found[1][2][place]
        fields[#fields + 1] = found[1][2][place + 1]
    end
end
redis.call('xadd', KEYS[2], '*', unpack(fields))
return redis.call('xdel', KEYS[1], ARGV[1])
"""


@dataclass(frozen=True)
class DeadLetter:
    """One entry that could not be stored; `id` is its shard and its number there."""

    id: str
    at: datetime
    source: str
    samples: int
    request_id: str
    reason: str


def letters(tenant: TenantId) -> list[DeadLetter]:
    """The dead letters of a tenant, the newest first."""
    try:
        pipe = valkey().pipeline(transaction=False)
        for shard in range(MOST_SHARDS):
            pipe.xrevrange(DEAD.format(shard=shard), count=LOOKED_AT)
        replies: list[Any] = pipe.execute()
    except RedisError as error:
        raise Unavailable("the ingest stream") from error
    found = [
        _letter(shard, entry_id.decode(), header, fields.get(b"reason", b""))
        for shard, buried in enumerate(replies)
        for entry_id, fields in buried
        if (header := entries.header_of(fields)) is not None and header.tenant == tenant
    ]
    return sorted(found, key=lambda letter: letter.at, reverse=True)


def replay(tenant: TenantId, letter_id: str) -> None:
    """Send an entry through the stream again; raises NotFound when the tenant has no such dead letter.

    It takes the tenant's turn: the series of what lies here stay (app/tsdb/gone.py), and it must not be on its way
    from here to there when that is looked at.
    """
    shard, entry_id = _find(tenant, letter_id)
    names = [DEAD.format(shard=shard), STREAM.format(shard=shard)]
    with turn_of(tenant, wait_s=PATIENCE_S):
        if not _ask(lambda: valkey().eval(_REPLAY, 2, *names, entry_id)):
            raise NotFound(f"There is no dead letter {letter_id}.")


def discard(tenant: TenantId, letter_id: str) -> None:
    """Throw an entry away; raises NotFound when the tenant has no such dead letter."""
    shard, entry_id = _find(tenant, letter_id)
    if not _ask(lambda: valkey().xdel(DEAD.format(shard=shard), entry_id)):
        raise NotFound(f"There is no dead letter {letter_id}.")


def places(tenant: TenantId) -> Int64s:
    """The places of the samples in all dead letters of a tenant; those that cannot be read cannot be replayed."""
    found = [np.empty(0, dtype=np.int64)]
    for shard in range(MOST_SHARDS):
        after = "-"
        while buried := cast("list[Any]", valkey().xrange(DEAD.format(shard=shard), min=after, count=LOOKED_AT)):
            found += [_places_of(fields) for _, fields in buried if _is_of(tenant, fields)]
            after = "(" + buried[-1][0].decode()
    return np.unique(np.concatenate(found))


def newest_waiting() -> dict[int, str]:
    """The newest entry of each shard in which anything waits to be stored."""
    newest = {}
    for shard in range(MOST_SHARDS):
        if waiting := cast("list[Any]", valkey().xrevrange(STREAM.format(shard=shard), count=1)):
            newest[shard] = waiting[0][0].decode()
    return newest


def are_stored(newest: Mapping[int, str]) -> bool:
    """Whether these entries, and those before them, are stored or dead letters: a drain forgets them only then."""
    return not any(valkey().xrange(STREAM.format(shard=n), max=last, count=1) for n, last in newest.items())


def _places_of(fields: dict[bytes, bytes]) -> Int64s:
    try:
        return entries.opened(fields, "").places
    except DecodeError:
        return np.empty(0, dtype=np.int64)


def _is_of(tenant: TenantId, fields: dict[bytes, bytes]) -> bool:
    header = entries.header_of(fields)
    return header is not None and header.tenant == tenant


def _find(tenant: TenantId, letter_id: str) -> tuple[int, str]:
    shard, _, entry_id = letter_id.partition(":")
    parts = entry_id.split("-")
    is_id = len(parts) == 2 and all(part.isascii() and part.isdigit() and len(part) < 20 for part in [shard, *parts])
    if not is_id or int(shard) >= MOST_SHARDS:
        raise NotFound("There is no such dead letter.")
    found: Any = _ask(lambda: valkey().xrange(DEAD.format(shard=int(shard)), entry_id, entry_id))
    if not found or not _is_of(tenant, found[0][1]):
        raise NotFound(f"There is no dead letter {letter_id}.")
    return int(shard), entry_id


def _ask(call: Any) -> Any:
    try:
        return call()
    except RedisError as error:
        raise Unavailable("the ingest stream") from error


def _letter(shard: int, entry_id: str, header: Header, reason: bytes) -> DeadLetter:
    return DeadLetter(
        id=f"{shard}:{entry_id}",
        at=datetime.fromtimestamp(int(entry_id.partition("-")[0]) / 1000, UTC),
        source=header.source,
        samples=header.size,
        request_id=header.request_id,
        reason=reason.decode(errors="replace"),
    )
