"""/api/v1/audit: who did what."""

from __future__ import annotations

from flask import Blueprint, Response

from app.api.openapi import Listed, answer, documented
from app.api.paging import page_of, requested_page
from app.api.parameters import moment_parameter, text_parameter
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.access import AuditEntry, ChainCheck
from app.domain.tenancy import READ
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
        actor=text_parameter("actor"),
        noun=text_parameter("noun"),
        action=text_parameter("action"),
        object_id=text_parameter("object_id"),
        since=moment_parameter("since"),
        until=moment_parameter("until"),
    )
    found = queries.entries(current_viewer(), wanted, before=page.after, limit=page.limit + 1)
    return answer(page_of("audit", found, page, lambda entry: entry.id))


@blueprint.get("/api/v1/audit/verify")
@documented("Check the hash chain", answer=ChainCheck)
@guarded(READ, "audit")
def verify() -> Response:
    """Whether the log still says what was written."""
    return answer(queries.verify(current_viewer()))
