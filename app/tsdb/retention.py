"""How long each tenant keeps each resolution: what would go by other terms, and the going.

Raw samples go in pieces of six hours, and (unless the tenant wants no archive) only after a verified copy was listed.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import text

from app.domain.retention import TIERS, Going, Held, Terms
from app.domain.tenancy import TenantId
from app.errors import NotFound, Unavailable, WatchfloorError
from app.tsdb import archive, blocks, compact, departed, late
from app.tsdb.blocks import BLOCK_MS
from app.tsdb.turns import PATIENCE_S, NotOurTurn, turn_of
from models.session import platform_session, tenant_connection, writer_connection

log = logging.getLogger(__name__)

AHEAD: Final = timedelta(days=2)
STEP: Final = timedelta(hours=6)
REJECTED_DAYS: Final = 30
# Pieces of six hours that one run takes from a tenant: the first run after terms were shortened must end, too.
MOST_PIECES: Final = 120

_TERMS = text(
    "select id, raw_retention_days as raw, retention_5m_days as five_minutes, retention_1h_days as hour,"
    " retention_1d_days as day, archive_days as archive, accept_from as keep_from from tenants"
    " where cast(:tenant as int) is null or id = :tenant"
)
_MAKE = text("select watchfloor_make_partitions(cast(:moments as timestamptz[]))")
_DROP_EMPTY = text("select watchfloor_drop_empty_partitions(:before)")
_DELETE_REJECTED = text("delete from rejected_samples where tenant_id = :tenant and at < :before")

# A piece is six hours, open on the left; one that is not over at `before` stays whole.
_PIECE: Final = "to_timestamp(floor((extract(epoch from ts) - 0.001) / 21600) * 21600)"
_PIECES = text(
    f"select bucket from (select distinct {_PIECE} as bucket from sample_hot"  # noqa: S608  constants
    " where tenant_id = :tenant and ts <= :before"
    " union select distinct bucket from sample_blocks where tenant_id = :tenant and bucket < :before) pieces"
    " where bucket + interval '6 hours' <= :before and bucket <> all(cast(:kept as timestamptz[]))"
    " order by 1 limit :limit"
)
_DELETE_PIECE = (
    text("delete from sample_blocks where tenant_id = :tenant and bucket = :bucket"),
    text("delete from sample_hot where tenant_id = :tenant and ts > :bucket and ts <= :end"),
)
_ROLLED: Final = "tenant_id = :tenant and tier = :tier and bucket < :before and last_ts <= :before"
_DELETE_ROLLED = text(f"delete from sample_rollups where {_ROLLED}")  # noqa: S608  constants

_SUMS: Final = (
    "count(*) as rows, coalesce(sum(samples), 0)::bigint as samples, coalesce(sum(bytes), 0)::bigint as bytes,"
    " min(first) as first, max(last) as last"
)
_GROUPS = text("select id, slots from series_groups where tenant_id = :tenant")
_RAW = text(
    f"select {_SUMS} from ("  # noqa: S608  constants
    # A dense row has a place for each series of its group, which may be empty, and is padded beyond them.
    "select case when h.slots is null then least(octet_length(vals) / 8, g.slots) else octet_length(h.slots) end"
    " as samples, pg_column_size(vals) + 60 as bytes, ts as first, ts as last"
    " from unnest(cast(:groups as int[]), cast(:slots as int[])) as g(id, slots)"
    " join sample_hot h on h.group_id = g.id where h.tenant_id = :tenant"
    f" and ts <= :before and {_PIECE} + interval '6 hours' <= :before union all "
    "select samples, pg_column_size(blob) + 90, first_ts, last_ts from sample_blocks where tenant_id = :tenant"
    " and bucket + interval '6 hours' <= :before) found"
)
_ROLLED_UP = text(
    f"select {_SUMS} from (select samples, pg_column_size(blob) + 94 as bytes,"  # noqa: S608  constants
    f" first_ts as first, last_ts as last from sample_rollups where {_ROLLED}) found"
)
_ARCHIVED = text(
    f"select {_SUMS} from (select samples, bytes, first_ts as first, last_ts as last"  # noqa: S608  constants
    " from archives where tenant_id = :tenant and bucket < :before) found"
)


@dataclass(frozen=True)
class Retained:
    """What a run of retention did: pieces of raw samples archived and gone, rows deleted, partitions dropped."""

    archived: int = 0
    deleted: int = 0
    dropped: int = 0


def make_partitions(now: datetime) -> int:
    """Make the partitions that samples of the coming days will need; answers how many were missing."""
    count = AHEAD // STEP + 1
    with writer_connection() as connection:
        return connection.scalar(_MAKE, {"moments": [now + step * STEP for step in range(count)]}) or 0


def terms_of(tenant: TenantId) -> Terms:
    """The terms of a tenant; raises NotFound."""
    for owner, terms in _terms(tenant):
        if owner == tenant:
            return terms
    raise NotFound("There is no such tenant.")


def held(tenant: TenantId, now: datetime) -> list[Held]:
    """What is stored of each resolution, and of the archive."""
    return [Held(**vars(going)) for going in preview(tenant, Terms.nothing(), now)]


def preview(tenant: TenantId, terms: Terms, now: datetime) -> list[Going]:
    """What a run of retention by these terms would take now: one entry for each tier, and "archive"."""
    found = []
    with tenant_connection(tenant) as connection:
        groups = connection.execute(_GROUPS, {"tenant": tenant}).all()
        sizes = {"groups": [row.id for row in groups], "slots": [row.slots for row in groups]}
        for name, seconds in TIERS.items():
            parameters = {"tenant": tenant, "tier": seconds, "before": terms.before(name, now), **sizes}
            query = _ARCHIVED if name == "archive" else _ROLLED_UP if seconds else _RAW
            row = connection.execute(query, parameters).one()
            found.append(Going(name, row.rows, row.samples, row.bytes, row.first, row.last))
    return found


def drop_expired(now: datetime) -> Retained:
    """Apply every tenant's terms. What cannot be archived now stays, and is tried again in the next run."""
    everyone = _terms(None)
    done = [_apply_in_turn(tenant, terms, now) for tenant, terms in everyone]
    oldest = min((terms.before("raw", now) for _, terms in everyone), default=now)
    dropped = 0
    for tenant, _ in everyone[:1]:  # partitions belong to all, so any tenant's session may drop them
        with tenant_connection(tenant) as connection:
            dropped = connection.scalar(_DROP_EMPTY, {"before": max(oldest, now - timedelta(days=1))}) or 0
    return Retained(sum(each.archived for each in done), sum(each.deleted for each in done), dropped)


