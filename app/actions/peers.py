"""Comparing the devices of each role, and keeping what was found as anomalies of their series."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from sqlalchemy import Connection, select

from app.domain.anomaly.base import View
from app.domain.anomaly.peers import COMPARED, LEAST_PEERS, Ratio, compare
from app.domain.labels import METRIC, Labels, Matcher, MatchOp, value_of
from app.domain.samples import Float64s
from app.domain.tenancy import TenantId
from app.tsdb import found_anomalies, hourly
from app.tsdb.found_anomalies import Point, Source
from app.tsdb.hourly import HOUR_MS, Hours
from app.tsdb.selection import select_series
from models.inventory import DeviceRow
from models.session import tenant_connection, tenant_session

LOOKED_AT_MS: Final = 6 * HOUR_MS
# What came less than this before now may still be on its way to the store.
SETTLE_MS: Final = 120_000
# A device that is unlike its peers for days is one anomaly.
MERGE_MS: Final = 3 * HOUR_MS
# Labels that say where a series is measured, not what it is.
_PLACES: Final = frozenset({METRIC, "device", "site", "role", "instance"})


@dataclass(frozen=True)
class _Member:
    """One device's series among those that are compared: where it stands, and its values (t,)."""

    labels: Labels
    group_id: int
    slot: int
    values: Float64s


def compare_peers(tenant: TenantId, *, now_ms: int) -> int:
    """Look at the last full hours of every role; answers how many series are unlike their peers."""
    end_ms = (now_ms - SETTLE_MS) // HOUR_MS * HOUR_MS
    points: list[Point] = []
    with tenant_connection(tenant) as connection:
        roles = _roles(connection, tenant)
        for ratio in COMPARED:
            for members in _peers(connection, tenant, ratio, roles, end_ms):
                points += _apart(members, end_ms)
    with tenant_session(tenant) as session:
        found_anomalies.write(session, tenant, points, source=Source.PEERS, merge_ms=MERGE_MS)
    return len(points)


def _roles(connection: Connection, tenant: TenantId) -> dict[str, str]:
    """The role of each device that is watched and has one."""
    query = select(DeviceRow.name, DeviceRow.role).where(
        DeviceRow.tenant_id == tenant, DeviceRow.state == "active", DeviceRow.role != ""
    )
    return {row.name: row.role for row in connection.execute(query)}


def _peers(
    connection: Connection, tenant: TenantId, ratio: Ratio, roles: Mapping[str, str], end_ms: int
) -> Iterator[list[_Member]]:
    """Series that are the same thing of devices of one role."""
    hours = _hours(connection, tenant, ratio.metric, end_ms)
    whole = _hours(connection, tenant, ratio.of, end_ms) if ratio.of else None
    sizes = (
        {} if whole is None else {_name(labels): its for labels, its in zip(whole.labels, whole.values, strict=True)}
    )
    found: dict[tuple[str, Labels], list[_Member]] = defaultdict(list)
    for at, labels in enumerate(hours.labels):
        role = roles.get(value_of(labels, "device"))
        if role is None:
            continue
        values = hours.values[at]
        if ratio.of:
            size = sizes.get(_name(labels))
            if size is None:
                continue
            values = values / np.where(size > 0, size, np.nan)
        thing = tuple(pair for pair in labels if pair[0] not in _PLACES)
        found[role, thing].append(_Member(labels, int(hours.groups[at]), int(hours.slots[at]), values))
    for members in found.values():
        if len(members) >= LEAST_PEERS:
            yield members


def _hours(connection: Connection, tenant: TenantId, metric: str, end_ms: int) -> Hours:
    groups = select_series(connection, tenant, (Matcher(METRIC, MatchOp.EQUAL, metric),))
    return hourly.read(connection, tenant, groups, start_ms=end_ms - LOOKED_AT_MS, end_ms=end_ms)


def _name(labels: Labels) -> Labels:
    """What is left of labels without the metric: the same for a part and its whole."""
    return tuple(pair for pair in labels if pair[0] != METRIC)


def _apart(members: list[_Member], end_ms: int) -> Iterator[Point]:
    """A point for each that is further from its peers than the boundary."""
    found = compare(np.stack([member.values for member in members]))
    for at, member in enumerate(members):
        if found.score[at] >= 1.0:
            yield Point(
                group_id=member.group_id,
                slot=member.slot,
                labels=member.labels,
                ts_ms=end_ms,
                score=float(found.score[at]),
                value=float(member.values[-1]),
                is_rate=False,
                expected_lo=float(found.expected_lo[at]),
                expected_hi=float(found.expected_hi[at]),
                nearest=float(found.nearest[at]),
                view=View.PEERS,
            )
