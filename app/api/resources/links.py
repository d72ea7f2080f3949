"""/api/v1/links: the links between devices, as they tell of them by LLDP and CDP."""

from __future__ import annotations

from flask import Blueprint, Response, request

from app.actions import links as actions
from app.api.openapi import Listed, answer, documented
from app.api.paging import page_of, requested_page
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.inventory import Link
from app.domain.tenancy import READ, WRITE
from app.queries import links as queries

blueprint = Blueprint("links", __name__)


@blueprint.get("/api/v1/links")
@documented("List links", answer=Listed[Link], query={"device": "only links that end on the device of this name"})
@guarded(READ, "links")
def list_links() -> Response:
    """A page of links, the oldest first."""
    page = requested_page("links")
    found = queries.links(current_viewer(), device=request.args.get("device"), after=page.after or 0)
    return answer(page_of("links", found[: page.limit + 1], page, lambda each: each.id))


@blueprint.get("/api/v1/links/<int:link_id>")
@documented("Get a link", answer=Link)
@guarded(READ, "links")
def get(link_id: int) -> Response:
    """One link."""
    return answer(queries.link(current_viewer(), link_id))


@blueprint.delete("/api/v1/links/<int:link_id>")
@documented("Forget a link", status=204)
@guarded(WRITE, "links")
def delete(link_id: int) -> Response:
    """Forget a link until a device tells of it again."""
    actions.delete_link(current_viewer(), link_id)
    return answer(None, 204)
