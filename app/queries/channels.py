"""Channels and deliveries as people see them: where messages go and what became of each. Secrets are never told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select

from app.auth.permissions import require
from app.domain.alerting.alert import Severity
from app.domain.tenancy import READ, Viewer
from app.errors import NotFound
from models.alerting import ChannelRow, DeliveryRow
from models.session import tenant_session

MOST: Final = 1000


@dataclass(frozen=True)
class Channel:
    """A configured notifier."""

    id: int
    name: str
    kind: str
    config: Mapping[str, Any]
    has_secret: bool
    min_severity: Severity
    send_resolved: bool
    is_enabled: bool
    created_at: datetime
    changed_at: datetime
    last_sent_at: datetime | None


@dataclass(frozen=True)
class DeliveryRecord:
    """One message to one channel: queued, sent, failed or suppressed, with the reason and the receiver's answer."""

    id: int
    channel_id: int
    channel: str
    alert_id: int
    event: str
    state: str
    reason: str
    answer: str
    attempts: int
    created_at: datetime
    due_at: datetime
    sent_at: datetime | None


def channels(viewer: Viewer) -> list[Channel]:
    """Every channel of the tenant, by name."""
    require(viewer, READ, "channels")
    with tenant_session(viewer.tenant) as session:
        sent_at = (
            select(DeliveryRow.channel_id, func.max(DeliveryRow.sent_at))
            .where(DeliveryRow.tenant_id == viewer.tenant, DeliveryRow.state == "sent")
            .group_by(DeliveryRow.channel_id)
        )
        sent = dict(session.execute(sent_at).all())
        query = select(ChannelRow).where(ChannelRow.tenant_id == viewer.tenant).order_by(ChannelRow.name)
        return [channel_of(row, sent.get(row.id)) for row in session.scalars(query)]


def channel(viewer: Viewer, channel_id: int) -> Channel:
    """One channel; raises NotFound."""
    found = next((item for item in channels(viewer) if item.id == channel_id), None)
    if found is None:
        raise NotFound(f"There is no channel {channel_id}.")
    return found


def deliveries(
    viewer: Viewer, *, alert_id: int | None = None, channel_id: int | None = None, limit: int = 200
) -> list[DeliveryRecord]:
    """Why somebody was (not) told: the messages of an alert, of a channel, or of all, newest first."""
    require(viewer, READ, "alerts")
    query = (
        select(DeliveryRow, ChannelRow.name)
        .join(ChannelRow, ChannelRow.id == DeliveryRow.channel_id)
        .where(DeliveryRow.tenant_id == viewer.tenant)
        .order_by(DeliveryRow.id.desc())
        .limit(min(limit, MOST))
    )
    if alert_id is not None:
        query = query.where(DeliveryRow.alert_id == alert_id)
    if channel_id is not None:
        query = query.where(DeliveryRow.channel_id == channel_id)
    with tenant_session(viewer.tenant) as session:
        return [_record_of(row, name) for row, name in session.execute(query)]


def channel_of(row: ChannelRow, last_sent_at: datetime | None) -> Channel:
    """The domain's channel of a row."""
    return Channel(
        id=row.id,
        name=row.name,
        kind=row.kind,
        config=row.config,
        has_secret=row.sealed_secret is not None,
        min_severity=Severity(row.min_severity),
        send_resolved=row.send_resolved,
        is_enabled=row.is_enabled,
        created_at=row.created_at,
        changed_at=row.changed_at,
        last_sent_at=last_sent_at,
    )


def _record_of(row: DeliveryRow, channel_name: str) -> DeliveryRecord:
    return DeliveryRecord(
        id=row.id,
        channel_id=row.channel_id,
        channel=channel_name,
        alert_id=row.alert_id,
        event=row.event,
        state=row.state,
        reason=row.reason,
        answer=row.answer,
        attempts=row.attempts,
        created_at=row.created_at,
        due_at=row.due_at,
        sent_at=row.sent_at,
    )
