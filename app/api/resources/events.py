"""/api/v1/events: what agents told of: changes, deploys, log lines, traps. They are sent to the same address."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint, Response

from app.api.openapi import Listed, answer, documented
from app.api.paging import page_of, requested_page
from app.api.parameters import moment_parameter, text_parameter
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.events import StoredEvent
from app.domain.tenancy import READ
from app.queries import events as queries

blueprint = Blueprint("events", __name__)

FILTERS = {
    "kind": "only of this kind",
    "device": "only of this device",
    "interface": "only of this interface",
    "severity": "critical, major, minor, warning, unknown",
    "text": "only with this in their text",
    "since": "at or after this moment (RFC 3339)",
    "until": "before this moment (RFC 3339)",
}


@blueprint.get("/api/v1/events")
@documented("List events, the newest first", answer=Listed[StoredEvent], query=FILTERS)
@guarded(READ, "events")
def list_events() -> Response:
    """A page of events."""
    page = requested_page("events")
    wanted = queries.EventFilter(
        kind=text_parameter("kind"),
        device=text_parameter("device"),
        interface=text_parameter("interface"),
        severity=text_parameter("severity"),
        text=text_parameter("text"),
        since=moment_parameter("since"),
        until=moment_parameter("until"),
    )
    before = _place(page.after)
    found = queries.events(current_viewer(), wanted, before=before, limit=page.limit + 1)
    return answer(page_of("events", found, page, lambda event: [event.at.isoformat(), event.id]))


def _place(after: Any) -> tuple[datetime, int] | None:
    return None if after is None else (datetime.fromisoformat(after[0]), int(after[1]))
