"""What may be done to devices: people's changes, and what polling and discovery learn."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from msgspec import UNSET, structs
from redis.exceptions import RedisError
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import jobs, live
from app.actions.audit import record
from app.actions.interfaces import store_interfaces
from app.actions.links import adopt_links, store_neighbours
from app.auth.permissions import require
from app.domain.inventory import Device, DeviceFields, DeviceState, Discovery, PollOutcome, check_address, check_name
from app.domain.tenancy import WRITE, TenantId, Viewer
from app.errors import Conflict, InvalidInput
from app.queries.devices import load_device
from models.inventory import CredentialRow, DeviceRow, InterfaceRow, SiteRow
from models.session import tenant_session

LEAST_INTERVAL_S, MOST_INTERVAL_S = 5, 86_400
MOST_TAGS: Final = 50

# A poller writes the outcomes of hundreds of devices a second: two statements, however many there are.
_OUTCOMES: Final = """
    unnest(cast(:ids as int[]), cast(:ats as timestamptz[]), cast(:reachable as bool[]), cast(:errors as text[]),
           cast(:boots as timestamptz[])) as o(id, at, is_reachable, error, booted_at)
"""
TURNED: Final = text(
    f"select d.id from devices d join {_OUTCOMES} on o.id = d.id "  # noqa: S608  both parts are constants
    "where d.tenant_id = :tenant and d.is_reachable is distinct from o.is_reachable"
)
STORE_OUTCOMES: Final = text(
    f"""
    update devices d set polled_at = o.at, last_error = o.error, booted_at = coalesce(o.booted_at, d.booted_at),
        is_reachable = o.is_reachable,
        reachable_since = case when d.is_reachable is distinct from o.is_reachable then o.at else d.reachable_since end
    from {_OUTCOMES} where o.id = d.id and d.tenant_id = :tenant
    """  # noqa: S608  both parts are constants
)


def create_device(viewer: Viewer, fields: DeviceFields) -> Device:
    """Add a device; `name` is needed, an address of "" makes one that is not polled. Raises Conflict, InvalidInput."""
    require(viewer, WRITE, "devices")
    name = check_name(fields.name, noun="device")
    try:
        with tenant_session(viewer.tenant) as session:
            row = DeviceRow(tenant_id=viewer.tenant, name=name, address="")
            _apply(session, viewer.tenant, row, fields)
            session.add(row)
            session.flush()
            created = load_device(session, viewer.tenant, name)
            record(session, viewer, action="create", noun="devices", object_id=row.id, after=_audited(created))
    except IntegrityError:
        raise Conflict(f"There is already a device {name!r}.") from None
    announce(viewer.tenant, [name])
    return created


def change_device(viewer: Viewer, name: str, fields: DeviceFields) -> Device:
    """Set the given fields of a device; raises NotFound, Conflict, InvalidInput.

    Renaming keeps the samples under the old name: the label `device` is the name at the time of polling.
    """
    require(viewer, WRITE, "devices")
    new_name = name if fields.name is UNSET else check_name(fields.name, noun="device")
    try:
        with tenant_session(viewer.tenant) as session:
            before = load_device(session, viewer.tenant, name)
            row = session.get_one(DeviceRow, before.id)
            row.name = new_name
            _apply(session, viewer.tenant, row, fields)
            session.flush()
            after = load_device(session, viewer.tenant, new_name)
            changes = _differences(_audited(before), _audited(after))
            record(session, viewer, action="change", noun="devices", object_id=row.id, **changes)
    except IntegrityError:
        raise Conflict(f"There is already a device {new_name!r}.") from None
    announce(viewer.tenant, [new_name])
    return after


def delete_device(viewer: Viewer, name: str) -> None:
    """Remove a device with its interfaces and links; its samples stay until they are too old. Raises NotFound."""
    require(viewer, WRITE, "devices")
    with tenant_session(viewer.tenant) as session:
        before = load_device(session, viewer.tenant, name)
        session.delete(session.get_one(DeviceRow, before.id))
        record(session, viewer, action="delete", noun="devices", object_id=before.id, before=_audited(before))
    announce(viewer.tenant, [name])


def request_discovery(viewer: Viewer, name: str) -> None:
    """Have a device discovered now, by a worker; raises NotFound, and InvalidInput for one that is not polled."""
    require(viewer, WRITE, "devices")
    with tenant_session(viewer.tenant) as session:
        device = load_device(session, viewer.tenant, name)
    if not device.address or not device.credential or device.state == DeviceState.RETIRED:
        raise InvalidInput(
            "device", f"{name} is not polled: it needs an address and a credential and must not be retired"
        )
    jobs.enqueue(jobs.DISCOVER, tenant_id=viewer.tenant, device_id=device.id)


def ensure_agent_device(tenant: TenantId, name: str, *, role: str = "server") -> None:
    """Make the device of an edge agent when it is not there; it has no address and is therefore not polled."""
    with tenant_session(tenant) as session:
        if session.scalar(select(DeviceRow.id).where(DeviceRow.tenant_id == tenant, DeviceRow.name == name)) is None:
            session.add(DeviceRow(tenant_id=tenant, name=name, address="", role=role))


def record_polls(tenant: TenantId, outcomes: Sequence[PollOutcome]) -> None:
    """Note how polls went: reachability and statuses when they changed, and the time of every poll."""
    latest = {outcome.device_id: outcome for outcome in outcomes}
    with tenant_session(tenant) as session:
        changed = set(_store_outcomes(session, tenant, list(latest.values())))
        for outcome in outcomes:
            for interface, (admin, oper) in outcome.statuses.items():
                _record_status(session, outcome, interface=interface, admin=admin, oper=oper)
                changed.add(outcome.device_id)
    if changed:
        announce(tenant, sorted(latest[device_id].name for device_id in changed))


def record_discovery(tenant: TenantId, device_id: int, *, found: Discovery, at: datetime) -> None:
    """Put what discovery found on a device into the inventory: its facts, its interfaces, its links.

    What a device does not tell stays as people wrote it. A device deleted meanwhile is left alone.
    """
    with tenant_session(tenant) as session:
        row = session.get(DeviceRow, device_id)
        if row is None or row.tenant_id != tenant:
            return
        for name, value in asdict(found.device).items():
            if value and getattr(row, name) != value:
                setattr(row, name, value)
        is_first = row.discovered_at is None
        has_changed = session.is_modified(row)
        row.discovered_at = at
        has_changed |= store_interfaces(session, tenant, device_id, found=found.interfaces, at=at)
        store_neighbours(session, tenant, device_id, neighbours=found.neighbours, at=at)
        adopt_links(session, row)
        name = row.name
    if has_changed or is_first:
        announce(tenant, [name])


def announce(tenant: TenantId, names: list[str]) -> None:
    """Tell open screens which devices changed. The change is stored already, so a silent Valkey does not matter."""
    with contextlib.suppress(RedisError):
        live.publish(tenant, "devices", {"devices": names[:100], "count": len(names)})


def _store_outcomes(session: Session, tenant: TenantId, outcomes: Sequence[PollOutcome]) -> list[int]:
    """Write all outcomes in one statement; answers the ids of the devices whose reachability turned."""
    values: dict[str, Any] = {
        "tenant": tenant,
        "ids": [each.device_id for each in outcomes],
        "ats": [each.at for each in outcomes],
        "reachable": [each.is_reachable for each in outcomes],
        "errors": [each.error for each in outcomes],
        "boots": [each.booted_at for each in outcomes],
    }
    turned = session.scalars(TURNED, values).all()
    session.execute(STORE_OUTCOMES, values)
    return list(turned)


def _record_status(session: Session, outcome: PollOutcome, *, interface: str, admin: str, oper: str) -> None:
    one = (InterfaceRow.device_id == outcome.device_id, InterfaceRow.name == interface)
    session.execute(
        update(InterfaceRow)
        .where(*one, InterfaceRow.oper_status != oper)
        .values(oper_status=oper, changed_at=outcome.at)
    )
    session.execute(update(InterfaceRow).where(*one, InterfaceRow.admin_status != admin).values(admin_status=admin))


def _apply(session: Session, tenant: TenantId, row: DeviceRow, fields: DeviceFields) -> None:
    """Put the given fields into the row, checked; `name` is the caller's business."""
    given = {name: value for name, value in structs.asdict(fields).items() if value is not UNSET and name != "name"}
    if "address" in given:
        given["address"] = check_address(given["address"])
    _check_numbers(given)
    if given.get("state", DeviceState.ACTIVE) not in list(DeviceState):
        raise InvalidInput("state", f"must be one of {', '.join(DeviceState)}")
    if "tags" in given:
        given["tags"] = sorted({tag.strip() for tag in given["tags"]} - {""})[:MOST_TAGS]
    if "site" in given:
        row.site_id = _id_of(session, tenant, SiteRow, given.pop("site"), field="site")
    if "credential" in given:
        row.credential_id = _id_of(session, tenant, CredentialRow, given.pop("credential"), field="credential")
    for name, value in given.items():
        setattr(row, name, value.strip() if isinstance(value, str) else value)


