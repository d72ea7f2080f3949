"""What training leaves out of a tenant's past: incidents, maintenance, and what people marked as expected."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Text, cast, or_, select
from sqlalchemy.orm import Session

from app.clock import utc_now
from app.domain.inventory import DeviceState
from app.domain.mlmodels.exclusion import Exclusion, Kind
from app.domain.tenancy import TenantId
from models.alerting import AlertRow
from models.audit import AuditRow
from models.feedback import FeedbackMarkRow
from models.inventory import DeviceRow
from models.session import tenant_session

EXPECTED = "expected"


def exclusions(tenant: TenantId, start: datetime, end: datetime) -> list[Exclusion]:
    """The stretches of [start, end) that are left out, the earliest first.

    An incident is an alert that fired, with its device, or its interface where it names one; one that people marked as
    real is kept, for it is what the network does. A mark that was undone does not count.
    """
    with tenant_session(tenant) as session:
        marks = session.scalars(
            select(FeedbackMarkRow).where(
                FeedbackMarkRow.tenant_id == tenant,
                FeedbackMarkRow.undone_at.is_(None),
                FeedbackMarkRow.start_at < end,
                FeedbackMarkRow.end_at >= start,
            )
        ).all()
        kept = {mark.alert_id for mark in marks if mark.verdict != EXPECTED and mark.alert_id is not None}
        found = [_marked(mark) for mark in marks if mark.verdict == EXPECTED]
        found += [_incident(row) for row in _alerts(session, tenant, start, end) if row.id not in kept]
        found += [its for its in _maintenance(session, tenant, end) if its.end >= start]
    return sorted(found, key=lambda its: its.start)


def _alerts(session: Session, tenant: TenantId, start: datetime, end: datetime) -> list[AlertRow]:
    # Uses alerts_recent_idx.
    query = select(AlertRow).where(
        AlertRow.tenant_id == tenant,
        AlertRow.fired_at < end,
        or_(AlertRow.resolved_at.is_(None), AlertRow.resolved_at >= start),
        AlertRow.device_name != "",
    )
    return list(session.scalars(query))


def _maintenance(session: Session, tenant: TenantId, end: datetime) -> list[Exclusion]:
    """When devices were in maintenance, as the audit log has it; of a device that is gone nothing is told."""
    query = (
        select(AuditRow.at, AuditRow.before, AuditRow.after, DeviceRow.name)
        .join(DeviceRow, AuditRow.object_id == cast(DeviceRow.id, Text))
        .where(
            AuditRow.tenant_id == tenant,
            DeviceRow.tenant_id == tenant,
            AuditRow.noun == "devices",
            AuditRow.after.has_key("state"),
            AuditRow.at < end,
        )
        .order_by(AuditRow.id)
    )
    found: list[Exclusion] = []
    since: dict[str, datetime] = {}
    for at, before, after, device in session.execute(query):
        if (after or {}).get("state") == DeviceState.MAINTENANCE:
            since.setdefault(device, at)
        elif (before or {}).get("state") == DeviceState.MAINTENANCE and device in since:
            found.append(Exclusion(Kind.MAINTENANCE, {"device": device}, since.pop(device), at))
    return found + [Exclusion(Kind.MAINTENANCE, {"device": device}, at, utc_now()) for device, at in since.items()]


def _incident(row: AlertRow) -> Exclusion:
    labels = {"device": row.device_name}
    if row.interface_name:
        labels["ifName"] = row.interface_name
    began = min(row.active_at, row.fired_at or row.active_at)
    return Exclusion(Kind.INCIDENT, labels, began, row.resolved_at or utc_now(), row.name)


def _marked(mark: FeedbackMarkRow) -> Exclusion:
    labels = {str(name): str(value) for name, value in mark.labels.items()}
    return Exclusion(Kind.EXPECTED, labels, mark.start_at, mark.end_at, mark.note)
