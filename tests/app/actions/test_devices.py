"""Devices: what people and discovery change, who may, and what the audit says."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from redis import Redis
from sqlalchemy import select

from app.actions import devices as actions
from app.clock import utc_now
from app.domain.inventory import DeviceFacts, DeviceFields, Discovery, InterfaceFacts, PollOutcome
from app.errors import Conflict, Forbidden, InvalidInput, NotFound
from app.queries.devices import DeviceFilter, device, device_health, devices, facets, poll_targets, sort_key
from app.queries.interfaces import all_interfaces, interface, interface_by_id, interfaces
from models.audit import AuditRow
from models.session import tenant_session
from tests.factories.cast import Cast
from tests.factories.inventory import COMMUNITY, create_network, discover


def audit_of(cast: Cast, noun: str) -> list[tuple[str, dict | None, dict | None]]:
    with tenant_session(cast.acme) as session:
        rows = session.scalars(select(AuditRow).where(AuditRow.noun == noun).order_by(AuditRow.id))
        return [(row.action, row.before, row.after) for row in rows]


def test_a_device_is_created_changed_and_deleted_with_an_audit_entry_each(cast: Cast, valkey: Redis) -> None:
    create_network(cast.alice, "core-1")
    actions.change_device(cast.bob, "core-1", DeviceFields(role="core", tags=[" b", "a", ""], state="maintenance"))
    changed = device(cast.vera, "core-1")
    assert (changed.role, changed.tags, changed.state, changed.site) == ("core", ("a", "b"), "maintenance", "berlin")
    actions.delete_device(cast.alice, "core-1")
    with pytest.raises(NotFound):
        device(cast.alice, "core-1")
    entries = audit_of(cast, "devices")
    assert [action for action, _, _ in entries] == ["create", "change", "delete"]
    assert entries[1][1:] == (
        {"role": "access", "tags": [], "state": "active"},
        {"role": "core", "tags": ["a", "b"], "state": "maintenance"},
    )
    assert COMMUNITY not in str(audit_of(cast, "credentials"))


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        (DeviceFields(name=""), "name"),
        (DeviceFields(), "name"),
        (DeviceFields(name="a/b"), "name"),
        (DeviceFields(name="x", address="not an address"), "address"),
        (DeviceFields(name="x", port=0), "port"),
        (DeviceFields(name="x", poll_interval_s=1), "poll_interval_s"),
        (DeviceFields(name="x", state="asleep"), "state"),
        (DeviceFields(name="x", site="nowhere"), "site"),
        (DeviceFields(name="x", credential="none such"), "credential"),
    ],
)
def test_bad_input_names_its_field(cast: Cast, fields: DeviceFields, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        actions.create_device(cast.alice, fields)
    assert caught.value.field == field


def test_a_name_is_taken_once_per_tenant(cast: Cast, valkey: Redis) -> None:
    create_network(cast.alice, "core-1", "core-2")
    with pytest.raises(Conflict):
        actions.create_device(cast.alice, DeviceFields(name="core-1"))
    with pytest.raises(Conflict):
        actions.change_device(cast.alice, "core-2", DeviceFields(name="core-1"))
    create_network(cast.charlie, "core-1")


def test_a_viewer_only_looks(cast: Cast, valkey: Redis) -> None:
    create_network(cast.alice, "core-1")
    for attempt in (
        lambda: actions.create_device(cast.vera, DeviceFields(name="x")),
        lambda: actions.change_device(cast.vera, "core-1", DeviceFields(role="x")),
        lambda: actions.delete_device(cast.vera, "core-1"),
        lambda: actions.request_discovery(cast.vera, "core-1"),
    ):
        with pytest.raises(Forbidden):
            attempt()


def test_charlie_of_globex_sees_nothing_of_acme(cast: Cast, valkey: Redis) -> None:
    [core] = create_network(cast.alice, "core-1")
    discover(core, cast.alice, "Gi1")
    port = interfaces(cast.alice, "core-1")[0]
    assert devices(cast.charlie) == []
    assert device_health(cast.charlie) == []
    assert all_interfaces(cast.charlie) == []
    assert facets(cast.charlie) == {"site": [], "role": [], "vendor": [], "state": []}
    assert poll_targets(cast.globex) == []
    for attempt in (
        lambda: device(cast.charlie, "core-1"),
        lambda: interfaces(cast.charlie, "core-1"),
        lambda: interface(cast.charlie, "core-1", "Gi1"),
        lambda: interface_by_id(cast.charlie, port.id),
        lambda: actions.change_device(cast.charlie, "core-1", DeviceFields(role="x")),
        lambda: actions.delete_device(cast.charlie, "core-1"),
        lambda: actions.request_discovery(cast.charlie, "core-1"),
    ):
        with pytest.raises(NotFound):
            attempt()
    discover(core, cast.charlie, "Gi9")
    actions.record_polls(cast.globex, [PollOutcome(core.id, core.name, is_reachable=False, at=utc_now())])
    assert [each.name for each in interfaces(cast.alice, "core-1")] == ["Gi1"]
    assert device(cast.alice, "core-1").is_reachable is None


def test_devices_are_filtered_sorted_and_paged(cast: Cast, valkey: Redis) -> None:
    create_network(cast.alice, "b", "c", "a")
    create_network_elsewhere = DeviceFields(name="d", role="core", address="")
    actions.create_device(cast.alice, create_network_elsewhere)
    assert [each.name for each in devices(cast.vera)] == ["a", "b", "c", "d"]
    assert [each.name for each in devices(cast.vera, DeviceFilter(role="access", text="127 A"), sort="-name")] == ["a"]
    assert [each.name for each in devices(cast.vera, DeviceFilter(site="berlin"))] == ["a", "b", "c"]
    seen, after = [], None
    while page := devices(cast.vera, sort="-role", after=after, limit=2):
        seen += [each.name for each in page]
        after = sort_key(page[-1], "-role")
    assert sorted(seen) == ["a", "b", "c", "d"]
    assert seen[0] == "d"
    with pytest.raises(InvalidInput):
        devices(cast.vera, sort="colour")
    assert facets(cast.vera)["role"] == ["access", "core"]


def test_polls_note_only_what_changed(cast: Cast, valkey: Redis) -> None:
    [core] = create_network(cast.alice, "core-1")
    discover(core, cast.alice, "Gi1", "Gi2")
    start = utc_now()
    outcome = PollOutcome(core.id, core.name, is_reachable=True, at=start, statuses={"Gi1": ("up", "down")})
    listener = valkey.pubsub()
    listener.subscribe(f"live:{cast.acme}:devices")
    actions.record_polls(cast.acme, [outcome])
    later = start + timedelta(minutes=1)
    actions.record_polls(cast.acme, [replace(outcome, at=later, statuses={})])
    polled = device(cast.vera, "core-1")
    assert (polled.is_reachable, polled.reachable_since, polled.polled_at) == (True, start, later)
    port = interface(cast.vera, "core-1", "Gi1")
    assert (port.oper_status, port.changed_at) == ("down", start)
    told = [m for m in (listener.get_message(timeout=1) for _ in range(3)) if m and m["type"] == "message"]
    assert len(told) == 1  # the second poll changed nothing that a screen shows
    health = device_health(cast.vera)[0]
    assert (health.status, health.interfaces_down) == ("up", 1)


def test_a_device_that_is_retired_or_has_no_address_is_not_polled(cast: Cast, valkey: Redis) -> None:
    create_network(cast.alice, "a", "b", "c", "d")
    actions.change_device(cast.alice, "b", DeviceFields(state="retired"))
    actions.change_device(cast.alice, "c", DeviceFields(address=""))
    actions.change_device(cast.alice, "d", DeviceFields(credential=""))
    [target] = poll_targets(cast.acme)
    assert (target.name, target.community.decode(), target.site) == ("a", COMMUNITY, "berlin")
    assert COMMUNITY not in repr(target)
    with pytest.raises(InvalidInput):
        actions.request_discovery(cast.alice, "b")


def test_discovery_keeps_ports_by_name_and_marks_those_that_are_gone(cast: Cast, valkey: Redis) -> None:
    [core] = create_network(cast.alice, "core-1")
    first, second = utc_now(), utc_now() + timedelta(hours=1)
    facts = DeviceFacts(vendor="Cisco", serial="FOC1")
    ports = [InterfaceFacts("Gi1", 1, oper_status="up"), InterfaceFacts("Gi2", 2)]
    actions.record_discovery(cast.acme, core.id, found=Discovery(facts, ports), at=first)
    before = {each.name: each for each in interfaces(cast.vera, "core-1")}
    actions.change_device(cast.alice, "core-1", DeviceFields(model="by hand"))
    renumbered = [InterfaceFacts("Gi1", 1001, oper_status="up")]
    actions.record_discovery(cast.acme, core.id, found=Discovery(DeviceFacts(vendor="Cisco"), renumbered), at=second)
    after = {each.name: each for each in interfaces(cast.vera, "core-1")}
    assert (after["Gi1"].id, after["Gi1"].if_index, after["Gi1"].changed_at) == (before["Gi1"].id, 1001, first)
    assert (after["Gi2"].missing_since, after["Gi1"].missing_since) == (second, None)
    found = device(cast.vera, "core-1")
    assert (found.vendor, found.model, found.serial, found.discovered_at) == ("Cisco", "by hand", "FOC1", second)
    assert [each.name for each in interfaces(cast.vera, "core-1", with_missing=False)] == ["Gi1"]
    actions.record_discovery(cast.acme, core.id, found=Discovery(facts, ports), at=second + timedelta(hours=1))
    assert interface(cast.vera, "core-1", "Gi2").missing_since is None


def test_interfaces_are_in_the_order_people_count(cast: Cast, valkey: Redis) -> None:
    [core] = create_network(cast.alice, "core-1")
    discover(core, cast.alice, "Gi1/0/10", "Gi1/0/2", "mgmt", "Gi1/0/1")
    assert [each.name for each in interfaces(cast.vera, "core-1")] == ["Gi1/0/1", "Gi1/0/2", "Gi1/0/10", "mgmt"]


def test_an_agents_device_is_made_once(cast: Cast, valkey: Redis) -> None:
    for _ in range(2):
        actions.ensure_agent_device(cast.acme, "noc-server")
    [found] = devices(cast.vera)
    assert (found.name, found.address, found.role) == ("noc-server", "", "server")
