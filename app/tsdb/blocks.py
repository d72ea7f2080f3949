"""Blocks in the database: rows of sample_blocks and sample_rollups, written under a lock, and checked when read.

A bucket is open on the left: it holds the samples of (bucket, bucket + length], as the windows of PromQL do.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from app.domain.samples import Int64s
from app.domain.tenancy import TenantId
from app.errors import DecodeError
from app.tsdb import codec
from app.tsdb.codec import Part

log = logging.getLogger(__name__)

# What one block holds: as long as a partition of hot samples.
BLOCK_MS: Final = 6 * 3_600_000

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MS: Final = -62_135_596_800_000  # year 1
_LAST_MS: Final = 253_402_300_799_999  # year 9999

_LOCK = text("select pg_advisory_xact_lock(hashtext('watchfloor blocks'), :tenant)")
_WRITE_BLOCKS: Final = """
insert into sample_blocks
    (tenant_id, group_id, bucket, first_ts, last_ts, version, samples, checksum, codec, blob)
select %(tenant)s, w.group_id, w.bucket, w.first_ts, w.last_ts, 1, w.samples, w.checksum, %(codec)s, w.blob
from unnest(%(groups)s::int[], %(buckets)s::timestamptz[], %(firsts)s::timestamptz[], %(lasts)s::timestamptz[],
    %(samples)s::int[], %(checksums)s::bigint[], %(blobs)s::bytea[])
    as w(group_id, bucket, first_ts, last_ts, samples, checksum, blob)
on conflict (tenant_id, group_id, bucket) do update set version = sample_blocks.version + 1,
    first_ts = excluded.first_ts, last_ts = excluded.last_ts, samples = excluded.samples,
    checksum = excluded.checksum, codec = excluded.codec, blob = excluded.blob
"""
_WRITE_ROLLUPS: Final = """
insert into sample_rollups
    (tenant_id, group_id, tier, bucket, first_ts, last_ts, version, samples, checksum, codec, blob)
select %(tenant)s, w.group_id, %(tier)s, w.bucket, w.first_ts, w.last_ts, 1, w.samples, w.checksum, %(codec)s, w.blob
from unnest(%(groups)s::int[], %(buckets)s::timestamptz[], %(firsts)s::timestamptz[], %(lasts)s::timestamptz[],
    %(samples)s::int[], %(checksums)s::bigint[], %(blobs)s::bytea[])
    as w(group_id, bucket, first_ts, last_ts, samples, checksum, blob)
on conflict (tenant_id, group_id, tier, bucket) do update set version = sample_rollups.version + 1,
    first_ts = excluded.first_ts, last_ts = excluded.last_ts, samples = excluded.samples,
    checksum = excluded.checksum, codec = excluded.codec, blob = excluded.blob
"""
_READ_BLOCKS: Final = """
select group_id, version, checksum, blob from sample_blocks
where tenant_id = %(tenant)s and group_id = any(%(groups)s) and bucket = %(bucket)s
"""


@dataclass(frozen=True)
class Packed:
    """A bucket of one group as it is stored; `samples` of them between `first_ms` and `last_ms`."""

    group_id: int
    bucket_ms: int
    first_ms: int
    last_ms: int
    samples: int
    blob: bytes


def moment(ms: int) -> datetime:
    """Exact, and within what a datetime can say."""
    return _EPOCH + timedelta(milliseconds=min(max(ms, _FIRST_MS), _LAST_MS))


def int_array(numbers: Iterable[int]) -> str:
    """Numbers as a parameter that is cast to an array: the driver takes ten times as long over a list of thousands."""
    return f"{{{','.join(map(str, numbers))}}}"


def bucket_of(ts_ms: int, length_ms: int = BLOCK_MS) -> int:
    """The start of the bucket that holds a moment, in ms; the start itself is in the bucket before."""
    return (ts_ms - 1) // length_ms * length_ms


def buckets_of(ts_ms: Int64s, length_ms: int = BLOCK_MS) -> Int64s:
    """bucket_of() of each."""
    found: Int64s = (ts_ms - 1) // length_ms * length_ms
    return found


def lock(connection: Connection, tenant: TenantId) -> None:
    """Wait until nobody else writes blocks of this tenant; lasts until the transaction ends."""
    connection.execute(_LOCK, {"tenant": tenant})


def pack(group_id: int, bucket_ms: int, parts: Sequence[Part]) -> Packed:
    """The parts of one bucket of a group, encoded. There is at least one sample."""
    first = min(int(part.ts_ms[0]) for part in parts)
    last = max(int(part.ts_ms[-1]) for part in parts)
    return Packed(group_id, bucket_ms, first, last, codec.count(parts), codec.encode_parts(parts))


def write(connection: Connection, tenant: TenantId, packed: Sequence[Packed], *, tier: int = 0) -> None:
    """Store blocks, or the rollups of a tier (seconds); what stands there already becomes the next version."""
    if not packed:
        return
    parameters = {
        "tenant": tenant,
        "tier": tier,
        "codec": codec.CODEC,
        "groups": [one.group_id for one in packed],
        "buckets": [moment(one.bucket_ms) for one in packed],
        "firsts": [moment(one.first_ms) for one in packed],
        "lasts": [moment(one.last_ms) for one in packed],
        "samples": [one.samples for one in packed],
        "checksums": [codec.checksum(one.blob) for one in packed],
        "blobs": [one.blob for one in packed],
    }
    driver: Any = connection.connection.driver_connection
    with driver.cursor(binary=True) as cursor:
        cursor.execute(_WRITE_ROLLUPS if tier else _WRITE_BLOCKS, parameters)


def read(
    connection: Connection, tenant: TenantId, groups: Sequence[int], bucket_ms: int
) -> dict[int, list[Part] | None]:
    """The blocks of a bucket that are to be written anew, by group; None for one that is broken."""
    driver: Any = connection.connection.driver_connection
    parameters = {"tenant": tenant, "groups": list(groups), "bucket": moment(bucket_ms)}
    with driver.cursor(binary=True) as cursor:
        cursor.execute(_READ_BLOCKS, parameters)
        rows = cursor.fetchall()
    found: dict[int, list[Part] | None] = {}
    for group_id, version, checksum, blob in rows:
        name = name_of(group_id, bucket_ms, version=version)
        found[group_id] = open_or_report(blob, checksum=checksum, slots=None, name=name, tenant=tenant)
    return found


def name_of(group_id: int, bucket_ms: int, *, version: int, tier: int = 0) -> str:
    """How a block is called in the log."""
    kind = f"rollup of {tier} s" if tier else "block"
    return f"{kind}, group {group_id}, from {moment(bucket_ms).isoformat()}, version {version}"


def open_or_report(
    blob: bytes, *, checksum: int, slots: NDArray[np.intp] | None, name: str, tenant: TenantId
) -> list[Part] | None:
    """The parts of a block; None, and an error with its name in the log, if it is broken."""
    reason = "its checksum is another one"
    if codec.checksum(blob) == checksum:
        try:
            return codec.decode_parts(blob, slots)
        except DecodeError as error:
            reason = str(error)
    log.error("a broken block is left out: %s", name, extra={"tenant": tenant, "reason": reason})
    return None
