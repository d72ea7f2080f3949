"""/api/v1/interfaces: the interfaces of all devices. They are discovered, so they are only read."""

from __future__ import annotations

from flask import Blueprint, Response, request

from app.api.openapi import Listed, answer, documented
from app.api.paging import page_of, requested_page
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.inventory import Interface
from app.domain.tenancy import READ
from app.queries import interfaces as queries

blueprint = Blueprint("interfaces", __name__)


@blueprint.get("/api/v1/interfaces")
@documented(
    "List interfaces",
    answer=Listed[Interface],
    query={
        "device": "only interfaces of the device of this name",
        "oper_status": "only those that are up, down, ...",
        "text": "words to be found in name, alias, description or MAC address",
    },
)
@guarded(READ, "interfaces")
def list_interfaces() -> Response:
    """A page of interfaces, by device and name."""
    page = requested_page("interfaces")
    found = queries.all_interfaces(
        current_viewer(),
        device=request.args.get("device"),
        oper_status=request.args.get("oper_status"),
        text=request.args.get("text", ""),
        after=page.after,
        limit=page.limit + 1,
    )
    return answer(page_of("interfaces", found, page, lambda each: [each.device, each.name]))


@blueprint.get("/api/v1/interfaces/<int:interface_id>")
@documented("Get an interface", answer=Interface)
@guarded(READ, "interfaces")
def get(interface_id: int) -> Response:
    """One interface."""
    return answer(queries.interface_by_id(current_viewer(), interface_id))
