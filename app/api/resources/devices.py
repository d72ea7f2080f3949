"""/api/v1/devices: the devices of the tenant. A device is addressed by its name or its id."""

from __future__ import annotations

from flask import Blueprint, Response, request

from app.actions import devices as actions
from app.api.openapi import Listed, answer, documented, json_body
from app.api.paging import page_of, requested_page
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.inventory import Device, DeviceFields, Interface
from app.domain.tenancy import READ, WRITE
from app.errors import InvalidInput
from app.queries import devices as queries
from app.queries import interfaces as interface_queries

blueprint = Blueprint("devices", __name__)

FLAGS = {"true": True, "1": True, "false": False, "0": False}


@blueprint.get("/api/v1/devices")
@documented(
    "List devices",
    answer=Listed[Device],
    query={
        "text": "words to be found in name, address, model, serial number or description",
        "site": "only devices of this site",
        "role": "only devices of this role",
        "vendor": "only devices of this vendor",
        "state": "only active, maintenance or retired devices",
        "tag": "only devices with this tag",
        "is_reachable": "true or false: only devices that answer, or do not",
        "sort": f"one of {', '.join(queries.SORTS)}; with - in front backwards",
    },
)
@guarded(READ, "devices")
def list_devices() -> Response:
    """A page of devices."""
    sort = request.args.get("sort", "name")
    # A cursor is good for the order it came from, hence the order in its name.
    list_name = f"devices {sort}"
    page = requested_page(list_name)
    found = queries.devices(current_viewer(), _filter(), sort=sort, after=page.after, limit=page.limit + 1)
    return answer(page_of(list_name, found, page, lambda each: queries.sort_key(each, sort)))


@blueprint.post("/api/v1/devices")
@documented("Create a device", body=DeviceFields, answer=Device, status=201)
@guarded(WRITE, "devices")
def create() -> Response:
    """Add a device; only its name is needed."""
    return answer(actions.create_device(current_viewer(), json_body(DeviceFields)), 201)


@blueprint.get("/api/v1/devices/<device>")
@documented("Get a device", answer=Device)
@guarded(READ, "devices")
def get(device: str) -> Response:
    """One device."""
    return answer(queries.find_device(current_viewer(), device))


@blueprint.patch("/api/v1/devices/<device>")
@documented("Change a device", body=DeviceFields, answer=Device)
@guarded(WRITE, "devices")
def change(device: str) -> Response:
    """Set the given fields; the others stay."""
    viewer = current_viewer()
    return answer(actions.change_device(viewer, queries.find_device(viewer, device).name, json_body(DeviceFields)))


@blueprint.delete("/api/v1/devices/<device>")
@documented("Delete a device", status=204)
@guarded(WRITE, "devices")
def delete(device: str) -> Response:
    """Remove a device with its interfaces and links."""
    viewer = current_viewer()
    actions.delete_device(viewer, queries.find_device(viewer, device).name)
    return answer(None, 204)


@blueprint.get("/api/v1/devices/<device>/interfaces")
@documented("List the interfaces of a device", answer=Listed[Interface])
@guarded(READ, "interfaces")
def list_interfaces(device: str) -> Response:
    """All interfaces of one device, in the order people count."""
    viewer = current_viewer()
    name = queries.find_device(viewer, device).name
    return answer({"items": interface_queries.interfaces(viewer, name), "next": None})


@blueprint.post("/api/v1/devices/<device>/discover")
@documented("Discover a device now", status=202)
@guarded(WRITE, "devices")
def discover(device: str) -> Response:
    """Have a worker read the device whole; what it finds shows in the device and its interfaces."""
    viewer = current_viewer()
    actions.request_discovery(viewer, queries.find_device(viewer, device).name)
    return answer({"queued": True}, 202)


def _filter() -> queries.DeviceFilter:
    flag = request.args.get("is_reachable")
    if flag is not None and flag not in FLAGS:
        raise InvalidInput("is_reachable", "must be true or false")
    return queries.DeviceFilter(
        text=request.args.get("text", ""),
        site=request.args.get("site"),
        role=request.args.get("role"),
        vendor=request.args.get("vendor"),
        state=request.args.get("state"),
        tag=request.args.get("tag"),
        is_reachable=None if flag is None else FLAGS[flag],
    )
