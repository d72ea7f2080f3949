"""`python -m app snmp`: lines, exit codes, and the same answers as another implementation of SNMP."""

from __future__ import annotations

import asyncio
import json

import pytest
from pysnmp.hlapi.v3arch.asyncio import (
    CommunityData,
    ContextData,
    ObjectIdentity,
    ObjectType,
    SnmpEngine,
    UdpTransportTarget,
    bulk_walk_cmd,
)

from app.__main__ import main
from ingest.snmp import codec
from tests.fakes.snmp_agent import RECORDINGS, AgentServer, FakeAgent, load_recording, switch


def run(server: FakeAgent, *arguments: str) -> int:
    return main(["snmp", arguments[0], "127.0.0.1", "--port", str(server.port), "--tries", "1", *arguments[1:]])


def test_a_walk_prints_a_line_for_each_value(capsys: pytest.CaptureFixture[str]) -> None:
    with AgentServer([FakeAgent(switch(2))]) as agents:
        assert run(agents.agents[0], "walk", "1.3.6.1.2.1.1") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:4] == [
        "1.3.6.1.2.1.1.2.0 = OID: 1.3.6.1.4.1.8072.3.2.255",
        "1.3.6.1.2.1.1.3.0 = Timeticks: 123456789",
        "1.3.6.1.2.1.1.5.0 = STRING: switch",
    ]


def test_one_value_is_printed_by_its_own_name(capsys: pytest.CaptureFixture[str]) -> None:
    with AgentServer([FakeAgent(switch(2))]) as agents:
        assert run(agents.agents[0], "walk", "1.3.6.1.2.1.1.5.0") == 0
    assert capsys.readouterr().out == "1.3.6.1.2.1.1.5.0 = STRING: switch\n"


@pytest.mark.parametrize(
    ("arguments", "fault", "code", "complaint"),
    [
        (("walk", "-c", "wrong"), "", 1, "does not answer"),
        (("walk", "1.3.6.1.4.1.77"), "", 1, "nothing below"),
        (("walk", "1.3.6.1.2.1.2.2"), "loop", 1, "do not increase"),
        (("walk", "1.3.6.1.2.1.2.2", "--limit", "5"), "", 1, "row limit"),
        (("walk", "sysName"), "", 2, "object identifier"),
        (("walk", "--version", "4"), "", 2, "version"),
        (("discover", "-c", "wrong"), "", 1, "does not answer"),
    ],
)
def test_failures_have_one_line_and_a_code(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], fault: str, code: int, complaint: str
) -> None:
    with AgentServer([FakeAgent(switch(48), fault=fault)]) as agents:
        assert run(agents.agents[0], *arguments) == code
    assert complaint in capsys.readouterr().err


def test_discover_says_what_it_finds(capsys: pytest.CaptureFixture[str]) -> None:
    with AgentServer([FakeAgent(switch(3))]) as agents:
        assert run(agents.agents[0], "discover") == 0
        assert "  1  Gi1/0/1  up/up  1000 Mbit/s" in capsys.readouterr().out
        assert run(agents.agents[0], "discover", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["profile"], len(found["interfaces"]), found["series"]["ifHCInOctets"]) == ("generic", 3, 3)


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings are not beside the project")
def test_a_walk_finds_what_pysnmp_finds(capsys: pytest.CaptureFixture[str]) -> None:
    with AgentServer([FakeAgent(load_recording("opengear_humidity"))]) as agents:
        assert run(agents.agents[0], "walk", "1.3.6.1.2.1.2") == 0
        theirs = asyncio.run(pysnmp_walk(agents.agents[0].port, "1.3.6.1.2.1.2"))
    ours = [line.partition(" = ") for line in capsys.readouterr().out.splitlines()]
    assert [name for name, _, _ in ours] == [name for name, _ in theirs]
    numbers = {name: value for name, value in theirs if value.isdigit()}
    assert {name: text.partition(": ")[2] for name, _, text in ours if name in numbers} == numbers


async def pysnmp_walk(port: int, root: str) -> list[tuple[str, str]]:
    """The same walk by an independent implementation."""
    target = await UdpTransportTarget.create(("127.0.0.1", port), timeout=2, retries=1)
    found: list[tuple[str, str]] = []
    walk = bulk_walk_cmd(
        SnmpEngine(), CommunityData("public", mpModel=1), target, ContextData(), 0, 20,
        ObjectType(ObjectIdentity(root)), lookupMib=False, lexicographicMode=False,
    )  # fmt: skip
    async for error, status, _, rows in walk:
        assert not error
        assert not status
        found += [(codec.format_oid(tuple(name)), value.prettyPrint()) for name, value in rows]
    return found
