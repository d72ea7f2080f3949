"""Storing the events that agents send; one that is sent twice is kept once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert

from app.auth.permissions import require
from app.domain.events import Event
from app.domain.tenancy import INGEST, TenantId, Viewer
from models.events import EventRow
from models.session import tenant_session

KEPT: Final = timedelta(days=90)
ROWS_AT_ONCE: Final = 5_000


def add(viewer: Viewer, events: Sequence[Event], *, agent: str) -> None:
    """Store events of the viewer's tenant; when this returns they survive the death of every process."""
    require(viewer, INGEST, "events")
    rows = [
        {
            "tenant_id": viewer.tenant,
            "at": event.at,
            "kind": event.kind,
            "severity": event.severity or "",
            "device_name": event.device,
            "interface_name": event.interface,
            "text": event.text,
            "labels": dict(event.labels),
            "agent": agent,
            "digest": event.digest,
        }
        for event in events
    ]
    if not rows:
        return
    rows.sort(key=lambda row: (row["at"], row["digest"]))  # one order, so that two requests cannot deadlock
    store = insert(EventRow).on_conflict_do_nothing(index_elements=["tenant_id", "at", "digest"])
    with tenant_session(viewer.tenant) as session:
        for first in range(0, len(rows), ROWS_AT_ONCE):
            session.execute(store, rows[first : first + ROWS_AT_ONCE])


def forget(tenant: TenantId, *, now: datetime) -> int:
    """Delete what is older than its term; answers how many."""
    with tenant_session(tenant) as session:
        old = delete(EventRow).where(EventRow.tenant_id == tenant, EventRow.at < now - KEPT)
        return session.connection().execute(old).rowcount
