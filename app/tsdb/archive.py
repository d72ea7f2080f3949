"""The archive: raw samples leave the database only when a copy lies in the object store and was read back.

What is archived at once is what one block holds: six hours, open on the left. An object is named after its content, and
counts from the moment that it is listed in `archives`; one that is not listed is the remains of a crash and is swept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, text

from app.domain.labels import encode_labels
from app.domain.samples import Int64s
from app.domain.tenancy import TenantId
from app.errors import NotFound, WatchfloorError
from app.objects import objects
from app.tsdb import blocks, codec, compact, parquet, raw
from app.tsdb.catalog import SLOTS_BITS, present_places
from app.tsdb.codec import Part
from app.tsdb.parquet import Samples
from app.tsdb.raw import Raw
from app.tsdb.selection import Group, select_series
from models.session import tenant_connection

LENGTH: Final = timedelta(hours=6)
LENGTH_MS: Final = LENGTH // timedelta(milliseconds=1)
# Series whose samples are in memory at once while a bucket is archived; with a sample each second some 250 MB.
SERIES_AT_ONCE: Final = 500

_LISTED: Final = (
    "select id, bucket, path, series, samples, bytes, checksum, first_ts, last_ts, archived_at, restored_at,"
    " restored_until from archives where tenant_id = :tenant"
)
_LIST = text(f"{_LISTED} and bucket < :end and bucket + interval '6 hours' > :start order by bucket desc limit :limit")
_ONE = text(f"{_LISTED} and bucket = :bucket")
_TOTAL = text(
    "select count(*) as objects, coalesce(sum(samples), 0)::bigint as samples,"
    " coalesce(sum(bytes), 0)::bigint as bytes, min(first_ts) as first, max(last_ts) as last"
    " from archives where tenant_id = :tenant"
)
_ADD = text(
    "insert into archives (tenant_id, bucket, path, series, samples, bytes, checksum, first_ts, last_ts)"
    " values (:tenant, :bucket, :path, :series, :samples, :bytes, :checksum, :first, :last)"
    " on conflict (tenant_id, bucket) do update set path = excluded.path, series = excluded.series,"
    " samples = excluded.samples, bytes = excluded.bytes, checksum = excluded.checksum, first_ts = excluded.first_ts,"
    " last_ts = excluded.last_ts, archived_at = now()"
)
# What stands in the database of a bucket: hot rows and blocks, so that a change of either shows.
_HOT: Final = (
    "select count(*) || ' ' || coalesce(sum(hashtextextended(group_id || ' ' || extract(epoch from ts) || ' ' || part"
    " || ' ' || octet_length(vals), 0)::numeric), 0) as mark from sample_hot"
    " where tenant_id = :tenant and ts > :bucket and ts <= :end"
)
_BLOCKS: Final = (
    "select count(*) || ' ' || coalesce(sum(hashtextextended(group_id || ' ' || version || ' ' || checksum,"
    " 0)::numeric), 0) as mark from sample_blocks where tenant_id = :tenant and bucket = :bucket"
)
_SAME: Final = f"(select mark from ({_HOT}) h) || ' ' || (select mark from ({_BLOCKS}) b)"  # noqa: S608  constants
_MARK = text(f"select {_SAME}")
# One statement is one view of the data: what came after the mark was taken makes it another, and nothing goes.
_DELETE = text(
    f"with same as materialized (select {_SAME} = :mark as it_is),"  # noqa: S608  constants
    " hot as (delete from sample_hot where tenant_id = :tenant and ts > :bucket and ts <= :end"
    " and (select it_is from same) returning 1), blocks as (delete from sample_blocks where tenant_id = :tenant"
    " and bucket = :bucket and (select it_is from same) returning 1)"
    " select it_is, (select count(*) from hot) as hot, (select count(*) from blocks) as blocks from same"
)
_KEEP = text(
    "update archives set restored_until = :until, restored_at = case when :is_back then :now else restored_at end"
    " where tenant_id = :tenant and bucket = :bucket"
)
_BLOBS = text("select group_id, checksum, blob from sample_blocks where tenant_id = :tenant and bucket = :bucket")
_EXPIRED = text("select bucket, path from archives where tenant_id = :tenant and bucket < :before order by bucket")
_FORGET = text("delete from archives where tenant_id = :tenant and bucket = :bucket")
_GONE = text(
    "insert into raw_gone (tenant_id, bucket) select :tenant, :bucket where not exists"
    " (select 1 from sample_blocks where tenant_id = :tenant and bucket = :bucket) on conflict do nothing"
)


@dataclass(frozen=True)
class Archive:
    """Six hours of a tenant in the object store, from `bucket` on; back in the database up to `restored_until`."""

    id: int
    bucket: datetime
    path: str
    series: int
    samples: int
    bytes: int
    checksum: str
    first_ts: datetime
    last_ts: datetime
    archived_at: datetime
    restored_at: datetime | None
    restored_until: datetime | None


@dataclass(frozen=True)
class ArchiveTotal:
    """The whole archive of a tenant."""

    objects: int
    samples: int
    bytes: int
    first: datetime | None
    last: datetime | None


def archives(tenant: TenantId, *, start: datetime, end: datetime, limit: int = 1_000_000) -> list[Archive]:
    """The archives that touch [start, end), the newest first."""
    with tenant_connection(tenant) as connection:
        rows = connection.execute(_LIST, {"tenant": tenant, "start": start, "end": end, "limit": limit})
        return [Archive(**row) for row in rows.mappings()]


def total(tenant: TenantId) -> ArchiveTotal:
    """How much is archived."""
    with tenant_connection(tenant) as connection:
        return ArchiveTotal(**connection.execute(_TOTAL, {"tenant": tenant}).mappings().one())


def retire(tenant: TenantId, bucket: datetime) -> bool:
    """Archive a bucket and delete it; answers False when samples came meanwhile, which the next run takes along."""
    return list(retire_steps(tenant, bucket))[-1] != "changed"


def retire_steps(tenant: TenantId, bucket: datetime) -> Iterator[str]:
    """The same step by step: a crash between any two loses and doubles nothing.

    A bucket that was archived before and got late samples becomes one object again. What comes while the series are
    read, some after the other, changes the mark: then nothing is deleted, and the next run takes it along.
    """
    mark = _mark(tenant, bucket)
    made = _made(tenant, bucket, find(tenant, bucket))
    if made is not None:
        content = made.close()
        checksum = hashlib.sha256(content).hexdigest()
        path = f"{_folder(tenant, bucket)}/{checksum[:16]}.parquet"
        objects().put(path, content)
        yield "copied"
        _verify(path, checksum, made.digest())
        yield "verified"
        _list(tenant, bucket, path=path, checksum=checksum, size=len(content), made=made)
        yield "listed"
    is_gone = _delete(tenant, bucket, mark)
    yield "deleted" if is_gone else "changed"
    _sweep(tenant, bucket)
    yield "swept" if is_gone else "changed"


def find(tenant: TenantId, bucket: datetime) -> Archive | None:
    """The archive of a bucket, if there is one."""
    with tenant_connection(tenant) as connection:
        row = connection.execute(_ONE, {"tenant": tenant, "bucket": bucket}).mappings().one_or_none()
    return Archive(**row) if row else None


def read(archive: Archive) -> bytes:
    """The file of an archive; raises WatchfloorError when the object is not the one that was listed."""
    content = objects().get(archive.path)
    if hashlib.sha256(content).hexdigest() != archive.checksum:
        raise WatchfloorError(f"the archive {archive.path} is damaged: its checksum is another one")
    return content


def put_back(
    tenant: TenantId,
    archive: Archive,
    *,
    is_late: bool = False,
    at_step: Callable[[str], None] = lambda _step: None,
) -> int:
    """Make blocks again of what an archive holds; answers how many samples were not in the database.

    One transaction: all of it is back or nothing, and what is there already wins. May run twice. The caller has the
    tenant's turn. If `is_late` there are hot rows that came afterwards and are not looked at. `at_step` is told the
    name of every step, for tests. A row group is in memory at once.
    """
    content = read(archive)
    found = [_places_of(tenant, some) for some in parquet.pieces_of(content)]
    at_step("places known")
    count = 0
    with tenant_connection(tenant) as connection:
        blocks.lock(connection, tenant)
        for some, places in zip(parquet.pieces_of(content), found, strict=True):
            parts = _parts(some, places)
            there = _of_groups(connection, tenant, archive.bucket, _groups_among(connection, tenant, parts))
            missing = len(parquet.missing_from(there, some))
            count += missing
            if missing or is_late:
                _write_back(connection, tenant, archive.bucket, parts, at_step)
    at_step("committed")
    return count


def _places_of(tenant: TenantId, samples: Samples) -> Int64s:
    places, reasons = present_places(tenant, [encode_labels(labels) for labels in samples.labels])
    if reasons:
        raise WatchfloorError(f"{len(reasons)} series cannot come back: {next(iter(reasons.values()))}")
    return places


def _groups_among(connection: Connection, tenant: TenantId, ids: Container[int]) -> list[Group]:
    return [group for group in select_series(connection, tenant, []) if group.group_id in ids]


def _write_back(
    connection: Connection,
    tenant: TenantId,
    bucket: datetime,
    parts: dict[int, list[Part]],
    at_step: Callable[[str], None],
) -> None:
    bucket_ms = int(bucket.timestamp() * 1000)
    known = blocks.read(connection, tenant, list(parts), bucket_ms)
    for group_id, its in known.items():
        if its is None:
            raise _broken(group_id, bucket)
    whole = {group_id: raw.merged(Raw(None, [*its, *(known.get(group_id) or [])])) for group_id, its in parts.items()}
    compact.write_bucket(connection, tenant, bucket_ms, whole, at_step=at_step)


def _parts(samples: Samples, places: Int64s) -> dict[int, list[Part]]:
    """The samples of each group, a part for each series."""
    parts: dict[int, list[Part]] = {}
    firsts = np.searchsorted(samples.series, np.arange(len(places) + 1)).tolist()
    for index, place in enumerate(places.tolist()):
        at = slice(firsts[index], firsts[index + 1])
        part = Part(np.array([place & 0xFF]), samples.ts_ms[at], samples.values[at, None])
        parts.setdefault(place >> SLOTS_BITS, []).append(part)
    return parts


def keep_restored(tenant: TenantId, bucket: datetime, *, until: datetime, now: datetime, is_back: bool) -> None:
    """Have retention leave a restored bucket alone until then; `is_back` when its samples are all there."""
    with tenant_connection(tenant) as connection:
        parameters = {"tenant": tenant, "bucket": bucket, "until": until, "now": now, "is_back": is_back}
        connection.execute(_KEEP, parameters)


def drop_expired(tenant: TenantId, *, before: datetime) -> int:
    """Delete the archives older than `before`: the object first, so that a crash leaves it on the list."""
    with tenant_connection(tenant) as connection:
        rows = connection.execute(_EXPIRED, {"tenant": tenant, "before": before}).all()
    for row in rows:
        objects().delete(row.path)
        with tenant_connection(tenant) as connection:
            connection.execute(_FORGET, {"tenant": tenant, "bucket": row.bucket})
            mark_gone(connection, tenant, row.bucket)
    return len(rows)


def mark_gone(connection: Connection, tenant: TenantId, bucket: datetime) -> None:
    """From now on nothing is taken for this piece (app/tsdb/late.py), unless there are blocks of it."""
    connection.execute(_GONE, {"tenant": tenant, "bucket": bucket})


def _folder(tenant: TenantId, bucket: datetime) -> str:
    return f"tenant={tenant}/day={bucket:%Y-%m-%d}/hour={bucket:%H}"


def _span(tenant: TenantId, bucket: datetime) -> dict[str, Any]:
    return {"tenant": tenant, "bucket": bucket, "end": bucket + LENGTH}


def _mark(tenant: TenantId, bucket: datetime) -> str:
    with tenant_connection(tenant) as connection:
        return str(connection.scalar(_MARK, _span(tenant, bucket)))


def count_stored(tenant: TenantId, bucket: datetime) -> int:
    """How many raw samples of a bucket are in the database; a broken block is a WatchfloorError."""
    return sum(len(some) for some in _stored(tenant, bucket))


def _made(tenant: TenantId, bucket: datetime, listed: Archive | None) -> parquet.Writer | None:
    """The file of a bucket: some series at a time, or all together with what is archived; None if nothing is new."""
    writer = parquet.Writer()
    if listed is None:
        for some in _stored(tenant, bucket):
            writer.write(some)
        return writer if writer.samples else None
    before = parquet.decode(read(listed))
    wanted = reduce(parquet.merged, _stored(tenant, bucket), before)
    if wanted.digest() == before.digest():
        return None
    writer.write(wanted)
    return writer


def _stored(tenant: TenantId, bucket: datetime) -> Iterator[Samples]:
    """The raw samples of a bucket, of about SERIES_AT_ONCE series at a time.

    From the primary, never from rollups, and a broken block is a WatchfloorError.
    """
    with tenant_connection(tenant) as connection:
        blobs = connection.execute(_BLOBS, {"tenant": tenant, "bucket": bucket}, execution_options={"yield_per": 100})
        for group_id, checksum, blob in blobs:
            if codec.checksum(blob) != checksum:
                raise _broken(group_id, bucket)
        groups = select_series(connection, tenant, [])
    for some in _some(groups):
        with tenant_connection(tenant) as connection:
            samples = _of_groups(connection, tenant, bucket, some)
        yield samples


def _of_groups(connection: Connection, tenant: TenantId, bucket: datetime, groups: Sequence[Group]) -> Samples:
    """The raw samples of a bucket: hot rows and blocks, without those that are broken."""
    start_ms = int(bucket.timestamp() * 1000) + 1
    end_ms = start_ms + LENGTH_MS - 1
    found = raw.fetch(connection, tenant, groups, start_ms=start_ms, end_ms=end_ms)
    return parquet.samples_of(
        [
            block
            for group in groups
            if group.group_id in found
            for block in raw.blocks_of(group, found[group.group_id], start_ms=start_ms, end_ms=end_ms)
        ]
    )


def _broken(group_id: int, bucket: datetime) -> WatchfloorError:
    return WatchfloorError(f"the block of group {group_id} at {bucket:%Y-%m-%d %H:%M} is broken")


def _some(groups: Sequence[Group]) -> Iterator[list[Group]]:
    some: list[Group] = []
    for group in groups:
        some.append(group)
        if sum(len(each.slots) for each in some) >= SERIES_AT_ONCE:
            yield some
            some = []
    if some:
        yield some


def _verify(path: str, checksum: str, digest: str) -> None:
    content = objects().get(path)
    if hashlib.sha256(content).hexdigest() != checksum or parquet.digest_of(content) != digest:
        raise WatchfloorError(f"the copy {path} is not what was written; the samples stay in the database")


def _list(tenant: TenantId, bucket: datetime, *, path: str, checksum: str, size: int, made: parquet.Writer) -> None:
    parameters = {
        "tenant": tenant,
        "bucket": bucket,
        "path": path,
        "series": made.series,
        "samples": made.samples,
        "bytes": size,
        "checksum": checksum,
        "first": _moment(made.first_ms),
        "last": _moment(made.last_ms),
    }
    with tenant_connection(tenant) as connection:
        connection.execute(_ADD, parameters)


def _delete(tenant: TenantId, bucket: datetime, mark: str) -> bool:
    with tenant_connection(tenant) as connection:
        blocks.lock(connection, tenant)  # none is written meanwhile
        return bool(connection.execute(_DELETE, {**_span(tenant, bucket), "mark": mark}).one().it_is)


def _sweep(tenant: TenantId, bucket: datetime) -> None:
    """Remove objects of the bucket that are not listed."""
    listed = find(tenant, bucket)
    if listed is None:
        return
    for path in objects().paths(_folder(tenant, bucket)):
        if path != listed.path:
            try:
                objects().delete(path)
            except NotFound:
                continue


def _moment(ts_ms: int) -> datetime:
    return datetime.fromtimestamp(ts_ms // 1000, UTC) + timedelta(milliseconds=ts_ms % 1000)
