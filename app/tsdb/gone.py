"""Series of which nothing is left leave the catalogue, so that samples that come just then lose nothing.

A series is marked first, and the tenant's fence is moved: from then on nobody can append samples under places that were
asked for before. Who asks anew registers the series, and is given its old place: that unmarks it. When what was
appended before is stored, the series that are still marked and still have no sample go. Their places are never given
to others. A process may be killed at any step: a mark alone changes nothing for who reads or writes, and the next run
goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from app import clock
from app.domain.samples import is_absent
from app.domain.tenancy import TenantId
from app.tsdb import blocks, catalog, dead_letters, raw
from app.tsdb.codec import Part
from app.tsdb.selection import Group
from app.tsdb.turns import PATIENCE_S, NotOurTurn, turn_of
from models.session import tenant_connection

log = logging.getLogger(__name__)

Slots = NDArray[np.intp]
Places = Mapping[int, Slots]

# A series this young may have its first samples on their way still.
YOUNG: Final = timedelta(days=1)
# How long what was appended may take to be stored; else the next run deletes.
DRAINED_WITHIN_S: Final = 60.0
LOOK_EVERY_S: Final = 0.2
# Groups of one transaction: bounds how long a registration waits.
GROUPS_AT_ONCE: Final = 20
_ALWAYS: Final = 2**45

# Those of which a bit is there had a sample in the last hours: nothing needs to be read to know that they stay.
_QUIET = text("""
    select s.group_id, array_agg(s.slot) as slots from series s
    left join (select group_id, bit_or(slots) as slots from series_active where tenant_id = :tenant group by group_id) a
        on a.group_id = s.group_id
    where s.tenant_id = :tenant and s.created_at < :before and coalesce(get_bit(a.slots, s.slot), 0) = 0
    group by s.group_id order by s.group_id
""")
_LOCK = text("select pg_advisory_xact_lock(hashtext('watchfloor series'), :tenant)")
_OF_PLACES: Final = (
    "unnest(cast(:groups as int[]), cast(:slots as int[])) as p(group_id, slot)"
    " where s.tenant_id = :tenant and s.group_id = p.group_id and s.slot = p.slot"
)
_MARK = text(f"update series s set retired_at = :now from {_OF_PLACES} and retired_at is null")  # noqa: S608  constants
_UNMARK = text(f"update series s set retired_at = null from {_OF_PLACES}")  # noqa: S608  constants
# Uses series_retired_idx.
_MARKED = text(
    "select group_id, array_agg(slot) as slots from series"
    " where tenant_id = :tenant and retired_at is not null group by group_id order by group_id"
)
_MARKED_AMONG = text(
    "select group_id, array_agg(slot) as slots from series where tenant_id = :tenant and retired_at is not null"
    " and group_id = any(cast(:groups as int[])) group by group_id"
)
_DELETE = text(f"delete from series s using {_OF_PLACES}")  # noqa: S608  constants
_DELETE_GROUPS = text(
    "delete from series_groups g where g.tenant_id = :tenant and g.id = any(cast(:groups as int[]))"
    " and not exists (select from series s where s.group_id = g.id) returning g.id"
)
# What hangs on a group and not on samples. Anomalies and their verdicts stay: they carry their labels.
_HANGS_ON = tuple(
    text(f"delete from {table} where tenant_id = :tenant and group_id = any(cast(:groups as int[]))")  # noqa: S608  the four below
    for table in ("detector_states", "anomaly_scores", "forecasts", "series_active")
)
_NOTE = text("insert into series_purges (tenant_id, series, groups) values (:tenant, :series, :groups)")
# Of one group, where most is found first: what its samples left in each tier, the newest first.
_PACKED = text("""
    select tier, bucket, version, checksum, blob from (
        select tier, bucket, version, checksum, blob from sample_rollups
        where tenant_id = :tenant and group_id = :group
        union all
        select 0, bucket, version, checksum, blob from sample_blocks where tenant_id = :tenant and group_id = :group
    ) packed order by tier desc, bucket desc
""")


@dataclass(frozen=True)
class Purged:
    """What a run did. `waits`: series that are marked and stay until the next run."""

    series: int = 0
    groups: int = 0
    waits: int = 0


def purge(tenant: TenantId, now: datetime) -> Purged:
    """Take the series of which nothing is left out of the catalogue of a tenant."""
    try:
        with turn_of(tenant, wait_s=PATIENCE_S):
            *_, done = purge_steps(tenant, now)
    except NotOurTurn:
        log.info("series are looked at in the next run", extra={"tenant": tenant})
        return Purged()
    assert isinstance(done, Purged)
    return done


def purge_steps(tenant: TenantId, now: datetime, *, wait_s: float = DRAINED_WITHIN_S) -> Iterator[str | Purged]:
    """The same step by step, and at last what was done. The caller has the tenant's turn."""
    _mark(tenant, now)
    yield "marked"
    with tenant_connection(tenant) as connection:
        marked = _by_group(connection.execute(_MARKED, {"tenant": tenant}))
    if not marked:
        yield Purged()
        return
    catalog.move_fence(tenant)
    yield "fenced"
    waiting = dead_letters.newest_waiting()
    end_s = clock.monotonic_s() + wait_s
    while not (is_stored := dead_letters.are_stored(waiting)) and clock.monotonic_s() < end_s:
        Event().wait(LOOK_EVERY_S)
    if not is_stored:
        yield Purged(waits=_size(marked))
        return
    yield "stored"
    buried = _places(dead_letters.places(tenant))
    series = groups = 0
    for some in _some(marked):
        gone, emptied = _delete(tenant, some, buried)
        series, groups = series + gone, groups + emptied
        yield "deleted"
    yield Purged(series, groups)


