"""/api/v1/events: what agents told of: changes, deploys, log lines, traps. They are sent to the same address."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint, Response, request

from app.api.openapi import Listed, answer, documented
from app.api.paging import page_of, requested_page
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.events import StoredEvent
from app.domain.tenancy import READ
from app.errors import InvalidInput
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
        kind=_text("kind"),
        device=_text("device"),
        interface=_text("interface"),
        severity=_text("severity"),
        text=_text("text"),
        since=_moment("since"),
        until=_moment("until"),
    )
    before = _place(page.after)
    found = queries.events(current_viewer(), wanted, before=before, limit=page.limit + 1)
    return answer(page_of("events", found, page, lambda event: [event.at.isoformat(), event.id]))


def _place(after: Any) -> tuple[datetime, int] | None:
    return None if after is None else (datetime.fromisoformat(after[0]), int(after[1]))


def _text(name: str) -> str:
    value = request.args.get(name, "")
    if "\0" in value or len(value) > 300:
        raise InvalidInput(name, "is not such a value")
    return value


def _moment(name: str) -> datetime | None:
    value = request.args.get(name)
    if not value:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise InvalidInput(name, "must be a time as in RFC 3339") from None
    if moment.tzinfo is None:
        raise InvalidInput(name, "needs its zone (Z or +01:00)")
    return moment
