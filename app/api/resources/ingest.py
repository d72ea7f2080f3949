"""/api/v1/ingest/…: what was refused and why, and the dead letters. Samples are sent to ingest/routes.py."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, Response, request

from app.actions import dead_letters as actions
from app.api.openapi import Listed, answer, documented
from app.api.paging import page_of, requested_page
from app.api.parameters import text_parameter
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.clock import utc_now
from app.domain.tenancy import ADMIN, READ
from app.errors import InvalidInput
from app.queries import ingest as queries
from app.queries.ingest import RefusedTotal, Rejected, Usage
from app.tsdb.dead_letters import DeadLetter

blueprint = Blueprint("ingest_refusals", __name__)

FILTERS = {"agent": "only what the token of this name sent", "source": "only of this protocol"}
HOURS = {"hours": "of the last so many hours; 24 if left out, at most 720"}


@blueprint.get("/api/v1/ingest/rejected")
@documented("List what was refused, the newest first", answer=Listed[Rejected], query=FILTERS)
@guarded(READ, "ingest")
def list_rejected() -> Response:
    """A page of refusals; the newest thousand of a tenant are kept."""
    page = requested_page("rejected")
    wanted = queries.RejectedFilter(agent=text_parameter("agent"), source=text_parameter("source"))
    found = queries.rejected(current_viewer(), wanted, before=page.after, limit=page.limit + 1)
    return answer(page_of("rejected", found, page, lambda each: each.id))


@blueprint.get("/api/v1/ingest/rejected/totals")
@documented("Count what was refused by agent, source and reason", answer=Listed[RefusedTotal], query=HOURS)
@guarded(READ, "ingest")
def list_totals() -> Response:
    """All of them, most samples first."""
    return answer({"items": queries.totals(current_viewer(), since=utc_now() - _hours()), "next": None})


@blueprint.get("/api/v1/ingest/usage")
@documented("Tell how much of its budgets the tenant uses", answer=Usage)
@guarded(READ, "ingest")
def usage() -> Response:
    """Series, beside the limits."""
    return answer(queries.usage(current_viewer()))


@blueprint.get("/api/v1/ingest/dead-letters")
@documented("List what could not be stored", answer=Listed[DeadLetter])
@guarded(READ, "ingest")
def list_dead_letters() -> Response:
    """All of the tenant, the newest first."""
    return answer({"items": queries.dead_letters(current_viewer()), "next": None})


@blueprint.post("/api/v1/ingest/dead-letters/<letter_id>/replay")
@documented("Send a dead letter through again", status=204)
@guarded(ADMIN, "ingest")
def replay(letter_id: str) -> Response:
    """After the cause was mended."""
    actions.replay(current_viewer(), [letter_id])
    return answer(None, 204)


@blueprint.delete("/api/v1/ingest/dead-letters/<letter_id>")
@documented("Throw a dead letter away", status=204)
@guarded(ADMIN, "ingest")
def discard(letter_id: str) -> Response:
    """For good."""
    actions.discard(current_viewer(), [letter_id])
    return answer(None, 204)


def _hours() -> timedelta:
    written = request.args.get("hours", "24")
    if not written.isdecimal() or not 1 <= int(written[:9]) <= queries.LONGEST // timedelta(hours=1):
        raise InvalidInput("hours", "must be a whole number from 1 to 720")
    return timedelta(hours=int(written))
