"""/api/v1/storage, /api/v1/archives: how long samples are kept, what goes by other terms, and the archive."""

from __future__ import annotations

from datetime import datetime

import msgspec
from flask import Blueprint, Response

from app.actions import storage as actions
from app.api.openapi import Listed, answer, documented, json_body
from app.api.paging import page_of, requested_page
from app.api.parameters import moment_parameter
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.tenancy import ADMIN, READ
from app.errors import InvalidInput
from app.queries import storage as queries
from app.queries.storage import EVER, FAR, Change, Storage
from app.tsdb.archive import Archive

blueprint = Blueprint("storage", __name__)

SPAN = {"start": "RFC 3339; only archives that end after it", "end": "RFC 3339; only archives that begin before it"}


class Days(msgspec.Struct, forbid_unknown_fields=True):
    """Days by tier (raw, 5m, 1h, 1d, archive); those that are left out stay."""

    days: dict[str, int]


class Restore(msgspec.Struct, forbid_unknown_fields=True):
    """Which archives come back, and for how many days."""

    start: datetime
    end: datetime
    days: int = actions.RESTORED_DAYS


@blueprint.get("/api/v1/storage")
@documented("Tell what is stored, and for how long", answer=Storage)
@guarded(READ, "storage")
def get() -> Response:
    """Terms and figures by tier."""
    return answer(queries.storage(current_viewer()))


@blueprint.post("/api/v1/storage/preview")
@documented("Tell what other terms would take", body=Days, answer=Change)
@guarded(READ, "storage")
def preview() -> Response:
    """Nothing is changed."""
    return answer(queries.preview(current_viewer(), json_body(Days).days))


@blueprint.patch("/api/v1/storage")
@documented("Change how long samples are kept", body=Days, answer=Storage)
@guarded(ADMIN, "storage")
def change() -> Response:
    """Applied within the hour."""
    actions.change_terms(current_viewer(), json_body(Days).days)
    return answer(queries.storage(current_viewer()))


@blueprint.get("/api/v1/archives")
@documented("List archived raw samples, the newest first", answer=Listed[Archive], query=SPAN)
@guarded(READ, "storage")
def list_archives() -> Response:
    """A page of archives, six hours each."""
    page = requested_page("archives")
    after = datetime.fromisoformat(page.after) if page.after else None
    start, end = moment_parameter("start") or EVER, moment_parameter("end") or FAR
    found = queries.archives(current_viewer(), start=start, end=end, after=after, limit=page.limit + 1)
    return answer(page_of("archives", found, page, lambda each: each.bucket.isoformat()))


@blueprint.post("/api/v1/archives/restore")
@documented("Bring archived samples back", body=Restore, answer=Listed[Archive], status=202)
@guarded(ADMIN, "storage")
def restore() -> Response:
    """Workers do it; `restored_at` of the archives says when it is done."""
    body = json_body(Restore)
    if body.start.tzinfo is None or body.end.tzinfo is None:
        raise InvalidInput("start", "must be a time with its zone")
    found = actions.ask_restore(current_viewer(), start=body.start, end=body.end, days=body.days)
    return answer({"items": found, "next": None}, 202)
