"""Compaction: hot rows of closed buckets become blocks and rollups, in one transaction for each few groups.

A bucket is closed some minutes after its end. What arrives later lies in hot rows again, is merged on reading, and
makes the next version of its block. A process may be killed at any step: a transaction happens whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, text

from app.domain.tenancy import TenantId
from app.tsdb import blocks, departed, hot, raw, rollups
from app.tsdb.blocks import BLOCK_MS, moment
from app.tsdb.codec import Part
from app.tsdb.raw import Raw
from app.tsdb.rollups import Cells
from models.session import tenant_connection

# How long after its end a bucket stays as hot rows. What is asked of all series is asked of the last hours: hot rows
# answer it from the minutes that are wanted, a block must be opened whole.
GRACE_MS: Final = 3 * 3_600_000
# A bucket that is still being filled waits, but not for ever.
QUIET_MS: Final = 5 * 60_000
MOST_PATIENCE_MS: Final = 60 * 60_000
# Hot rows of one transaction; a row has up to 240 samples.
BATCH_ROWS: Final = 4_000

# A row's part is when it arrived, in ms, times 65,536: see docs/decisions/0006.
_DUE = text("""
select (ceil(extract(epoch from ts) * 1000 / :length) - 1)::bigint as bucket, group_id, count(*)
from sample_hot
where tenant_id = :tenant and ts >= :after and ts <= :closed
group by 1, 2
having max(part) / 65536 < :quiet or min(part) / 65536 < :patient
order by 1, 2
""")
_WITH_BLOCKS = text(
    "select bucket, group_id from sample_blocks where tenant_id = :tenant"
    " and group_id = any(cast(:groups as int[])) and bucket = any(cast(:buckets as timestamptz[]))"
)
_SPANS = text("select starts_at, ends_at from sample_partitions where starts_at <= :closed order by starts_at")
_TAKE: Final = """
delete from sample_hot where tenant_id = %(tenant)s and group_id = any(%(groups)s) and ts > %(start)s and ts <= %(end)s
returning group_id, date_part('epoch', ts - timestamptz '1970-01-01 00:00:00+00'), part, slots, vals
"""
_DROP_EMPTY = text("select watchfloor_drop_empty_partitions(:before)")


@dataclass(frozen=True)
class Due:
    """Groups with hot rows in one closed bucket: few enough for one transaction."""

    bucket_ms: int
    groups: tuple[int, ...]
    rows: int


@dataclass(frozen=True)
class Compacted:
    """What came of it. `broken` are groups whose block cannot be read: their hot rows stay where they are."""

    samples: int
    blob_bytes: int
    broken: tuple[int, ...] = ()


def due(tenant: TenantId, now_ms: int) -> Iterator[Due]:
    """What there is to do for a tenant, oldest first; what came for hours that have left is settled by late.py."""
    closed_ms = (now_ms - GRACE_MS) // BLOCK_MS * BLOCK_MS
    with tenant_connection(tenant) as connection:
        spans = [(row.starts_at, row.ends_at) for row in connection.execute(_SPANS, {"closed": moment(closed_ms)})]
    for starts_at, ends_at in spans:
        with tenant_connection(tenant) as connection:
            rows = connection.execute(
                _DUE,
                {
                    "tenant": tenant,
                    "length": BLOCK_MS,
                    "after": starts_at,
                    "closed": min(ends_at, moment(closed_ms)),
                    "quiet": now_ms - QUIET_MS,
                    "patient": now_ms - MOST_PATIENCE_MS,
                },
            ).all()
            found = [(int(bucket) * BLOCK_MS, int(group_id), int(count)) for bucket, group_id, count in rows]
            found = _that_have_not_left(connection, tenant, found)
        yield from _batches(found)


def compact_bucket(
    tenant: TenantId, bucket_ms: int, groups: Sequence[int], *, at_step: Callable[[str], None] = lambda _step: None
) -> Compacted:
    """Make blocks and rollups of the hot rows of these groups in (bucket, bucket + 6 h].

    What a drain stores meanwhile is not seen, and stays. `at_step` is told the name of every step, for tests.
    """
    with tenant_connection(tenant) as connection:
        blocks.lock(connection, tenant)
        at_step("locked")
        known = blocks.read(connection, tenant, groups, bucket_ms)
        broken = tuple(group_id for group_id, parts in known.items() if parts is None)
        sound = [group_id for group_id in groups if group_id not in broken]
        at_step("read")
        rows = _take(connection, tenant, sound, bucket_ms)
        at_step("taken")
        whole = {group_id: raw.merged(Raw(its, known.get(group_id) or [])) for group_id, its in rows.items()}
        # Without a block there are rollups only if its term is over: then those grow by what is late.
        late = frozenset(group_id for group_id in whole if group_id not in known)
        samples, size = write_bucket(connection, tenant, bucket_ms, whole, late=late, at_step=at_step)
    at_step("committed")
    return Compacted(samples, size, broken)


def write_bucket(
    connection: Connection,
    tenant: TenantId,
    bucket_ms: int,
    whole: dict[int, list[Part]],
    *,
    late: frozenset[int] = frozenset(),
    at_step: Callable[[str], None] = lambda _step: None,
) -> tuple[int, int]:
    """Store all samples of groups in a bucket as blocks, and their rollups; answers samples and bytes of the blocks.

    Of the groups in `late` they may be not all: rollups that are there already are added to. The caller holds
    blocks.lock().
    """
    whole = {group_id: parts for group_id, parts in whole.items() if parts}
    packed = [blocks.pack(group_id, bucket_ms, parts) for group_id, parts in whole.items()]
    blocks.write(connection, tenant, packed)
    at_step("blocks written")
    finest = rollups.TIERS[0]
    cells = {group_id: rollups.of_samples(parts, finest) for group_id, parts in whole.items()}
    finer = finest
    for tier in rollups.TIERS:
        if tier != finest:
            start_ms, end_ms = _cells_from(bucket_ms, tier)
            cells = _coarser(connection, tenant, cells, tier, finer=finer, start_ms=start_ms, end_ms=end_ms)
        late = _write_rollups(connection, tenant, bucket_ms, cells, tier=tier, late=late)
        at_step(f"rollups of {tier} s written")
        finer = tier
    return sum(one.samples for one in packed), sum(len(one.blob) for one in packed)


def drop_empty_partitions(tenant: TenantId, before: datetime) -> int:
    """Drop the partitions of hot samples that ended before, and in which nothing is left of any tenant."""
    with tenant_connection(tenant) as connection:
        return connection.scalar(_DROP_EMPTY, {"before": before}) or 0


def _that_have_not_left(
    connection: Connection, tenant: TenantId, found: list[tuple[int, int, int]]
) -> list[tuple[int, int, int]]:
    """Without what came for pieces that are gone, or that are archived and not restored."""
    if not found:
        return []
    span = moment(found[0][0]), moment(found[-1][0] + BLOCK_MS)
    gone = departed.gone(connection, tenant, *span)
    archived = departed.archived(connection, tenant, *span) - gone
    if not gone and not archived:
        return found
    groups = sorted({group_id for _, group_id, _ in found})
    with_blocks = connection.execute(_WITH_BLOCKS, {"tenant": tenant, "groups": groups, "buckets": list(archived)})
    restored = {(row.bucket, row.group_id) for row in with_blocks}
    return [
        each
        for each in found
        if (bucket := moment(each[0])) not in gone and (bucket not in archived or (bucket, each[1]) in restored)
    ]


def _batches(found: Sequence[tuple[int, int, int]]) -> Iterator[Due]:
    groups: list[int] = []
    total = 0
    for index, (bucket_ms, group_id, rows) in enumerate(found):
        groups.append(group_id)
        total += rows
        is_last = index + 1 == len(found) or found[index + 1][0] != bucket_ms
        if is_last or total + found[index + 1][2] > BATCH_ROWS:
            yield Due(bucket_ms, tuple(groups), total)
            groups, total = [], 0


def _take(connection: Connection, tenant: TenantId, groups: Sequence[int], bucket_ms: int) -> dict[int, hot.Rows]:
    """The hot rows of a bucket, which are gone with the end of the transaction: exactly those, by one statement."""
    driver: Any = connection.connection.driver_connection
    parameters = {
        "tenant": tenant,
        "groups": list(groups),
        "start": moment(bucket_ms),
        "end": moment(bucket_ms + BLOCK_MS),
    }
    with driver.cursor(binary=True) as cursor:
        cursor.execute(_TAKE, parameters)
        return hot.by_group(cursor.fetchall(), dict.fromkeys(groups, 0))


def _write_rollups(
    connection: Connection,
    tenant: TenantId,
    bucket_ms: int,
    cells: dict[int, Cells],
    *,
    tier: int,
    late: frozenset[int],
) -> frozenset[int]:
    """Put the cells of a bucket into their rows: those that stand there for the same time go, or are added to.

    `cells` then holds what there is of the bucket. Answers the late groups of which this tier had no row, so that the
    next is to be added to.
    """
    length_ms = rollups.ROW_MS[tier]
    row_ms = bucket_ms // length_ms * length_ms
    start_ms, end_ms = _cells_from(bucket_ms, tier)
    asked = list(cells) if length_ms > BLOCK_MS else [group_id for group_id in cells if group_id in late]
    rows = dict(cells)
    if asked:
        known = rollups.read(
            connection, tenant, dict.fromkeys(asked), tier=tier, start_ms=row_ms, end_ms=row_ms + length_ms
        )
        for group_id, its in known.items():
            old = rollups.union(its)
            if group_id in late:
                cells[group_id] = rollups.added(rollups.within(old, start_ms, end_ms), cells[group_id])
                late -= {group_id}
            rows[group_id] = rollups.union([rollups.without(old, start_ms, end_ms), cells[group_id]])
    packed = [rollups.pack(group_id, row_ms, its, tier) for group_id, its in rows.items() if its.any()]
    blocks.write(connection, tenant, packed, tier=tier)
    return late


def _coarser(
    connection: Connection,
    tenant: TenantId,
    cells: dict[int, Cells],
    tier: int,
    *,
    finer: int,
    start_ms: int,
    end_ms: int,
) -> dict[int, Cells]:
    """The cells of the next tier; where one is longer than a bucket, the finer ones of its whole time are read."""
    if end_ms - start_ms > BLOCK_MS:
        found = rollups.read(connection, tenant, dict.fromkeys(cells), tier=finer, start_ms=start_ms, end_ms=end_ms)
        cells = {group_id: rollups.union(found[group_id]) for group_id in cells if group_id in found}
    return {group_id: rollups.coarser(its, tier, finer=finer) for group_id, its in cells.items() if its.any()}


def _cells_from(bucket_ms: int, tier: int) -> tuple[int, int]:
    """The time that the cells of a tier cover which a bucket has a part in."""
    length_ms = max(BLOCK_MS, tier * 1000)
    start_ms = bucket_ms // length_ms * length_ms
    return start_ms, start_ms + length_ms
