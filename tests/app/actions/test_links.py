"""Links: two reports make one link, whatever the neighbours call each other's ports."""

from __future__ import annotations

from datetime import timedelta

import pytest
from redis import Redis

from app.actions.devices import create_device, record_discovery
from app.actions.links import FORGET_AFTER, delete_link
from app.clock import utc_now
from app.domain.inventory import DeviceFacts, DeviceFields, Discovery, InterfaceFacts, Neighbour
from app.errors import Forbidden, NotFound
from app.queries.links import link, links
from tests.factories.cast import Cast
from tests.factories.inventory import create_network, discover


@pytest.mark.parametrize(
    ("device", "chassis", "port", "description"),
    [
        pytest.param("edge-1", "", "Gi1", "", id="by our name of it"),
        pytest.param("EDGE-1.example.net", "", "gi1", "", id="by sysName with a domain"),
        pytest.param("", "02:00:00:00:{id:02x}:01", "02:00:00:00:{id:02x}:01", "", id="by MAC addresses"),
        pytest.param("edge-1", "", "1", "", id="by ifIndex"),
        pytest.param("edge-1", "", "slot 9", "Gi1", id="by the port's description"),
    ],
)
def test_two_reports_are_one_confirmed_link(
    cast: Cast, valkey: Redis, device: str, chassis: str, port: str, description: str
) -> None:
    core, edge = create_network(cast.alice, "core-1", "edge-1")
    chassis, port = chassis.format(id=edge.id % 256), port.format(id=edge.id % 256)
    discover(edge, cast.alice, "Gi1", "Gi2")
    discover(core, cast.alice, "Te1", neighbours=(Neighbour("Te1", device, chassis, port, description),))
    [found] = links(cast.vera)
    assert (found.a_device, found.a_interface) == ("core-1", "Te1")
    assert (found.b_device, found.b_interface, found.is_b_watched) == ("edge-1", "Gi1", True)
    assert not found.is_confirmed
    discover(edge, cast.alice, "Gi1", "Gi2", neighbours=(Neighbour("Gi1", "core-1", "", "Te1"),))
    [both] = links(cast.vera, device="edge-1")
    assert (both.id, both.is_confirmed) == (found.id, True)


def test_a_link_finds_its_other_side_when_that_is_discovered_later(cast: Cast, valkey: Redis) -> None:
    core, edge = create_network(cast.alice, "core-1", "edge-1")
    far = (Neighbour("Te1", "edge-1", "", "Gi1"), Neighbour("Te2", "late.example.net", "", "Gi1"))
    discover(core, cast.alice, "Te1", "Te2", neighbours=far)
    discover(edge, cast.alice, "Gi1")
    late = create_device(cast.alice, DeviceFields(name="late"))
    discover(late, cast.alice, "Gi1")
    discover(edge, cast.alice, "Gi1", neighbours=(Neighbour("Gi1", "core-1", "", "Te1"),))
    assert {(each.b_device, each.b_interface, each.is_b_watched, each.is_confirmed) for each in links(cast.vera)} == {
        ("edge-1", "Gi1", True, True),
        ("late", "Gi1", True, False),
    }


def test_a_port_may_have_two_neighbours_that_we_do_not_watch(cast: Cast, valkey: Redis) -> None:
    [core] = create_network(cast.alice, "core-1")
    phone, computer = Neighbour("Gi1", "phone", "", "p1"), Neighbour("Gi1", "", "0a:00:00:00:00:01", "eth0")
    discover(core, cast.alice, "Gi1", neighbours=(phone, computer))
    discover(core, cast.alice, "Gi1", neighbours=(phone, computer))
    found = {(each.b_device, each.b_interface, each.is_b_watched) for each in links(cast.vera)}
    assert found == {("phone", "p1", False), ("0a:00:00:00:00:01", "eth0", False)}


def test_a_silent_link_stays_for_a_week_and_a_moved_cable_goes_at_once(cast: Cast, valkey: Redis) -> None:
    [core] = create_network(cast.alice, "core-1")
    ports = [InterfaceFacts("Gi1", 1), InterfaceFacts("Gi2", 2)]

    def tell(at: object, *neighbours: Neighbour) -> set[str]:
        record_discovery(cast.acme, core.id, found=Discovery(DeviceFacts(), ports, neighbours), at=at)
        return {each.b_device for each in links(cast.vera)}

    start = utc_now()
    tell(start, Neighbour("Gi1", "one", "", "x"), Neighbour("Gi2", "two", "", "x"))
    assert tell(start + timedelta(hours=1), Neighbour("Gi2", "three", "", "x")) == {"one", "three"}
    assert tell(start + FORGET_AFTER + timedelta(hours=1)) == {"three"}


def test_who_may_forget_a_link(cast: Cast, valkey: Redis) -> None:
    core, edge = create_network(cast.alice, "core-1", "edge-1")
    discover(edge, cast.alice, "Gi1")
    discover(core, cast.alice, "Te1", neighbours=(Neighbour("Te1", "edge-1", "", "Gi1"),))
    discover(edge, cast.alice, "Gi1", neighbours=(Neighbour("Gi1", "core-1", "", "Te1"),))
    [found] = links(cast.vera)
    assert links(cast.charlie) == []
    with pytest.raises(NotFound):
        link(cast.charlie, found.id)
    with pytest.raises(NotFound):
        delete_link(cast.charlie, found.id)
    with pytest.raises(Forbidden):
        delete_link(cast.vera, found.id)
    delete_link(cast.bob, found.id)
    assert links(cast.vera) == []
