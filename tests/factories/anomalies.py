"""Anomalies as detection stores them."""

from __future__ import annotations

from app.domain.anomaly.base import View
from app.domain.labels import labels_of
from app.domain.tenancy import TenantId
from app.tsdb import found_anomalies
from app.tsdb.found_anomalies import Point
from models.session import tenant_session


def found_point(
    ts_ms: int,
    score: float = 1.5,
    *,
    device: str = "core-1",
    interface: str = "xe-0",
    metric: str = "ifHCInOctets",
    slot: int = 1,
    view: View = View.VALUE,
) -> Point:
    """An unusual point of 10 MB/s where 0.9 to 1.1 were expected."""
    labels = labels_of({"__name__": metric, "device": device, "ifName": interface})
    return Point(1, slot, labels, ts_ms, score, 1e7, True, 9e5, 1.1e6, 1.1e6, view)


def found(tenant: TenantId, *points: Point) -> None:
    """Store points; those near each other become one anomaly."""
    with tenant_session(tenant) as session:
        found_anomalies.write(session, tenant, points)
