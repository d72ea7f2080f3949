"""Interfaces as people and programs ask for them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import literal, or_, select, tuple_

from app.auth.permissions import require
from app.domain.inventory import Interface
from app.domain.tenancy import READ, Viewer
from app.errors import NotFound
from app.queries.devices import MOST, load_device
from models.inventory import DeviceRow, InterfaceRow
from models.session import tenant_session


def interfaces(viewer: Viewer, device: str, *, with_missing: bool = True) -> list[Interface]:
    """The interfaces of one device, in the order people count (Gi1/0/2 before Gi1/0/10); raises NotFound."""
    require(viewer, READ, "interfaces")
    with tenant_session(viewer.tenant) as session:
        owner = load_device(session, viewer.tenant, device)
        query = select(InterfaceRow).where(InterfaceRow.tenant_id == viewer.tenant, InterfaceRow.device_id == owner.id)
        if not with_missing:
            query = query.where(InterfaceRow.missing_since.is_(None))
        found = [interface_of(row, device) for row in session.scalars(query)]
    return sorted(found, key=lambda each: natural_key(each.name))


def all_interfaces(
    viewer: Viewer,
    *,
    device: str | None = None,
    oper_status: str | None = None,
    text: str = "",
    after: Sequence[Any] | None = None,
    limit: int = MOST,
) -> list[Interface]:
    """Interfaces of all devices by device and name (bytewise), at most `limit`, those behind `after` only.

    `after` is [device, name] of the last one of the page before.
    """
    require(viewer, READ, "interfaces")
    place = tuple_(DeviceRow.name.collate("C"), InterfaceRow.name.collate("C"))
    query = (
        select(InterfaceRow, DeviceRow.name)
        .join(DeviceRow, DeviceRow.id == InterfaceRow.device_id)
        .where(InterfaceRow.tenant_id == viewer.tenant)
    )
    if device is not None:
        query = query.where(DeviceRow.name == device)
    if oper_status is not None:
        query = query.where(InterfaceRow.oper_status == oper_status)
    for word in text.split():
        places = (InterfaceRow.name, InterfaceRow.alias, InterfaceRow.description, InterfaceRow.mac)
        query = query.where(or_(*(each.icontains(word, autoescape=True) for each in places)))
    if after is not None:
        query = query.where(place > tuple_(literal(str(after[0])), literal(str(after[1]))))
    query = query.order_by(DeviceRow.name.collate("C"), InterfaceRow.name.collate("C")).limit(limit)
    with tenant_session(viewer.tenant) as session:
        return [interface_of(row, owner) for row, owner in session.execute(query)]


def interface(viewer: Viewer, device: str, name: str) -> Interface:
    """One interface by its device and name; raises NotFound."""
    found = all_interfaces(viewer, device=device)
    for each in found:
        if each.name == name:
            return each
    raise NotFound(f"There is no interface {name!r} on a device {device!r}.")


def interface_by_id(viewer: Viewer, interface_id: int) -> Interface:
    """One interface by its id; raises NotFound."""
    require(viewer, READ, "interfaces")
    query = (
        select(InterfaceRow, DeviceRow.name)
        .join(DeviceRow, DeviceRow.id == InterfaceRow.device_id)
        .where(InterfaceRow.tenant_id == viewer.tenant, InterfaceRow.id == interface_id)
    )
    with tenant_session(viewer.tenant) as session:
        found = session.execute(query).first()
    if found is None:
        raise NotFound(f"There is no interface {interface_id}.")
    return interface_of(*found)


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """A sort key that counts: numbers inside a name compare as numbers."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part.lower()) for part in re.split(r"(\d+)", name) if part]


def interface_of(row: InterfaceRow, device: str) -> Interface:
    """The value of a row."""
    return Interface(
        id=row.id,
        device=device,
        name=row.name,
        if_index=row.if_index,
        description=row.description,
        alias=row.alias,
        mac=row.mac,
        if_type=row.if_type,
        mtu=row.mtu,
        speed_bps=row.speed_bps,
        admin_status=row.admin_status,
        oper_status=row.oper_status,
        changed_at=row.changed_at,
        missing_since=row.missing_since,
    )
