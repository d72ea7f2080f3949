"""Incidents: drawn from the seed, never too many, and with the effects that operators know."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from app.demo.incidents import FAULTS as KINDS_OF_FAULTS
from app.demo.incidents import SLOT_MS, Faults, Incident, Kind
from app.demo.network import build_network
from app.demo.readings import DARK_CENTI_DBM, DOWN, UP, Readings, optic_ports
from app.demo.timeline import Timeline
from app.demo.traffic import HISTORY_DAYS, Traffic
from app.errors import InvalidInput

NETWORK = build_network()
EPOCH_MS = 1_795_545_000_000
TRAFFIC = Traffic(NETWORK, EPOCH_MS)
FAULTS = Faults(NETWORK, TRAFFIC.router)
START, END = EPOCH_MS + 100_000, EPOCH_MS + 400_000
DURING, AFTER = START + 200_000, END + 60_000


def incident(kind: Kind, target: str) -> Incident:
    return FAULTS.incident("i", kind, target, start_ms=START, end_ms=END, by="hand")


def readings(*incidents: Incident) -> Readings:
    return Readings(Timeline(TRAFFIC, FAULTS, incidents))


def at(*times: int) -> np.ndarray:
    return np.array(times, dtype=np.int64)


def test_the_schedule_is_the_same_for_the_same_seed_and_knows_every_kind():
    slots = range(EPOCH_MS // SLOT_MS, EPOCH_MS // SLOT_MS + 300)
    drawn = [FAULTS.scheduled(slot) for slot in slots]
    assert drawn == [Faults(NETWORK, TRAFFIC.router).scheduled(slot) for slot in slots]
    happened = [each for each in drawn if each]
    assert {each.kind for each in happened} == set(KINDS_OF_FAULTS)
    assert 150 < len(happened) < 290
    assert all(each.affected and each.end_ms > each.start_ms for each in happened)


def test_the_past_has_incidents_that_do_not_overlap_and_end_before_the_beginning():
    past = FAULTS.past(EPOCH_MS, HISTORY_DAYS)
    assert len(past) > 2 * HISTORY_DAYS
    assert all(a.end_ms < b.start_ms for a, b in pairwise(past))
    assert past[-1].end_ms < EPOCH_MS
    assert past[0].start_ms >= EPOCH_MS - HISTORY_DAYS * 86_400_000


@pytest.mark.parametrize(
    ("kind", "target"),
    [(Kind.DEVICE_DOWN, "nowhere-01"), (Kind.FIBRE_CUT, "fra1-agg-01"), (Kind.CONGESTION, "fra1-agg-01:Ethernet99")],
)
def test_a_target_that_does_not_exist_is_refused(kind, target):
    with pytest.raises(InvalidInput):
        incident(kind, target)


def test_a_device_that_is_off_takes_what_hangs_behind_it_along():
    down = incident(Kind.DEVICE_DOWN, "fra1-acc-01")
    assert {"fra1-acc-01", "fra1-acc-07"} <= set(down.affected)
    state = readings(down).timeline.state_at(DURING)
    assert state.silent == {"fra1-acc-01", "fra1-acc-07"}
    assert state.off == {"fra1-acc-01"}


def test_a_device_that_was_off_starts_again_with_counters_at_zero():
    read, device = readings(incident(Kind.DEVICE_DOWN, "fra1-acc-01")), NETWORK.by_name["fra1-acc-01"]
    before, after = (read.ports(device, at(time)).in_octets.sum() for time in (START - 1000, AFTER))
    assert 0 < after < before / 100
    assert read.uptime_ms(device, at(AFTER))[0] == AFTER - END
    assert list(read.is_reachable(device, at(START - 1, START, END - 1, END))) == [True, False, False, True]


def test_a_dependent_keeps_its_counters_but_passes_nothing_meanwhile():
    read, device = readings(incident(Kind.DEVICE_DOWN, "fra1-acc-01")), NETWORK.by_name["fra1-acc-07"]
    uplink = next(row for row, port in enumerate(device.ports) if port.role == "uplink")
    octets = read.ports(device, at(START - 1, START, END, AFTER)).in_octets[:, uplink]
    assert octets[1] == octets[2] > 0
    assert octets[3] > octets[2]
    assert read.uptime_ms(device, at(AFTER))[0] > AFTER - EPOCH_MS


def test_a_cut_fibre_darkens_both_ends_and_their_traffic():
    cut = incident(Kind.FIBRE_CUT, "ams2-agg-01:Ethernet25/1")
    read = readings(cut)
    for end in cut.affected:
        name, port_name = end.split(":")
        device = NETWORK.by_name[name]
        row = device.port_numbers[port_name]
        ports = read.ports(device, at(START - 1, START, END - 1, END))
        assert list(ports.oper_status[:, row]) == [UP, DOWN, DOWN, UP]
        assert ports.in_octets[1, row] == ports.in_octets[2, row]
        optic = [port.name for port in optic_ports(device)].index(port_name)
        assert read.rx_centi_dbm(device, at(DURING))[0, optic] == DARK_CENTI_DBM


def test_a_flapping_link_goes_down_and_up_again_and_again():
    flap = incident(Kind.LINK_FLAP, "lon1-core-02:et-0/0/1")
    device = NETWORK.by_name["lon1-core-02"]
    times = np.arange(START, END, 5_000)
    status = readings(flap).ports(device, times).oper_status[:, device.port_numbers["et-0/0/1"]]
    assert set(status) == {UP, DOWN}
    assert np.abs(np.diff(status)).sum() >= 6


def test_an_overloaded_processor_is_seen_while_it_lasts():
    read, device = readings(incident(Kind.CPU_OVERLOAD, "par3-core-01")), NETWORK.by_name["par3-core-01"]
    load = read.cpu_percent(device, at(START - 1000, DURING, AFTER))
    assert load[1].min() >= 90
    assert load[[0, 2]].max() < 80


def test_a_fading_optic_loses_light_and_breaks_packets_at_its_end_only():
    target = "fra1-agg-01:Ethernet25/1"
    read, device = readings(incident(Kind.OPTIC_FADING, target)), NETWORK.by_name["fra1-agg-01"]
    optic = [port.name for port in optic_ports(device)].index("Ethernet25/1")
    light = read.rx_centi_dbm(device, at(START - 1000, END - 1000, AFTER))[:, optic]
    assert light[1] < light[0] - 1500
    assert light[2] == pytest.approx(light[0], abs=40)
    errors = read.ports(device, at(START, END, AFTER)).in_errors
    assert errors[0].sum() == 0
    assert errors[1].sum() == errors[2].sum() == errors[2, device.port_numbers["Ethernet25/1"]] > 1000
    far = NETWORK.by_name["fra1-core-01"]
    assert read.ports(far, at(AFTER)).in_errors.sum() == 0


def test_a_congested_link_is_full_and_drops():
    read, device = readings(incident(Kind.CONGESTION, "fra1-core-01:et-0/0/0")), NETWORK.by_name["fra1-core-01"]
    row = device.port_numbers["et-0/0/0"]
    ports = read.ports(device, at(START, END))
    rate_bps = np.diff(ports.out_octets[:, row])[0] * 8 / ((END - START) / 1000)
    assert rate_bps == pytest.approx(0.985 * device.ports[row].speed_bps, rel=1e-3)
    assert ports.out_discards[1, row] > 1000


def test_incidents_at_once_add_up_to_no_nonsense():
    both = readings(incident(Kind.FIBRE_CUT, "ams2-agg-01:Ethernet25/1"), incident(Kind.DEVICE_DOWN, "ams2-agg-02"))
    times = np.arange(START - 30_000, END + 30_000, 15_000)
    for device in NETWORK.of_tenant("acme"):
        if device.name != "ams2-agg-02":
            octets = both.ports(device, times).in_octets
            assert (np.diff(octets, axis=0) >= 0).all(), device.name


def test_what_is_settled_reads_as_before():
    past = FAULTS.past(EPOCH_MS, HISTORY_DAYS)
    fresh, settled = Timeline(TRAFFIC, FAULTS, past), Timeline(TRAFFIC, FAULTS, past)
    settled.settle(EPOCH_MS)
    assert settled.states == []
    for device in NETWORK.devices:
        one, other = (Readings(line).ports(device, at(EPOCH_MS + 5_000)) for line in (fresh, settled))
        assert np.abs(one.in_octets - other.in_octets).max() <= 1024  # 52 bits of a sum with 60
        assert np.abs(one.in_errors - other.in_errors).max() <= 1
