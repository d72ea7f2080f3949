"""The durable stream between accept() and drain(): nobody else knows that it is a Valkey stream.

One entry is one request's samples of one shard: a small header and packed columns. A series group always lands on the
same shard, so the order of its samples is the order of the entries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final, NewType, cast

import numpy as np
from redis.exceptions import RedisError, ResponseError

from app import clock
from app.domain.samples import Float64s, Int64s
from app.domain.tenancy import TenantId
from app.errors import Unavailable
from app.tsdb.catalog import FENCE
from app.tsdb.entries import DEAD, STREAM, Columns, encode, opened
from app.valkey import valkey
from ingest import shards

EntryId = NewType("EntryId", str)  # "<ms>-<sequence>", ascending within a shard
START: Final = EntryId("0-0")

DEAD_KEPT = 10_000
# Samples in one entry: a drain reads many entries at once, and its memory has a bound.
MOST_PER_ENTRY = 20_000
# What may wait in all shards together; beyond it senders are asked to come back later.
MOST_BACKLOG_BYTES = 512 * 1024 * 1024
BACKLOG_AGE_S = 1.0
# How often the number of shards may change under one append().
MOST_CHANGES: Final = 5
# How long a request with an Idempotency-Key is remembered.
ANSWER_KEPT_S = 86_400


@dataclass(frozen=True)
class Entry:
    """One entry as it came from the stream; columns() opens it."""

    shard: int
    entry_id: EntryId
    fields: Mapping[bytes, bytes]


def append(
    tenant: TenantId,
    places: Int64s,
    *,
    ts_ms: Int64s,
    values: Float64s,
    source: str,
    request_id: str,
    remember: tuple[str, bytes] | None = None,
    fence: str = "",
) -> None:
    """Make samples durable: returns once the stream's server has written them to disk.

    `remember` is a name and an answer to keep beside them, see remembered(). `fence` is that of the places; raises
    FenceMoved, and appends nothing, when it was moved. Raises Unavailable when the server is away or too much waits
    already; whether anything was appended is then unknown, and the sender repeats it.
    """
    if not len(values) and not remember:
        return
    if _backlog_bytes() > MOST_BACKLOG_BYTES:
        raise Unavailable("the store behind the stream", retry_after_s=5)
    answer = (_answer_name(tenant, remember[0]), remember[1], ANSWER_KEPT_S) if remember else None
    behind = (FENCE.format(tenant=tenant), fence) if fence else None
    try:
        for _ in range(MOST_CHANGES):
            count = shards.expected()
            pieces = _pieces(places, count)
            entries = [
                (shard, encode(tenant, places[at], ts_ms[at], values[at], source=source, request_id=request_id))
                for shard, at in pieces
            ]
            if shards.append(count, entries, answer=answer, fence=behind):
                return
    except RedisError as error:
        raise Unavailable("the ingest stream") from error
    raise Unavailable("the ingest stream, whose shards are being changed", retry_after_s=1)


def remembered(tenant: TenantId, idempotency_key: str) -> bytes | None:
    """The answer that was kept with append() under this key."""
    try:
        return cast("bytes | None", valkey().get(_answer_name(tenant, idempotency_key)))
    except RedisError as error:
        raise Unavailable("the ingest stream") from error


def read(after: Mapping[int, EntryId], *, count: int, block_ms: int) -> list[Entry]:
    """Entries behind those of `after` (by shard), at most `count` of each; waits up to `block_ms` for the first.

    Reading changes nothing on the server, which under fsync-always is what makes it cheap.
    """
    streams = {STREAM.format(shard=shard): entry_id for shard, entry_id in after.items()}
    reply: Any = valkey().xread(cast(Any, streams), count=count, block=block_ms)
    pairs = reply.items() if isinstance(reply, dict) else reply or ()
    entries = []
    for name, items in pairs:
        shard = int(name.decode().rpartition(":")[2])
        entries += [Entry(shard, EntryId(entry_id.decode()), fields) for entry_id, fields in items]
    return entries


def done(shard: int, last: EntryId) -> None:
    """Forget all entries of a shard up to and with `last`: they are stored."""
    ms, sequence = parts_of(last)
    valkey().xtrim(STREAM.format(shard=shard), minid=cast(Any, f"{ms}-{sequence + 1}"), approximate=False)


def newest(shard: int) -> EntryId:
    """The id of the newest entry that a shard ever had; START when the server knows nothing of the shard."""
    try:
        info: Any = valkey().xinfo_stream(STREAM.format(shard=shard))
    except ResponseError:
        return START
    return EntryId(info["last-generated-id"].decode())


def waiting(shard: int) -> int:
    """How many entries of a shard are not stored yet."""
    return valkey().xlen(STREAM.format(shard=shard))


def bury(entry: Entry, reason: str) -> None:
    """Put an entry that cannot be stored among the dead letters, with the reason; burying it twice is burying once."""
    name = DEAD.format(shard=entry.shard)
    fields: dict[bytes, bytes] = {**entry.fields, b"reason": reason.encode()}
    try:
        valkey().xadd(name, cast(Any, fields), id=entry.entry_id, maxlen=DEAD_KEPT)
    except ResponseError as error:
        # Ids ascend, so an id that is not greater than the newest is here already.
        if "equal or smaller" not in str(error):
            raise


def dead_letters(shard: int) -> list[tuple[Entry, str]]:
    """The entries that could not be stored, with their reasons."""
    reply: Any = valkey().xrange(DEAD.format(shard=shard))
    return [
        (
            Entry(shard, EntryId(entry_id.decode()), {k: v for k, v in fields.items() if k != b"reason"}),
            fields.get(b"reason", b"").decode(),
        )
        for entry_id, fields in reply
    ]


def columns(entry: Entry) -> Columns:
    """Open an entry; raises DecodeError when it is not what encode() makes."""
    return opened(entry.fields, entry.entry_id)


def parts_of(entry_id: EntryId) -> tuple[int, int]:
    """Milliseconds and sequence of an entry id, which compare as the ids do."""
    ms, _, sequence = entry_id.partition("-")
    return int(ms), int(sequence or 0)


def _pieces(places: Int64s, count: int) -> Iterator[tuple[int, Any]]:
    """Where the samples of each entry stand: (shard, index), at most MOST_PER_ENTRY of one shard each, in order."""
    shard_of = shards.shards_of(places, count)
    for shard in np.flatnonzero(np.bincount(shard_of)).tolist():  # np.unique takes ten times as long
        chosen = np.flatnonzero(shard_of == shard)
        for first in range(0, len(chosen), MOST_PER_ENTRY):
            piece = chosen[first : first + MOST_PER_ENTRY]
            is_run = piece[-1] - piece[0] + 1 == len(piece)
            yield shard, slice(int(piece[0]), int(piece[-1]) + 1) if is_run else piece


def _answer_name(tenant: TenantId, idempotency_key: str) -> str:
    return f"ingest:answer:{tenant}:{idempotency_key}"


_backlog: tuple[float, int] = (-BACKLOG_AGE_S, 0)
_measuring = Lock()


def _backlog_bytes() -> int:
    """The memory of all shards, measured at most once in BACKLOG_AGE_S by each process."""
    global _backlog  # noqa: PLW0603  one figure for the process
    now = clock.monotonic_s()
    if now - _backlog[0] >= BACKLOG_AGE_S and _measuring.acquire(blocking=False):
        try:
            pipe = valkey().pipeline(transaction=False)
            for name in shards.ALL:
                pipe.memory_usage(name, samples=5)
            _backlog = (now, sum(size or 0 for size in cast("Sequence[int | None]", pipe.execute())))
        except RedisError as error:
            raise Unavailable("the ingest stream") from error
        finally:
            _measuring.release()
    return _backlog[1]
