"""Devices as people and programs ask for them, and as the poller loads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, func, literal, or_, select, tuple_
from sqlalchemy.orm import Session

from app.auth.permissions import require
from app.auth.sealing import unseal
from app.domain.inventory import Device, DeviceHealth, DeviceState, PollTarget
from app.domain.tenancy import READ, TenantId, Viewer
from app.errors import Conflict, InvalidInput, NotFound
from models.alerting import AlertRow
from models.inventory import CredentialRow, DeviceRow, InterfaceRow, SiteRow
from models.session import platform_session, tenant_session
from models.tenants import TenantRow

MOST: Final = 100_000
# A device's row, its site's name and its credential's name.
Found = Select[DeviceRow, str, str]


@dataclass(frozen=True)
class DeviceFilter:
    """Which devices; None and "" mean any. `text` is looked for in name, address, model, serial and description."""

    text: str = ""
    site: str | None = None
    role: str | None = None
    vendor: str | None = None
    state: str | None = None
    tag: str | None = None
    is_reachable: bool | None = None


# What a list may be sorted by; each is text and never null.
SORTS: Final[dict[str, ColumnElement[str]]] = {
    "name": DeviceRow.name.expression,
    "address": DeviceRow.address.expression,
    "site": func.coalesce(SiteRow.name, ""),
    "role": DeviceRow.role.expression,
    "vendor": DeviceRow.vendor.expression,
    "model": DeviceRow.model.expression,
    "os": DeviceRow.os.expression,
    "state": DeviceRow.state.expression,
}


def devices(
    viewer: Viewer,
    filters: DeviceFilter | None = None,
    *,
    sort: str = "name",
    after: Sequence[Any] | None = None,
    limit: int = MOST,
) -> list[Device]:
    """The devices in order of `sort` (with "-" in front: backwards), at most `limit`, those behind `after` only.

    `after` is sort_key() of the last device of the page before. Raises InvalidInput for an unknown `sort`.
    """
    require(viewer, READ, "devices")
    column = _sort_column(sort)
    is_backwards = sort.startswith("-")
    query = _matching(viewer.tenant, filters or DeviceFilter())
    if after is not None:
        place = tuple_(column, DeviceRow.id)
        last = tuple_(literal(str(after[0])), literal(int(after[1])))
        query = query.where(place < last if is_backwards else place > last)
    order = (column.desc(), DeviceRow.id.desc()) if is_backwards else (column, DeviceRow.id)
    with tenant_session(viewer.tenant) as session:
        return [_device(row) for row in session.execute(query.order_by(*order).limit(limit))]


def sort_key(device: Device, sort: str) -> list[str | int]:
    """The place of a device in a list sorted by `sort`, for `after`."""
    return [str(getattr(device, sort.lstrip("-"))), device.id]


def device(viewer: Viewer, name: str) -> Device:
    """The device of this name; raises NotFound."""
    require(viewer, READ, "devices")
    with tenant_session(viewer.tenant) as session:
        return load_device(session, viewer.tenant, name)


def find_device(viewer: Viewer, name_or_id: str) -> Device:
    """The device of this name, else of this id; raises NotFound."""
    require(viewer, READ, "devices")
    with tenant_session(viewer.tenant) as session:
        try:
            return load_device(session, viewer.tenant, name_or_id)
        except NotFound:
            if not (name_or_id.isascii() and name_or_id.isdigit() and int(name_or_id) < 2**31):
                raise
        row = session.execute(_joined(viewer.tenant).where(DeviceRow.id == int(name_or_id))).first()
    if row is None:
        raise NotFound(f"There is no device {name_or_id!r}.")
    return _device(row)


def device_health(viewer: Viewer, filters: DeviceFilter | None = None) -> list[DeviceHealth]:
    """Every device that matches, with its interfaces by state and its open alerts by severity; sorted by name."""
    found = devices(viewer, filters)
    with tenant_session(viewer.tenant) as session:
        ports = _interface_counts(session, viewer.tenant)
        alerts = open_alert_counts(session, viewer.tenant, AlertRow.device_name)
    return [DeviceHealth(each, *ports.get(each.id, (0, 0)), alerts.get(each.name, {})) for each in found]


def facets(viewer: Viewer) -> dict[str, list[str]]:
    """The values that devices have for site, role, vendor and state: the choices of a filter."""
    require(viewer, READ, "devices")
    columns = {name: SORTS[name] for name in ("site", "role", "vendor", "state")}
    with tenant_session(viewer.tenant) as session:
        rows = session.execute(_joined(viewer.tenant).with_only_columns(*columns.values()).distinct()).all()
    return {name: sorted({row[place] for row in rows} - {""}) for place, name in enumerate(columns)}


def load_device(session: Session, tenant: TenantId, name: str) -> Device:
    """The device of this name, in a session that is open; raises NotFound."""
    row = session.execute(_joined(tenant).where(DeviceRow.name == name)).first()
    if row is None:
        raise NotFound(f"There is no device {name!r}.")
    return _device(row)


def open_alert_counts(session: Session, tenant: TenantId, by: ColumnElement[str] | Any) -> dict[str, dict[str, int]]:
    """Firing alerts by `by` (a column of AlertRow) and severity."""
    query = (
        select(by, AlertRow.severity, func.count())
        .where(AlertRow.tenant_id == tenant, AlertRow.state == "firing", by != "")
        .group_by(by, AlertRow.severity)
    )
    counts: dict[str, dict[str, int]] = {}
    for name, severity, count in session.execute(query):
        counts.setdefault(name, {})[severity] = count
    return counts


# --- for the poller ---------------------------------------------------------------------------------------------------


def all_tenants() -> list[TenantId]:
    """The tenants whose devices are polled."""
    with platform_session() as session:
        rows = session.scalars(select(TenantRow.id).where(TenantRow.closed_at.is_(None)).order_by(TenantRow.id))
        return [TenantId(row) for row in rows]


def poll_targets(tenant: TenantId, *, device_id: int | None = None) -> list[PollTarget]:
    """The devices to be polled, with what they ask for; retired ones, and those without an address, are left out.

    A credential that cannot be opened leaves its devices out as well: one bad key must not stop the others.
    """
    query = (
        select(DeviceRow, SiteRow.name, CredentialRow)
        .outerjoin(SiteRow, SiteRow.id == DeviceRow.site_id)
        .join(CredentialRow, CredentialRow.id == DeviceRow.credential_id)
        .where(DeviceRow.tenant_id == tenant, DeviceRow.address != "", DeviceRow.state != DeviceState.RETIRED)
        .order_by(DeviceRow.id)
    )
    if device_id is not None:
        query = query.where(DeviceRow.id == device_id)
    communities: dict[int, bytes | None] = {}
    targets = []
    with tenant_session(tenant) as session:
        for row, site, credential in session.execute(query):
            if credential.id not in communities:
                communities[credential.id] = _community(session, tenant, credential)
            community = communities[credential.id]
            if community is not None:
                targets.append(_poll_target(row, site or "", credential.kind, community))
    return targets


def _poll_target(row: DeviceRow, site: str, kind: str, community: bytes) -> PollTarget:
    return PollTarget(
        tenant=TenantId(row.tenant_id),
        device_id=row.id,
        name=row.name,
        address=row.address,
        port=row.port,
        site=site,
        role=row.role,
        interval_s=row.poll_interval_s,
        kind=kind,
        community=community,
    )


def _community(session: Session, tenant: TenantId, credential: CredentialRow) -> bytes | None:
    try:
        return unseal(session, tenant, credential.sealed, context=f"credential:{credential.name}")
    except Conflict:
        return None


# --- shared parts -----------------------------------------------------------------------------------------------------


def _joined(tenant: TenantId) -> Found:
    return (
        select(DeviceRow, SiteRow.name, CredentialRow.name)
        .outerjoin(SiteRow, SiteRow.id == DeviceRow.site_id)
        .outerjoin(CredentialRow, CredentialRow.id == DeviceRow.credential_id)
        .where(DeviceRow.tenant_id == tenant)
    )


def _matching(tenant: TenantId, filters: DeviceFilter) -> Found:
    query = _joined(tenant)
    exact = {
        SiteRow.name: filters.site,
        DeviceRow.role: filters.role,
        DeviceRow.vendor: filters.vendor,
        DeviceRow.state: filters.state,
        DeviceRow.is_reachable: filters.is_reachable,
    }
    for column, value in exact.items():
        if value is not None:
            query = query.where(column == value)
    if filters.tag is not None:
        query = query.where(DeviceRow.tags.contains([filters.tag]))
    for word in filters.text.split():
        places = (DeviceRow.name, DeviceRow.address, DeviceRow.model, DeviceRow.serial, DeviceRow.description)
        query = query.where(or_(*(place.icontains(word, autoescape=True) for place in places)))
    return query


def _sort_column(sort: str) -> ColumnElement[str]:
    column = SORTS.get(sort.removeprefix("-"))
    if column is None:
        raise InvalidInput("sort", f"devices are sorted by {', '.join(SORTS)}, with - in front for backwards")
    # Byte order, so that the database and whoever compares keys agree whatever the cluster's language is.
    return column.collate("C")


def _interface_counts(session: Session, tenant: TenantId) -> dict[int, tuple[int, int]]:
    """Per device: interfaces that are up, and those that are down although wanted up."""
    is_wanted = InterfaceRow.admin_status == "up"
    query = (
        select(
            InterfaceRow.device_id,
            func.count().filter(InterfaceRow.oper_status == "up"),
            func.count().filter(is_wanted, InterfaceRow.oper_status.in_(("down", "lowerLayerDown"))),
        )
        .where(InterfaceRow.tenant_id == tenant, InterfaceRow.missing_since.is_(None))
        .group_by(InterfaceRow.device_id)
    )
    return {device_id: (up, down) for device_id, up, down in session.execute(query)}


def _device(found: Row[DeviceRow, str, str]) -> Device:
    row, site, credential = found
    return Device(
        id=row.id,
        name=row.name,
        address=row.address,
        port=row.port,
        site=site or "",
        credential=credential or "",
        role=row.role,
        vendor=row.vendor,
        model=row.model,
        serial=row.serial,
        os=row.os,
        os_version=row.os_version,
        sys_name=row.sys_name,
        description=row.description,
        object_id=row.object_id,
        location=row.location,
        tags=tuple(row.tags),
        poll_interval_s=row.poll_interval_s,
        state=row.state,
        is_reachable=row.is_reachable,
        reachable_since=row.reachable_since,
        polled_at=row.polled_at,
        discovered_at=row.discovered_at,
        booted_at=row.booted_at,
        last_error=row.last_error,
        created_at=row.created_at,
    )
