"""Oddities: drawn from the seed, seen on their one series, and gone afterwards without a trace in the counters."""

from __future__ import annotations

import numpy as np
import pytest

from app.demo.incidents import FAULTS as KINDS_OF_FAULTS
from app.demo.incidents import ODDITIES, Faults, Incident, Kind, series_of
from app.demo.logbook import injection_of
from app.demo.network import build_network
from app.demo.oddities import ODD_SLOT_MS, PAST_MS, Oddities
from app.demo.readings import Readings
from app.demo.timeline import Timeline
from app.demo.traffic import Traffic
from app.domain.injections import Family
from app.errors import InvalidInput

NETWORK = build_network()
EPOCH_MS = 1_795_545_000_000
TRAFFIC = Traffic(NETWORK, EPOCH_MS)
FAULTS = Faults(NETWORK, TRAFFIC.router)
DRAWN = Oddities(NETWORK, TRAFFIC)
START, END = EPOCH_MS - 7_200_000, EPOCH_MS - 3_600_000
PORT = "fra1-agg-01:Ethernet5:in"


def oddity(kind: Kind, target: str = PORT) -> Incident:
    return FAULTS.incident("o", kind, target, start_ms=START, end_ms=END, by="hand")


def rate(target: str, *incidents: Incident, start: int = START, end: int = END) -> float:
    """Octets per second of a port's direction between two moments."""
    return rate_in(Readings(Timeline(TRAFFIC, FAULTS, incidents)), target, start, end)


def rate_in(read: Readings, target: str, start: int, end: int) -> float:
    device, port, way = series_of(target)
    ports = read.ports(NETWORK.by_name[device], np.array([start, end]))
    octets = getattr(ports, f"{way}_octets")[:, NETWORK.by_name[device].port_numbers[port]]
    return float(octets[1] - octets[0]) / ((end - start) / 1000)


def test_the_past_has_some_of_every_kind_in_its_last_days_and_both_tenants():
    past = DRAWN.past(EPOCH_MS)
    assert 20 <= len(past) <= 40
    assert {each.kind for each in past} == set(ODDITIES)
    assert {NETWORK.by_name[series_of(each.target)[0]].tenant for each in past} == {"acme", "globex"}
    assert all(EPOCH_MS - PAST_MS <= each.start_ms < each.end_ms < EPOCH_MS for each in past)
    assert past == Oddities(NETWORK, TRAFFIC).past(EPOCH_MS)


def test_live_ones_come_every_quarter_of_an_hour_or_two():
    first = EPOCH_MS // ODD_SLOT_MS
    found = [each for slot in range(first, first + 100) if (each := DRAWN.scheduled(slot))]
    assert 80 < len(found) < 100
    assert len({each.id for each in found}) == len(found)


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [(Kind.LEVEL_SHIFT, 1.5, 4.0), (Kind.SPIKE, 1.5, 1000.0), (Kind.DROPOUT, 0.0, 0.1), (Kind.STUCK, 0.0, 0.0)],
)
def test_a_port_carries_more_or_less_while_it_lasts_and_as_ever_afterwards(kind: Kind, low: float, high: float):
    target = next(each.target for each in DRAWN.past(EPOCH_MS) if series_of(each.target)[2])
    odd = oddity(kind, target)
    assert low <= rate(target, odd) / rate(target) <= high
    after = {"start": END, "end": END + 600_000}
    assert rate(target, odd, **after) == pytest.approx(rate(target, **after), rel=1e-6)
    assert rate(target, odd) * 8 < TRAFFIC.speed.max() * 8


def test_no_oddity_of_the_past_fills_its_port():
    past = DRAWN.past(EPOCH_MS)
    read = Readings(Timeline(TRAFFIC, FAULTS, past))
    for each in past:
        device, port, way = series_of(each.target)
        if way:
            speed = NETWORK.port(device, port).speed_bps / 8
            assert rate_in(read, each.target, each.start_ms, each.end_ms) < speed


def test_a_changed_day_is_another_day():
    target = next(each.target for each in DRAWN.past(EPOCH_MS) if each.kind is Kind.DAY_SHAPE)
    odd = oddity(Kind.DAY_SHAPE, target)
    assert abs(rate(target, odd) / rate(target) - 1) > 0.1


def test_a_stuck_gauge_says_the_same_again_and_again_and_others_go_on():
    device = NETWORK.by_name["lon1-core-01"]
    read = Readings(Timeline(TRAFFIC, FAULTS, [oddity(Kind.STUCK, "lon1-core-01:cpu")]))
    times = np.arange(START, END, 60_000)
    assert len(np.unique(read.cpu_percent(device, times), axis=0)) == 1
    assert len(np.unique(read.temperature_tenths(device, times))) > 10
    assert len(np.unique(read.cpu_percent(device, times + 7_200_000), axis=0)) > 10


def test_a_hot_chassis_is_hotter_and_full_memory_fuller():
    device = NETWORK.by_name["lon1-core-01"]
    odd = [oddity(Kind.LEVEL_SHIFT, f"lon1-core-01:{gauge}") for gauge in ("temperature", "memory")]
    at = np.array([START + 1000])
    quiet, warm = (Readings(Timeline(TRAFFIC, FAULTS, its)) for its in ([], odd))
    assert warm.temperature_tenths(device, at)[0] - quiet.temperature_tenths(device, at)[0] == pytest.approx(150, abs=1)
    assert warm.memory_units(device, at)[0] > 1.15 * quiet.memory_units(device, at)[0]


@pytest.mark.parametrize("target", ["fra1-agg-01:Ethernet5", "fra1-agg-01:cpu:in", "nowhere:cpu", "fra1-agg-01:x:in"])
def test_a_target_that_is_no_series_is_refused(target: str):
    with pytest.raises(InvalidInput):
        oddity(Kind.SPIKE, target)


def test_they_are_logged_by_their_series_and_faults_by_what_they_affect():
    odd = injection_of(oddity(Kind.SPIKE))
    assert (odd.family, odd.kind, odd.metric) == (Family.ODDITY, "spike", "ifHCInOctets")
    assert odd.labels == {"device": "fra1-agg-01", "ifName": "Ethernet5"}
    assert injection_of(oddity(Kind.STUCK, "fra1-agg-01:cpu")).metric == "cpu_utilisation_ratio"
    down = FAULTS.incident("f", Kind.DEVICE_DOWN, "fra1-acc-01", start_ms=START, end_ms=END, by="hand")
    fault = injection_of(down)
    assert (fault.family, fault.metric, fault.labels) == (Family.FAULT, "", {"device": "fra1-acc-01"})
    assert set(fault.affected) == set(down.affected)
    assert down.kind in KINDS_OF_FAULTS
