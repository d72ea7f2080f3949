"""What else happened around an alert, and the likely cause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session, aliased

from app.domain.alerting.alert import Alert
from app.domain.alerting.cause import Cause, Hop, likely_cause
from app.domain.alerting.state import State
from app.domain.tenancy import Viewer
from app.queries.alerts import alert as find_alert
from app.queries.alerts import alert_of
from models.alerting import AlertRow
from models.inventory import DeviceRow, InterfaceRow, LinkRow
from models.session import tenant_session

# How far apart the beginnings of alerts lie that may have to do with each other.
NEAR: Final = timedelta(minutes=5)
MOST: Final = 200


@dataclass(frozen=True)
class Related:
    """Alerts that began within minutes on the same device, across its links or at its site; nearest first."""

    alerts: tuple[Alert, ...]
    cause: Cause | None


def related(viewer: Viewer, alert_id: int) -> Related:
    """What else happened around an alert; raises NotFound."""
    alert = find_alert(viewer, alert_id)
    with tenant_session(viewer.tenant) as session:
        hops = _hops(session, viewer, alert.device)
        neighbours = {hop.other_device for hop in hops.get(alert.device, ())}
        found = _around(session, viewer, alert, {alert.device, *neighbours})
    found.sort(key=lambda other: (other.device != alert.device, other.device not in neighbours, other.since, other.id))
    return Related(tuple(found), likely_cause(alert, found, hops))


def _around(session: Session, viewer: Viewer, alert: Alert, devices: set[str]) -> list[Alert]:
    began = func.coalesce(AlertRow.fired_at, AlertRow.active_at)
    places: list[ColumnElement[bool]] = [AlertRow.device_name.in_(devices - {""})]
    if alert.site:
        places.append(AlertRow.site_name == alert.site)
    query = (
        select(AlertRow)
        .where(
            AlertRow.tenant_id == viewer.tenant,
            AlertRow.id != alert.id,
            AlertRow.state != State.PENDING,
            or_(*places),
            began.between(alert.since - NEAR, alert.since + NEAR),
        )
        .order_by(began.desc())
        .limit(MOST)
    )
    return [alert_of(row) for row in session.scalars(query)]


def _hops(session: Session, viewer: Viewer, device: str) -> dict[str, Sequence[Hop]]:
    """The links of a device and of its neighbours, by device, from both ends."""
    a_device, a_port, b_port = aliased(DeviceRow), aliased(InterfaceRow), aliased(InterfaceRow)
    b_device = aliased(DeviceRow)
    b_device_name = func.coalesce(b_device.name, LinkRow.b_device_name)
    query = (
        select(a_device.name, a_port.name, b_device_name, func.coalesce(b_port.name, LinkRow.b_interface_name))
        .select_from(LinkRow)
        .join(a_device, a_device.id == LinkRow.a_device_id)
        .join(a_port, a_port.id == LinkRow.a_interface_id)
        .join(b_device, b_device.id == LinkRow.b_device_id, isouter=True)
        .join(b_port, b_port.id == LinkRow.b_interface_id, isouter=True)
        .where(LinkRow.tenant_id == viewer.tenant)
    )
    found: dict[str, set[Hop]] = {}

    def collect(devices: set[str]) -> None:
        near = query.where(or_(a_device.name.in_(devices), b_device_name.in_(devices)))
        for here, port, there, other_port in session.execute(near):
            found.setdefault(here, set()).add(Hop(port, there, other_port))
            found.setdefault(there, set()).add(Hop(other_port, here, port))

    collect({device})
    collect({hop.other_device for hop in found.get(device, ())})
    return {name: sorted(hops, key=lambda hop: (hop.interface, hop.other_device)) for name, hops in found.items()}
