"""Links between devices as people and programs ask for them."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import aliased

from app.auth.permissions import require
from app.domain.inventory import Link
from app.domain.tenancy import READ, Viewer
from app.errors import NotFound
from models.inventory import DeviceRow, InterfaceRow, LinkRow
from models.session import tenant_session


def links(viewer: Viewer, *, device: str | None = None, after: int = 0) -> list[Link]:
    """Every link once, by id; with `device` those that end on it, with `after` those of a higher id only.

    Each side tells of a link by itself; the two reports are one link here, under the id of the older.
    """
    require(viewer, READ, "links")
    found: dict[frozenset[tuple[str, str]], Link] = {}
    for link in _reported(viewer):
        ends = frozenset(((link.a_device, link.a_interface), (link.b_device, link.b_interface)))
        if ends in found:
            older = found[ends]
            found[ends] = replace(older, is_confirmed=True, seen_at=max(older.seen_at, link.seen_at))
        else:
            found[ends] = link
    return [
        link
        for link in found.values()
        if link.id > after and (device is None or device in (link.a_device, link.b_device))
    ]


def link(viewer: Viewer, link_id: int) -> Link:
    """One link by its id; raises NotFound."""
    for each in links(viewer):
        if each.id == link_id:
            return each
    raise NotFound(f"There is no link {link_id}.")


def _reported(viewer: Viewer) -> list[Link]:
    """What each side tells, oldest first."""
    a_device, b_device = aliased(DeviceRow), aliased(DeviceRow)
    a_port, b_port = aliased(InterfaceRow), aliased(InterfaceRow)
    query = (
        select(LinkRow, a_device.name, a_port.name, b_device.name, b_port.name)
        .join(a_device, a_device.id == LinkRow.a_device_id)
        .join(a_port, a_port.id == LinkRow.a_interface_id)
        .outerjoin(b_device, b_device.id == LinkRow.b_device_id)
        .outerjoin(b_port, b_port.id == LinkRow.b_interface_id)
        .where(LinkRow.tenant_id == viewer.tenant)
        .order_by(LinkRow.id)
    )
    with tenant_session(viewer.tenant) as session:
        return [
            Link(
                id=row.id,
                a_device=a_name,
                a_interface=a_interface,
                b_device=b_name or row.b_device_name,
                b_interface=b_interface or row.b_interface_name,
                is_b_watched=b_name is not None,
                is_confirmed=False,
                protocol=row.protocol,
                first_seen_at=row.first_seen_at,
                seen_at=row.seen_at,
            )
            for row, a_name, a_interface, b_name, b_interface in session.execute(query)
        ]
