"""/api/v1/audit: who did what."""

from __future__ import annotations

from datetime import datetime

from flask import Blueprint, Response, request

from app.api.openapi import Listed, answer, documented
from app.api.paging import page_of, requested_page
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.access import AuditEntry, ChainCheck
from app.domain.tenancy import READ
from app.errors import InvalidInput
from app.queries import audit as queries

blueprint = Blueprint("audit", __name__)

FILTERS = {
    "actor": "only what this person or token did",
    "noun": "only this kind of thing",
    "action": "only this action",
    "object_id": "only this thing",
    "since": "not before this time (RFC 3339)",
    "until": "before this time (RFC 3339)",
}


@blueprint.get("/api/v1/audit")
@documented("List what was done, the newest first", answer=Listed[AuditEntry], query=FILTERS)
@guarded(READ, "audit")
def list_entries() -> Response:
    """A page of entries."""
    page = requested_page("audit")
    wanted = queries.AuditFilter(
        actor=_text("actor"),
        noun=_text("noun"),
        action=_text("action"),
        object_id=_text("object_id"),
        since=_time("since"),
        until=_time("until"),
    )
    found = queries.entries(current_viewer(), wanted, before=page.after, limit=page.limit + 1)
    return answer(page_of("audit", found, page, lambda entry: entry.id))


@blueprint.get("/api/v1/audit/verify")
@documented("Check the hash chain", answer=ChainCheck)
@guarded(READ, "audit")
def verify() -> Response:
    """Whether the log still says what was written."""
    return answer(queries.verify(current_viewer()))


def _text(name: str) -> str:
    value = request.args.get(name, "")
    if "\0" in value or len(value) > 300:
        raise InvalidInput(name, "is not such a value")
    return value


def _time(name: str) -> datetime | None:
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