def apply_terms(tenant: TenantId, now: datetime) -> Retained:
    """Apply the terms of one tenant now; raises NotOurTurn while its storage is being worked at."""
    terms = terms_of(tenant)
    with turn_of(tenant, wait_s=PATIENCE_S):
        return _apply(tenant, terms, now)


def _apply_in_turn(tenant: TenantId, terms: Terms, now: datetime) -> Retained:
    try:
        with turn_of(tenant, wait_s=PATIENCE_S):
            return _apply(tenant, terms, now)
    except NotOurTurn:
        log.info("terms are applied in the next run", extra={"tenant": tenant})
        return Retained()


def _apply(tenant: TenantId, terms: Terms, now: datetime) -> Retained:
    archived, deleted = _retire_raw(tenant, terms, now)
    with tenant_connection(tenant) as connection:
        for name, seconds in TIERS.items():
            if seconds:
                parameters = {"tenant": tenant, "tier": seconds, "before": terms.before(name, now)}
                deleted += connection.execute(_DELETE_ROLLED, parameters).rowcount
        late.forget(connection, tenant, before=terms.before("1d", now))
        connection.execute(_DELETE_REJECTED, {"tenant": tenant, "before": now - timedelta(days=REJECTED_DAYS)})
    try:
        deleted += archive.drop_expired(tenant, before=terms.before("archive", now)) if terms.archive else 0
    except Unavailable as error:
        log.error("old archives stay: %s", error, extra={"tenant": tenant})
    return Retained(archived, deleted)


def _retire_raw(tenant: TenantId, terms: Terms, now: datetime) -> tuple[int, int]:
    """Raw samples past their term: pieces archived, and rows deleted without a copy."""
    archived = deleted = 0
    before = terms.before("raw", now)
    try:
        late.settle(tenant, now, most=MOST_PIECES)
        _roll_up(tenant, before=before, now=now)
        for bucket in _pieces(tenant, before, now):
            if terms.archive:
                archived += archive.retire(tenant, bucket)
            else:
                deleted += _delete_piece(tenant, bucket)
    except WatchfloorError as error:
        log.error("not archived, so it stays: %s", error, extra={"tenant": tenant})
    return archived, deleted


def _roll_up(tenant: TenantId, *, before: datetime, now: datetime) -> None:
    """See that the coarser tiers have all of what goes: hot rows past the term become blocks and rollups first."""
    for due in compact.due(tenant, int(now.timestamp() * 1000)):
        if due.bucket_ms + BLOCK_MS <= before.timestamp() * 1000:
            compact.compact_bucket(tenant, due.bucket_ms, due.groups)


def _pieces(tenant: TenantId, before: datetime, now: datetime) -> Sequence[datetime]:
    with tenant_connection(tenant) as connection:
        kept = list(departed.kept(connection, tenant, now))
        parameters: dict[str, Any] = {"tenant": tenant, "before": before, "kept": kept, "limit": MOST_PIECES}
        return connection.scalars(_PIECES, parameters).all()


def _delete_piece(tenant: TenantId, bucket: datetime) -> int:
    parameters = {"tenant": tenant, "bucket": bucket, "end": bucket + STEP}
    with tenant_connection(tenant) as connection:
        blocks.lock(connection, tenant)  # what is being compacted is in one table, or in the other
        deleted = sum(connection.execute(statement, parameters).rowcount for statement in _DELETE_PIECE)
        archive.mark_gone(connection, tenant, bucket)
    return deleted


def _terms(tenant: TenantId | None) -> list[tuple[TenantId, Terms]]:
    with platform_session() as session:
        rows = session.execute(_TERMS, {"tenant": tenant}).mappings().all()
    return [
        (TenantId(row["id"]), Terms(**{name: value for name, value in row.items() if name != "id"})) for row in rows
    ]
