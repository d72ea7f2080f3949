"""Events as people and programs ask for them: the newest first, by time, kind, device and text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select, tuple_

from app.auth.permissions import require
from app.domain.events import StoredEvent
from app.domain.tenancy import READ, Viewer
from app.domain.timerange import Window
from models.events import EventRow
from models.session import tenant_session


@dataclass(frozen=True)
class EventFilter:
    """Which events; an empty field does not matter. Times are [since, until)."""

    kind: str = ""
    device: str = ""
    interface: str = ""
    severity: str = ""
    text: str = ""
    since: datetime | None = None
    until: datetime | None = None


def events(
    viewer: Viewer,
    wanted: EventFilter = EventFilter(),
    *,
    before: tuple[datetime, int] | None = None,
    limit: int = 100,
) -> list[StoredEvent]:
    """The newest first, at most `limit` of those before the event of that time and id."""
    require(viewer, READ, "events")
    # Uses events_tenant_id_at_digest_key backwards, or events_device_idx.
    query = select(EventRow).where(EventRow.tenant_id == viewer.tenant)
    equal = (
        (EventRow.kind, wanted.kind),
        (EventRow.device_name, wanted.device),
        (EventRow.interface_name, wanted.interface),
        (EventRow.severity, wanted.severity),
    )
    for column, value in equal:
        if value:
            query = query.where(column == value)
    if wanted.text:
        query = query.where(EventRow.text.icontains(wanted.text, autoescape=True))
    if wanted.since is not None:
        query = query.where(EventRow.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(EventRow.at < wanted.until)
    if before is not None:
        query = query.where(tuple_(EventRow.at, EventRow.id) < before)
    with tenant_session(viewer.tenant) as session:
        rows = session.scalars(query.order_by(EventRow.at.desc(), EventRow.id.desc()).limit(limit))
        return [_event_of(row) for row in rows]


def around(
    viewer: Viewer, window: Window, *, devices: Sequence[str] = (), interface: str = "", limit: int = 100
) -> list[StoredEvent]:
    """The newest events in a window: of these devices and of no device, or of all; of an interface and of none."""
    require(viewer, READ, "events")
    start, end = (datetime.fromtimestamp(ms / 1000, UTC) for ms in (window.start_ms, window.end_ms))
    query = select(EventRow).where(EventRow.tenant_id == viewer.tenant, EventRow.at >= start, EventRow.at <= end)
    if devices:
        query = query.where(EventRow.device_name.in_([*devices, ""]))
    if interface:
        query = query.where(EventRow.interface_name.in_([interface, ""]))
    with tenant_session(viewer.tenant) as session:
        return [_event_of(row) for row in session.scalars(query.order_by(EventRow.at.desc()).limit(limit))]


def _event_of(row: EventRow) -> StoredEvent:
    return StoredEvent(
        id=row.id,
        at=row.at,
        kind=row.kind,
        severity=row.severity,
        device=row.device_name,
        interface=row.interface_name,
        text=row.text,
        labels=row.labels,
        agent=row.agent,
        received_at=row.received_at,
    )
