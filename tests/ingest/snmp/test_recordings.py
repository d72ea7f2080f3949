"""Recorded devices, served over UDP and read back: every port that another program found on them, and its values."""

from __future__ import annotations

import asyncio
import json
import re

import pytest

from app.domain.inventory import Discovery
from app.domain.labels import METRIC, decode_labels
from ingest.snmp import codec
from ingest.snmp.client import Agent, Client
from ingest.snmp.discovery import discover
from ingest.snmp.plan import Plan, compile_plan
from ingest.snmp.profiles import load_profiles
from ingest.snmp.survey import survey
from tests.fakes.snmp_agent import RECORDINGS, AgentServer, FakeAgent, load_recording

pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings are not beside the project")

# The names that the oracle has for the numbers of IANAifType.
IF_TYPES = {
    1: "other", 5: "rfc877x25", 6: "ethernetCsmacd", 22: "propPointToPointSerial", 23: "ppp", 24: "softwareLoopback",
    33: "rs232", 49: "aal5", 53: "propVirtual", 117: "gigabitEthernet", 118: "hdlc", 131: "tunnel", 135: "l2vlan",
    136: "l3ipvlan", 142: "ipForward", 150: "mplsTunnel", 160: "usb", 161: "ieee8023adLag", 166: "mpls", 209: "bridge",
    244: "wwanPP2", 246: "pon", 71: "ieee80211", 250: "gpon", 18: "ds1", 37: "atm", 94: "adsl", 77: "lapd",
}  # fmt: skip
COUNTERS = {
    "ifInOctets": "ifHCInOctets", "ifOutOctets": "ifHCOutOctets", "ifInUcastPkts": "ifHCInUcastPkts",
    "ifOutUcastPkts": "ifHCOutUcastPkts", "ifInErrors": "ifInErrors", "ifOutErrors": "ifOutErrors",
    "ifInDiscards": "ifInDiscards", "ifOutDiscards": "ifOutDiscards",
}  # fmt: skip
# At least this share of the values that both programs have is equal; the rest is explained in the data's own README.
VALUES_OK = {"nxos_n3k-3064pq": 0.94, "ios_2960x": 0.97}
NAMES = sorted(path.stem for path in RECORDINGS.glob("*.snmprec"))
FOUR = ("arista_eos_vrf", "ios_2960x", "junos_rpm", "opengear_humidity")


def read(name: str) -> tuple[Discovery, Plan, dict[tuple[tuple[str, str], ...], float]]:
    """What discovery finds on a recording, the plan it gives, and the samples of one poll by it."""

    async def main() -> tuple[Discovery, Plan, list[float]]:
        async with Client() as client:
            agent = Agent("127.0.0.1", server.agents[0].port)
            seen = await survey(client, agent, load_profiles())
            found = discover(seen)
            plan = compile_plan(seen, found.interfaces, labels={"device": name})
            filled = plan.blank()
            for at in range(0, len(plan.names), 48):
                prepared = codec.prepare(codec.GET, plan.names[at : at + 48], community=b"public")
                assert plan.take(await client.get_prepared(agent, prepared), filled) == 0 or at == 0
            return found, plan, filled

    with AgentServer([FakeAgent(load_recording(name))]) as server:
        found, plan, filled = asyncio.run(main())
    batch = plan.batch(filled, at_ms=0, duration_s=0.1)
    samples = {decode_labels(batch.keys[place]): float(batch.values[n]) for n, place in enumerate(batch.series)}
    return found, plan, samples


def as_the_oracle_has_it(found: Discovery, samples: dict[tuple[tuple[str, str], ...], float]) -> list[dict]:
    """Our ports in the words of the expected files."""
    counters: dict[str, dict[str, float]] = {}
    for labels, value in samples.items():
        named = dict(labels)
        if "ifName" in named:
            counters.setdefault(named["ifName"], {})[named[METRIC]] = value
    return [
        {
            "ifIndex": port.if_index,
            "ifName": re.sub(r" \(\d+\)$", "", port.name),
            "ifDescr": port.description,
            "ifAlias": port.alias,
            "ifType": IF_TYPES.get(port.if_type, str(port.if_type)),
            "ifMtu": port.mtu,
            "ifPhysAddress": port.mac,
            "ifSpeed": port.speed_bps,
            "ifAdminStatus": port.admin_status,
            "ifOperStatus": port.oper_status,
            **{theirs: counters.get(port.name, {}).get(ours) for theirs, ours in COUNTERS.items()},
        }
        for port in found.interfaces
    ]


def differences(expected: list[dict], found: list[dict]) -> tuple[int, list[str]]:
    """How many values both have, and which of them differ; the oracle's 0 for "no such counter" does not count."""
    ours = {port["ifIndex"]: port for port in found}
    compared, wrong = 0, []
    for port in expected:
        mine = ours[port["ifIndex"]]
        for field, value in mine.items():
            theirs = port.get(field)
            if theirs in (None, "") or "<private>" in str(theirs) or (theirs == 0 and value is None):
                continue
            if field == "ifAlias" and not value and theirs in (port.get("ifName"), port.get("ifDescr")):
                continue
            compared += 1
            if _plain(value) != _plain(theirs):
                wrong.append(f"{port['ifIndex']} {field}: {value!r}, not {theirs!r}")
    return compared, wrong


def _plain(value: object) -> object:
    if isinstance(value, str):
        text = value.strip().lower()
        return text.replace(":", "") if re.fullmatch(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", text) else text
    return value


@pytest.mark.parametrize("name", FOUR)
def test_every_port_is_found_with_its_values(name: str) -> None:
    expected = json.loads((RECORDINGS / "expected" / f"{name}.json").read_text())["ports"]
    found, _, samples = read(name)
    ports = as_the_oracle_has_it(found, samples)
    assert {port["ifIndex"] for port in expected} <= {port["ifIndex"] for port in ports}
    compared, wrong = differences(expected, ports)
    assert compared > 10 * len(expected)
    assert 1 - len(wrong) / compared >= VALUES_OK.get(name, 0.99), wrong[:20]


@pytest.mark.parametrize("name", ["aos6", "ios_2960x", "procurve_e2910"])
def test_every_neighbour_is_found_on_its_port(name: str) -> None:
    expected = json.loads((RECORDINGS / "expected" / f"{name}.json").read_text())["links"]
    found = {(each.interface, each.device.lower()) for each in read(name)[0].neighbours}
    told = {(each["ifName"], each["remote_hostname"].lower()) for each in expected}
    known = {
        each
        for each in told
        if any(each[0] == port and device and each[1].startswith(device) for port, device in found)
    }
    assert told - known == set()