def _check_numbers(given: dict[str, Any]) -> None:
    if not 1 <= given.get("port", 161) <= 65_535:
        raise InvalidInput("port", "must be from 1 to 65535")
    if not LEAST_INTERVAL_S <= given.get("poll_interval_s", 60) <= MOST_INTERVAL_S:
        raise InvalidInput("poll_interval_s", f"must be from {LEAST_INTERVAL_S} to {MOST_INTERVAL_S} seconds")


def _id_of(
    session: Session, tenant: TenantId, table: type[SiteRow] | type[CredentialRow], name: str, *, field: str
) -> int | None:
    """The id of a site or credential by name; None for ""."""
    if not name:
        return None
    found = session.scalar(select(table.id).where(table.tenant_id == tenant, table.name == name))
    if found is None:
        raise InvalidInput(field, f"there is no {field} {name!r}")
    return found


def _audited(device: Device) -> dict[str, Any]:
    """What an audit entry holds of a device: what people set."""
    return {name: getattr(device, name) for name in DeviceFields.__struct_fields__}


def _differences(before: dict[str, Any], after: dict[str, Any]) -> dict[str, dict[str, Any]]:
    changed = [name for name in after if before[name] != after[name]]
    return {"before": {name: before[name] for name in changed}, "after": {name: after[name] for name in changed}}
