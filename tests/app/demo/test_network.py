"""The demo network is one redundant topology, the same for the same seed."""

from __future__ import annotations

from collections import Counter

from app.demo.network import build_network
from app.demo.routing import WHOLE, Router, demands_of, distances_from

NETWORK = build_network()


def test_equal_seeds_give_equal_networks_and_others_do_not():
    assert build_network(3) == build_network(3)
    assert build_network(3) != build_network(4)


def test_both_tenants_have_their_devices_over_their_sites():
    counts = Counter(device.tenant for device in NETWORK.devices)
    assert counts["acme"] >= 40
    assert counts["globex"] == 10
    assert len({device.place.name for device in NETWORK.of_tenant("acme")}) == 5
    assert {device.role for device in NETWORK.devices} == {"core", "aggregation", "access", "firewall"}


def test_names_and_serials_are_unique_and_ports_have_real_sizes():
    assert len({device.name for device in NETWORK.devices}) == len(NETWORK.devices)
    for device in NETWORK.devices:
        assert 8 <= len(device.ports) <= 48
        assert len({port.name for port in device.ports}) == len(device.ports)
        assert len({port.if_index for port in device.ports}) == len(device.ports)


def test_the_two_ends_of_a_link_name_each_other():
    for link in NETWORK.links:
        a, b = NETWORK.port(*link.a), NETWORK.port(*link.b)
        assert (a.peer, b.peer) == (link.b, link.a)
        assert (a.out_flow, a.in_flow) == (b.in_flow, b.out_flow)
        assert a.speed_bps == b.speed_bps == link.speed_bps
        assert link.b[0] in a.alias
        assert link.a[0] in b.alias


def test_each_tenant_is_one_topology_of_its_own():
    around = Router(NETWORK, demands_of(NETWORK)).neighbours(WHOLE)
    for tenant in ("acme", "globex"):
        devices = NETWORK.of_tenant(tenant)
        assert set(distances_from([devices[0].name], around)) == {device.name for device in devices}


def test_most_devices_survive_the_loss_of_any_one_link():
    router = Router(NETWORK, demands_of(NETWORK))
    around = router.neighbours(WHOLE)
    redundant = [name for name, hops in around.items() if len(hops) > 1]
    assert len(redundant) > 0.8 * len(NETWORK.devices)


def test_some_ports_are_shut_and_some_count_in_32_bits():
    ports = [port for device in NETWORK.devices for port in device.ports]
    assert any(not port.is_enabled for port in ports)
    assert {device.hardware.counter_bits for device in NETWORK.devices} == {32, 64}
    assert {port.speed_bps for port in ports} >= {1_000_000_000, 10_000_000_000, 40_000_000_000, 100_000_000_000}
