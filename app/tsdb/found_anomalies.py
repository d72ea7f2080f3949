"""Unusual points become anomalies: those of one series that are near each other in time are one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from app.domain.labels import METRIC, Labels
from app.domain.tenancy import TenantId
from app.tsdb.blocks import moment
from models.anomalies import AnomalyRow

# Points nearer than this are one anomaly.
MERGE_MS: Final = 1_800_000
_AT_ONCE: Final = 5_000


class Source(StrEnum):
    """Who found an anomaly."""

    SERIES = "series"  # a look at the series alone
    PEERS = "peers"  # the devices of a role side by side


@dataclass(frozen=True)
class Point:
    """One unusual point of one series; the score is on the one scale, `value` of a counter its rate per second."""

    group_id: int
    slot: int
    labels: Labels
    ts_ms: int
    score: float
    value: float
    is_rate: bool
    expected_lo: float | None
    expected_hi: float | None
    nearest: float | None
    view: int


def write(
    session: Session,
    tenant: TenantId,
    points: Sequence[Point],
    *,
    source: Source = Source.SERIES,
    merge_ms: int = MERGE_MS,
) -> None:
    """Add points, in order of time for each series; one that is there already changes nothing."""
    open_now = _newest(session, tenant, points, source, merge_ms)
    for point in points:
        at = moment(point.ts_ms)
        row = open_now.get((point.group_id, point.slot))
        if row is None or point.ts_ms - row.last_at.timestamp() * 1000 > merge_ms:
            row = _begun(tenant, point, source)
            session.add(row)
            open_now[point.group_id, point.slot] = row
        elif at > row.last_at:
            row.last_at, row.points = at, row.points + 1
            if point.score > row.score:
                _peak(row, point)
    session.flush()


def _newest(
    session: Session, tenant: TenantId, points: Sequence[Point], source: Source, merge_ms: int
) -> dict[tuple[int, int], AnomalyRow]:
    """The newest anomaly of each of the series that may go on."""
    if not points:
        return {}
    since = moment(min(point.ts_ms for point in points) - merge_ms)
    series = sorted({(point.group_id, point.slot) for point in points})
    found: dict[tuple[int, int], AnomalyRow] = {}
    for first in range(0, len(series), _AT_ONCE):
        # Uses anomalies_series_key.
        query = (
            select(AnomalyRow)
            .where(
                AnomalyRow.tenant_id == tenant,
                tuple_(AnomalyRow.group_id, AnomalyRow.slot).in_(series[first : first + _AT_ONCE]),
                AnomalyRow.source == source,
                AnomalyRow.last_at >= since,
            )
            .order_by(AnomalyRow.started_at)
        )
        found |= {(row.group_id, row.slot): row for row in session.scalars(query)}
    return found


def _begun(tenant: TenantId, point: Point, source: Source) -> AnomalyRow:
    labels = dict(point.labels)
    row = AnomalyRow(
        tenant_id=tenant,
        group_id=point.group_id,
        slot=point.slot,
        source=source,
        metric=labels.get(METRIC, ""),
        labels=labels,
        device_name=labels.get("device", ""),
        interface_name=labels.get("ifName", ""),
        started_at=moment(point.ts_ms),
        last_at=moment(point.ts_ms),
        points=1,
    )
    _peak(row, point)
    return row


def _peak(row: AnomalyRow, point: Point) -> None:
    row.peak_at, row.score, row.value, row.is_rate = moment(point.ts_ms), point.score, point.value, point.is_rate
    row.expected_lo, row.expected_hi = point.expected_lo, point.expected_hi
    row.nearest, row.view = point.nearest, point.view
