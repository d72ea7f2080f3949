"""The simulated agents, asked by two independent clients: ours and pysnmp; and what the process does each second."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
from pysnmp.hlapi.v3arch.asyncio import (
    CommunityData,
    ContextData,
    ObjectIdentity,
    ObjectType,
    SnmpEngine,
    UdpTransportTarget,
    bulk_cmd,
    get_cmd,
)

from app.demo.agent import answer
from app.demo.communities import communities
from app.demo.control import clear, inject, listed, pause
from app.demo.incidents import MOST_AT_ONCE, SLOT_MS, Kind
from app.demo.journal import append_incident, read_incidents
from app.demo.mib import COUNTERS, LIMIT_32, Mib
from app.demo.readings import Readings
from app.demo.simulator import QUIET_MS, Simulation, _open
from app.errors import InvalidInput
from ingest.snmp import codec, values
from ingest.snmp.client import Agent, Client

START_MS = 1_795_545_000_000
IF_NAME, HC_IN, IN_OCTETS, OPER = (
    codec.oid_octets(text)
    for text in ("1.3.6.1.2.1.31.1.1.1.1", "1.3.6.1.2.1.31.1.1.1.6", "1.3.6.1.2.1.2.2.1.10", "1.3.6.1.2.1.2.2.1.8")
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def simulation(home: Path) -> Simulation:
    return Simulation(home, START_MS)


@pytest.fixture
def mib(simulation: Simulation) -> Mib:
    return simulation.mibs["fra1-agg-01"]


def asked(mib: Mib, kind: int, *names: bytes, repetitions: int = 0) -> list[codec.Varbind]:
    prepared = codec.prepare(kind, names, community=b"secret", repetitions=repetitions)
    datagram = answer(mib, b"secret", prepared.with_id(codec.FIRST_ID), START_MS)
    assert datagram is not None
    return codec.decode_response(datagram).varbinds


def test_a_walk_sees_every_object_once_and_in_order(mib: Mib):
    seen: list[codec.Oid] = []
    name = codec.encode_oid((1, 0))
    while True:
        rows = asked(mib, codec.GETBULK, name, repetitions=50)
        for found, tag, _ in rows:
            if tag == codec.END_OF_MIB:
                assert seen == mib.oids == sorted(set(mib.oids))
                return
            seen.append(codec.decode_oid(found))
        name = rows[-1][0]


def test_get_answers_what_is_there_and_says_what_is_not(mib: Mib):
    present, absent = codec.oid_octets("1.3.6.1.2.1.1.5.0"), codec.oid_octets("1.3.6.1.2.1.1.5.1")
    assert asked(mib, codec.GET, present, absent) == [
        (present, codec.OCTETS, b"fra1-agg-01"),
        (absent, codec.NO_SUCH_OBJECT, b""),
    ]
    [(name, _, _)] = asked(mib, codec.GETNEXT, codec.oid_octets("1.3.6.1.2.1.1.4.99"))
    assert name == present


@pytest.mark.parametrize("datagram", [b"", b"\x30\x03\x02\x01", b"\xff" * 40])
def test_broken_datagrams_get_no_answer(mib: Mib, datagram: bytes):
    assert answer(mib, b"secret", datagram, START_MS) is None


def test_a_wrong_community_and_version_one_get_no_answer(mib: Mib):
    name = codec.oid_octets("1.3.6.1.2.1.1.5.0")
    for community, version in ((b"other", codec.V2C), (b"secret", codec.V1)):
        request = codec.prepare(codec.GET, [name], community=community, version=version).with_id(codec.FIRST_ID)
        assert answer(mib, b"secret", request, START_MS) is None


def test_counters_of_32_bits_wrap_and_have_no_wide_twin(simulation: Simulation):
    device = simulation.network.by_name["fra1-acc-07"]
    mib = simulation.mibs[device.name]
    index = codec.encode_arcs([device.ports[0].if_index])
    [(_, tag, content)] = asked(mib, codec.GET, IN_OCTETS + index)
    whole = Readings(simulation.timeline).ports(device, np.array([START_MS])).in_octets[0, 0]
    assert whole > LIMIT_32
    assert (tag, values.number(tag, content)) == (codec.COUNTER32, whole % LIMIT_32)
    assert asked(mib, codec.GET, HC_IN + index)[0][1] == codec.NO_SUCH_OBJECT


def test_our_client_and_pysnmp_read_the_same_over_udp(simulation: Simulation, home: Path):
    ports = {device.name: 0 for device in simulation.network.devices}

    async def both() -> None:
        transports = await _open(simulation, ports)
        number = next(i for i, d in enumerate(simulation.network.devices) if d.name == "ams2-core-01")
        port = transports[number].get_extra_info("sockname")[1]
        community = communities(home)["acme"]
        device = simulation.network.by_name["ams2-core-01"]
        try:
            async with Client(tries=2) as client:
                walk = await client.columns(Agent("127.0.0.1", port, community.encode()), [IF_NAME, HC_IN, OPER])
            names = {index: content.decode() for index, (_, content) in walk.columns[IF_NAME].items()}
            assert sorted(names.values()) == sorted(port.name for port in device.ports)
            assert len(walk.columns[HC_IN]) == len(walk.columns[OPER]) == len(device.ports)
            assert await with_pysnmp(port, community) == (device.name, [port.name for port in device.ports][:5])
        finally:
            for transport in transports:
                transport.close()

    asyncio.run(both())


async def with_pysnmp(port: int, community: str) -> tuple[str, list[str]]:
    """The name of the device, and the names of its first five interfaces."""
    engine = SnmpEngine()
    where = (CommunityData(community), await UdpTransportTarget.create(("127.0.0.1", port)), ContextData())
    failed, status, _, found = await get_cmd(
        engine, *where, ObjectType(ObjectIdentity("1.3.6.1.2.1.1.5.0")), lookupMib=False
    )
    assert not failed
    assert not status
    failed, status, _, rows = await bulk_cmd(
        engine, *where, 0, 5, ObjectType(ObjectIdentity("1.3.6.1.2.1.31.1.1.1.1")), lookupMib=False
    )
    assert not failed
    assert not status
    engine.close_dispatcher()
    return str(found[0][1]), [str(value) for _, value in rows]


def test_a_device_that_is_off_is_silent_and_its_neighbours_see_it(simulation: Simulation, home: Path):
    at_ms = START_MS + 5_000
    made = inject(home, "device_down", "par3-fw-01", lasts_ms=60_000, at_ms=at_ms)
    simulation.tick(at_ms)
    assert simulation.is_silent("par3-fw-01", at_ms + 1)
    assert not simulation.is_silent("par3-core-01", at_ms + 1)
    assert made.affected[0] == "par3-fw-01"
    assert [incident.id for incident in listed(home, at_ms=at_ms + 1)] == [made.id]
    assert [incident.id for incident in clear(home, at_ms=at_ms + 2_000)] == [made.id]
    simulation.tick(at_ms + 3_000)
    assert not simulation.is_silent("par3-fw-01", at_ms + 3_000)
    assert listed(home, at_ms=at_ms + 3_000) == []


def test_an_unknown_kind_is_refused(home: Path):
    with pytest.raises(InvalidInput, match="kind"):
        inject(home, "earthquake", "par3-fw-01", lasts_ms=1, at_ms=START_MS)


def test_incidents_happen_by_themselves_but_neither_early_nor_too_many_nor_when_paused(tmp_path: Path):
    simulation = Simulation(tmp_path, START_MS)
    begun: list[tuple[int, str]] = []
    # Only moments at which the schedule has something are worth a tick.
    for slot in range(START_MS // SLOT_MS, START_MS // SLOT_MS + 60):
        scheduled = simulation.faults.scheduled(slot)
        if scheduled is None:
            continue
        due = simulation.due(scheduled.start_ms)
        if due is not None:
            append_incident(tmp_path, due)
            simulation.timeline.incidents.append(due)
            begun.append((due.start_ms, due.id))
        active = [i for i in simulation.timeline.incidents if i.is_active(scheduled.start_ms)]
        assert len(active) <= MOST_AT_ONCE
    assert 20 < len(begun) < 60
    assert min(start for start, _ in begun) >= START_MS + QUIET_MS
    assert {identity for _, identity in begun} <= {incident.id for incident in read_incidents(tmp_path)}
    pause(tmp_path, is_paused=True)
    late = next(s for slot in range(9_000_000, 9_000_100) if (s := simulation.faults.scheduled(slot)))
    assert simulation.due(late.start_ms) is None
    pause(tmp_path, is_paused=False)
    assert simulation.due(late.start_ms) == late


def test_a_restarted_simulator_counts_on_without_a_jump(tmp_path: Path):
    first = Simulation(tmp_path, START_MS)
    inject(tmp_path, Kind.FIBRE_CUT, "ams2-agg-01:Ethernet25/1", lasts_ms=120_000, at_ms=START_MS)
    inject(tmp_path, Kind.DEVICE_DOWN, "ams2-agg-02", lasts_ms=60_000, at_ms=START_MS)
    for seconds in (1, 150, 400):
        first.tick(START_MS + seconds * 1000)
    at_ms = START_MS + 500_000
    second = Simulation(tmp_path, at_ms)
    assert second.timeline.states == []
    for name in ("ams2-agg-01", "ams2-agg-02", "ams2-core-01", "ams2-acc-01"):
        device = first.network.by_name[name]
        one, other = (Readings(s.timeline).ports(device, np.array([at_ms])) for s in (first, second))
        assert np.abs(one.in_octets - other.in_octets).max() <= 1024, name


def test_no_counter_ever_falls_while_its_device_runs(tmp_path: Path):
    """A dead port's counter that lost one octet to rounding would read as a restart, and its rate as a miracle."""
    simulation = Simulation(tmp_path, START_MS)
    inject(tmp_path, Kind.DEVICE_DOWN, "lon1-acc-02", lasts_ms=90_000, at_ms=START_MS + 1_000)
    inject(tmp_path, Kind.LINK_FLAP, "lon1-agg-02:xe-0/0/0", lasts_ms=90_000, at_ms=START_MS + 5_000)
    mib = simulation.mibs["lon1-agg-02"]
    before: list[int] = []
    for second in range(0, 240, 5):
        now_ms = START_MS + second * 1000
        simulation.tick(now_ms)
        place = mib.find(HC_IN + codec.encode_arcs([mib.device.ports[0].if_index]))
        assert place is not None
        mib.forget()
        mib.varbind(place, now_ms)
        counted = [value for name in COUNTERS for value in mib._values[name]]
        assert all(now >= then for now, then in zip(counted, before, strict=False))
        before = counted