def _mark(tenant: TenantId, now: datetime) -> None:
    """Mark the series that have no sample anywhere, and unmark those that got one since they were marked."""
    with tenant_connection(tenant) as connection:
        quiet = _by_group(connection.execute(_QUIET, {"tenant": tenant, "before": now - YOUNG}))
        marked = _by_group(connection.execute(_MARKED, {"tenant": tenant}))
    for some in _some(quiet.keys() | marked.keys()):
        with tenant_connection(tenant) as connection:
            empty = without_samples(connection, tenant, {group: quiet[group] for group in some if group in quiet})
        back = {group: np.setdiff1d(marked[group], empty.get(group, ())) for group in some if group in marked}
        with tenant_connection(tenant) as connection:
            connection.execute(_LOCK, {"tenant": tenant})
            _change(connection, tenant, _UNMARK, back)
            _change(connection, tenant, _MARK, empty, now=now)


def _delete(tenant: TenantId, groups: Sequence[int], buried: Places) -> tuple[int, int]:
    """Delete what is marked in these groups and still has no sample; answers how many series and groups."""
    with tenant_connection(tenant) as connection:
        blocks.lock(connection, tenant)  # no sample moves from one table to another meanwhile
        connection.execute(_LOCK, {"tenant": tenant})
        marked = _by_group(connection.execute(_MARKED_AMONG, {"tenant": tenant, "groups": list(groups)}))
        empty = without_samples(connection, tenant, marked)
        gone = {group: np.setdiff1d(slots, buried.get(group, ())) for group, slots in empty.items()}
        stay = {group: np.setdiff1d(slots, gone.get(group, ())) for group, slots in marked.items()}
        _change(connection, tenant, _UNMARK, stay)
        _change(connection, tenant, _DELETE, gone)
        touched = {"tenant": tenant, "groups": [group for group, slots in gone.items() if len(slots)]}
        emptied = connection.scalars(_DELETE_GROUPS, touched).all()
        if not touched["groups"]:
            return 0, 0
        for statement in _HANGS_ON:
            connection.execute(statement, {"tenant": tenant, "groups": list(emptied)})
        connection.execute(_NOTE, {"tenant": tenant, "series": _size(gone), "groups": len(emptied)})
    return _size(gone), len(emptied)


def without_samples(connection: Connection, tenant: TenantId, wanted: Places) -> dict[int, Slots]:
    """Those of some slots, by group, that have a sample in no tier. A block that cannot be read may hold any."""
    found = {}
    for group_id, slots in wanted.items():
        left = _not_packed(connection, tenant, group_id, np.unique(slots))
        if len(left):
            left = _not_hot(connection, tenant, group_id, left)
        if len(left):
            found[group_id] = left
    return found


def _not_packed(connection: Connection, tenant: TenantId, group_id: int, left: Slots) -> Slots:
    """Those that are in no rollup and in no block."""
    nothing = left[:0]
    with connection.execute(
        _PACKED, {"tenant": tenant, "group": group_id}, execution_options={"yield_per": 4}
    ) as packed:
        for row in packed:
            name = blocks.name_of(group_id, int(row.bucket.timestamp() * 1000), version=row.version, tier=row.tier)
            # Of a rollup's columns those of the first statistic, the count, are numbered as the slots are.
            parts = blocks.open_or_report(row.blob, checksum=row.checksum, slots=left, name=name, tenant=tenant)
            if parts is None:
                return nothing
            left = np.setdiff1d(left, _present(parts))
            if not len(left):
                return nothing
    return left


def _not_hot(connection: Connection, tenant: TenantId, group_id: int, left: Slots) -> Slots:
    """Those that are in no hot row."""
    group = Group(group_id, left, tuple(() for _ in left))
    found = raw.fetch(connection, tenant, [group], start_ms=-_ALWAYS, end_ms=_ALWAYS).get(group_id)
    return left if found is None else np.setdiff1d(left, _present(raw.merged(found)))


def _present(parts: Sequence[Part]) -> Slots:
    there = [part.slots[(~is_absent(part.values)).any(axis=0)] for part in parts]
    return np.concatenate(there) if there else np.empty(0, dtype=np.intp)


def _change(connection: Connection, tenant: TenantId, statement: Any, places: Places, **more: object) -> None:
    groups = [group for group, slots in places.items() for _ in range(len(slots))]
    if groups:
        slots = [slot for its in places.values() for slot in its.tolist()]
        connection.execute(statement, {"tenant": tenant, "groups": groups, "slots": slots, **more})


def _some(groups: Iterable[int]) -> Iterator[list[int]]:
    ordered = sorted(groups)
    return (ordered[first : first + GROUPS_AT_ONCE] for first in range(0, len(ordered), GROUPS_AT_ONCE))


def _by_group(rows: Any) -> dict[int, Slots]:
    return {row.group_id: np.array(row.slots, dtype=np.intp) for row in rows}


def _places(places: NDArray[np.int64]) -> dict[int, Slots]:
    groups = places >> catalog.SLOTS_BITS
    return {group: (places[groups == group] & 0xFF).astype(np.intp) for group in np.unique(groups).tolist()}


def _size(places: Places) -> int:
    return sum(len(slots) for slots in places.values())
