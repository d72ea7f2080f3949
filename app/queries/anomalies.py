"""Anomalies as people and programs ask for them: the newest first, by series, device, time and score."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, tuple_

from app.auth.permissions import require
from app.domain.anomaly.base import View
from app.domain.anomaly.found import Anomaly
from app.domain.tenancy import READ, Viewer
from app.errors import NotFound
from models.anomalies import AnomalyRow
from models.session import tenant_session

NOUN = "anomalies"


@dataclass(frozen=True)
class AnomalyFilter:
    """Which anomalies; an empty field does not matter. Those count that lie in [since, until) with any part."""

    metric: str = ""
    device: str = ""
    interface: str = ""
    least_score: float = 1.0
    since: datetime | None = None
    until: datetime | None = None


def anomalies(
    viewer: Viewer,
    wanted: AnomalyFilter = AnomalyFilter(),
    *,
    before: tuple[datetime, int] | None = None,
    limit: int = 100,
) -> list[Anomaly]:
    """The newest first, at most `limit` of those that began before the one of that start and id."""
    require(viewer, READ, NOUN)
    # Uses anomalies_recent_idx backwards, or anomalies_device_idx.
    query = select(AnomalyRow).where(AnomalyRow.tenant_id == viewer.tenant, AnomalyRow.score >= wanted.least_score)
    equal = (
        (AnomalyRow.metric, wanted.metric),
        (AnomalyRow.device_name, wanted.device),
        (AnomalyRow.interface_name, wanted.interface),
    )
    for column, value in equal:
        if value:
            query = query.where(column == value)
    if wanted.since is not None:
        query = query.where(AnomalyRow.last_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(AnomalyRow.started_at < wanted.until)
    if before is not None:
        query = query.where(tuple_(AnomalyRow.started_at, AnomalyRow.id) < before)
    with tenant_session(viewer.tenant) as session:
        rows = session.scalars(query.order_by(AnomalyRow.started_at.desc(), AnomalyRow.id.desc()).limit(limit))
        return [anomaly_of(row) for row in rows]


def anomaly(viewer: Viewer, anomaly_id: int) -> Anomaly:
    """One of them; raises NotFound."""
    require(viewer, READ, NOUN)
    query = select(AnomalyRow).where(AnomalyRow.tenant_id == viewer.tenant, AnomalyRow.id == anomaly_id)
    with tenant_session(viewer.tenant) as session:
        row = session.scalar(query)
        if row is None:
            raise NotFound(f"There is no anomaly {anomaly_id}.")
        return anomaly_of(row)


def anomaly_of(row: AnomalyRow) -> Anomaly:
    """The domain's anomaly of a row."""
    view = View(row.view)
    return Anomaly(
        id=row.id,
        metric=row.metric,
        labels=row.labels,
        device=row.device_name,
        interface=row.interface_name,
        started_at=row.started_at,
        last_at=row.last_at,
        peak_at=row.peak_at,
        score=row.score,
        value=row.value,
        is_rate=row.is_rate,
        expected_lo=row.expected_lo,
        expected_hi=row.expected_hi,
        nearest=row.nearest,
        view=view.name.lower(),
        why=view.sentence,
        points=row.points,
    )
