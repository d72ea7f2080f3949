"""What discovery does to links: what devices say of their neighbours becomes links between known ports."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.actions.audit import record
from app.auth.permissions import require
from app.domain.inventory import Neighbour
from app.domain.tenancy import WRITE, TenantId, Viewer
from app.errors import NotFound
from models.inventory import DeviceRow, InterfaceRow, LinkRow
from models.session import tenant_session

# A link that is down is no longer told of, but it is still the link between those two: it is what broke.
FORGET_AFTER: Final = timedelta(days=7)

NO_MAC: Final = "00:00:00:00:00:00"
MAC: Final = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")


def delete_link(viewer: Viewer, link_id: int) -> None:
    """Forget a link, as both sides told of it, until a device tells of it again; raises NotFound."""
    require(viewer, WRITE, "links")
    with tenant_session(viewer.tenant) as session:
        row = session.scalar(select(LinkRow).where(LinkRow.tenant_id == viewer.tenant, LinkRow.id == link_id))
        if row is None:
            raise NotFound(f"There is no link {link_id}.")
        other_side = delete(LinkRow).where(
            LinkRow.tenant_id == viewer.tenant,
            LinkRow.a_interface_id == row.b_interface_id,
            LinkRow.b_interface_id == row.a_interface_id,
        )
        session.execute(other_side)
        session.delete(row)
        record(session, viewer, action="delete", noun="links", object_id=link_id, before={"protocol": row.protocol})


def store_neighbours(
    session: Session, tenant: TenantId, device_id: int, *, neighbours: Sequence[Neighbour], at: datetime
) -> None:
    """Make the links that one device tells of; those of a port that now tells of another neighbour go."""
    ports = _ports(session, tenant, device_id)
    devices = _devices_by_name(session, tenant)
    known = {
        (row.a_interface_id, row.protocol, row.b_device_name, row.b_interface_name): row
        for row in session.scalars(select(LinkRow).where(LinkRow.tenant_id == tenant, LinkRow.a_device_id == device_id))
    }
    told: set[tuple[int, str]] = set()
    for neighbour in neighbours:
        port_id = ports.get(neighbour.interface)
        if port_id is None:
            continue
        row = _find_or_add(session, known, neighbour, tenant=tenant, device_id=device_id, port_id=port_id)
        row.seen_at = at
        row.b_device_id = _device_id(session, tenant, neighbour, devices)
        if row.b_device_id is not None:
            row.b_interface_id = _port_id(session, tenant, row.b_device_id, neighbour)
        told.add((port_id, neighbour.protocol))
    for key, row in known.items():
        if row.seen_at != at and (key[:2] in told or row.seen_at < at - FORGET_AFTER):
            session.delete(row)
    session.flush()


def adopt_links(session: Session, device: DeviceRow) -> None:
    """Let links that others told of find this device and its ports, which were not known when they told."""
    query = select(LinkRow).where(
        LinkRow.tenant_id == device.tenant_id, LinkRow.b_interface_id.is_(None), LinkRow.a_device_id != device.id
    )
    names = {name for known in (device.name, device.sys_name) for name in _spellings(known)}
    for row in session.scalars(query):
        if row.b_device_id is None and not names.isdisjoint(_spellings(row.b_device_name)):
            row.b_device_id = device.id
        if row.b_device_id == device.id:
            told = Neighbour("", row.b_device_name, "", row.b_interface_name)
            row.b_interface_id = _port_id(session, TenantId(device.tenant_id), device.id, told)
    session.flush()


def _spellings(name: str) -> set[str]:
    """A name as it is and without its domain, in small letters."""
    return {name.lower(), name.lower().partition(".")[0]} - {""}


def _find_or_add(
    session: Session,
    known: dict[tuple[int, str, str, str], LinkRow],
    neighbour: Neighbour,
    *,
    tenant: TenantId,
    device_id: int,
    port_id: int,
) -> LinkRow:
    # The other side's own words tell its links apart, whether or not we watch it.
    key = (port_id, neighbour.protocol, neighbour.device or neighbour.chassis, neighbour.port)
    if key not in known:
        row = LinkRow(tenant_id=tenant, a_device_id=device_id, a_interface_id=port_id)
        row.protocol, row.b_device_name, row.b_interface_name = key[1:]
        session.add(row)
        known[key] = row
    return known[key]


def _ports(session: Session, tenant: TenantId, device_id: int) -> dict[str, int]:
    query = select(InterfaceRow).where(InterfaceRow.tenant_id == tenant, InterfaceRow.device_id == device_id)
    return {row.name: row.id for row in session.scalars(query)}


def _devices_by_name(session: Session, tenant: TenantId) -> dict[str, int]:
    """Ids by every name a neighbour may use: ours and sysName, with and without a domain. Ours win."""
    query = select(DeviceRow.id, DeviceRow.name, DeviceRow.sys_name).where(DeviceRow.tenant_id == tenant)
    found = session.execute(query).all()
    names: dict[str, int] = {}
    # What was put first wins.
    for whole in ([(name, id_) for id_, name, _ in found], [(name, id_) for id_, _, name in found]):
        for name, id_ in [*whole, *((name.partition(".")[0], id_) for name, id_ in whole)]:
            names.setdefault(name.lower(), id_)
    names.pop("", None)
    return names


def _device_id(session: Session, tenant: TenantId, neighbour: Neighbour, devices: Mapping[str, int]) -> int | None:
    name = neighbour.device.lower()
    found = devices.get(name) or devices.get(name.partition(".")[0])
    if found is None and MAC.fullmatch(neighbour.chassis) and neighbour.chassis != NO_MAC:
        # One MAC may be on many ports of one device, never on two devices.
        query = select(InterfaceRow.device_id).where(
            InterfaceRow.tenant_id == tenant, InterfaceRow.mac == neighbour.chassis
        )
        return session.scalar(query.limit(1))
    return found


def _port_id(session: Session, tenant: TenantId, device_id: int, neighbour: Neighbour) -> int | None:
    """The neighbour's port, by whatever the protocol called it: a name, a description, a MAC address or a number."""
    ports = session.scalars(
        select(InterfaceRow).where(InterfaceRow.tenant_id == tenant, InterfaceRow.device_id == device_id)
    ).all()
    told, text = neighbour.port.lower(), neighbour.port_description.lower()
    ways = (
        lambda port: port.name.lower() == told,
        lambda port: port.description.lower() == told,
        lambda port: port.mac not in ("", NO_MAC) and port.mac == told,
        lambda port: str(port.if_index) == told,
        lambda port: bool(port.alias) and port.alias.lower() == told,
        lambda port: bool(text) and text in (port.name.lower(), port.description.lower()),
    )
    for is_it in ways:
        matching = [port for port in ports if is_it(port)]
        if len(matching) == 1:
            return matching[0].id
    return None
