"""The SNMP client against agents that behave and agents that do not: every row of the list of known misbehaviours."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from ingest.snmp import codec, values
from ingest.snmp.client import Agent, AgentError, Client, NoAnswer
from ingest.snmp.walk import ColumnWalk, Stop
from tests.fakes.snmp_agent import AgentServer, FakeAgent, switch

T = TypeVar("T")

IF_TABLE = codec.oid_octets("1.3.6.1.2.1.2.2")
IF_COLUMNS = [codec.oid_octets(f"1.3.6.1.2.1.2.2.1.{column}") for column in (2, 3, 5, 7, 8, 10, 13, 14, 16, 19)]
ODD = codec.oid_octets("1.3.6.1.4.1.99999.1")
SYS_UP_TIME = codec.oid_octets("1.3.6.1.2.1.1.3.0")
PORTS = 48
ROWS = PORTS * 14  # what switch() has under ifTable

ODD_VALUES = {
    1: ("4104fffffffe", 4294967294),
    2: ("460900fffffffffffffffe", 2**64 - 2),
    3: ("4608fffffffffffffffe", 2**64 - 2),
    4: ("42020007", 7),
    5: ("42050200000000", 2**33),
    6: ("0200", 0),
    7: ("0404fffe80c3", "ff fe 80 c3"),
    9: ("048400000003616263", "abc"),
    10: ("44079f7804422a0000", 42.5),
    11: ("4010" + "00" * 16, "::"),
    12: ("06072b069080808001", "1.3.6.4294967297"),
    13: ("04056162636400", "abcd"),
    14: ("0600", ""),
    15: ("010101", "01"),
    16: ("02012a", 42),
    17: ("0500", None),
}


def run(server: FakeAgent, act: Callable[[Client, Agent], Awaitable[T]], **known: object) -> T:
    """`act` with a client and an agent, against one fake agent."""

    async def main() -> T:
        async with Client(tries=2) as client:
            agent = Agent("127.0.0.1", server.port, least_timeout_s=0.2, **known)
            agent.round_trips_s.append(0.001)  # so that a timeout is the shortest there is
            return await act(client, agent)

    with AgentServer([server]):
        return asyncio.run(main())


def walk_if_table(client: Client, agent: Agent) -> Awaitable[ColumnWalk]:
    return client.columns(agent, [IF_TABLE])


@pytest.mark.parametrize("fault", ["", "maxrep", "toobig", "dup", "wrongid", "garbage", "silent-when-large"])
def test_a_walk_is_complete(fault: str) -> None:
    server = FakeAgent(switch(PORTS), fault=fault)
    walk = run(server, walk_if_table)
    assert len(walk.columns[IF_TABLE]) == ROWS
    assert walk.stops[IF_TABLE] == Stop.OUTSIDE


@pytest.mark.parametrize("fault", ["toobig", "silent-when-large"])
def test_the_size_that_an_agent_bears_is_remembered(fault: str) -> None:
    server = FakeAgent(switch(PORTS), fault=fault)

    async def act(client: Client, agent: Agent) -> tuple[int, int]:
        await client.columns(agent, [IF_TABLE])
        asked = server.asked
        await client.columns(agent, [IF_TABLE])
        return agent.most_varbinds, server.asked - asked

    size, requests = run(server, act)
    assert size <= 20
    assert requests <= ROWS // size + 2  # no second try at the large size


def test_a_stuck_agent_ends_the_walk_of_one_column_only() -> None:
    walk = run(FakeAgent(switch(PORTS), fault="loop"), lambda client, agent: client.columns(agent, IF_COLUMNS))
    stuck = [root for root, stop in walk.stops.items() if stop == Stop.NOT_INCREASING]
    assert stuck
    assert codec.oid_octets("1.3.6.1.2.1.2.2.1.7") not in stuck
    assert all(len(walk.columns[root]) == PORTS for root in IF_COLUMNS[:4])


def test_a_walk_of_a_whole_stuck_table_ends() -> None:
    walk = run(FakeAgent(switch(PORTS), fault="loop"), walk_if_table)
    assert walk.stops[IF_TABLE] == Stop.NOT_INCREASING


def test_a_row_limit_ends_a_walk() -> None:
    walk = run(FakeAgent(switch(PORTS)), lambda client, agent: client.columns(agent, [IF_TABLE], max_rows=100))
    assert (len(walk.columns[IF_TABLE]), walk.stops[IF_TABLE]) == (100, Stop.ROW_LIMIT)


def test_an_answer_from_another_port_is_not_believed() -> None:
    with pytest.raises(NoAnswer):
        run(FakeAgent(switch(2), fault="otherport"), walk_if_table)


def test_an_answer_from_another_port_is_taken_where_the_device_is_known_for_it() -> None:
    walk = run(FakeAgent(switch(2), fault="otherport"), walk_if_table, any_source=True)
    assert len(walk.columns[IF_TABLE]) == 28


@pytest.mark.parametrize("server", [FakeAgent(switch(1), fault="dead"), FakeAgent(switch(1), community=b"other")])
def test_silence_is_an_error_that_names_the_device(server: FakeAgent) -> None:
    with pytest.raises(NoAnswer, match=r"127\.0\.0\.1"):
        run(server, walk_if_table)
    assert server.asked <= 6  # two tries at each of at most three sizes


def test_an_agent_that_knows_v1_only_is_walked_with_getnext() -> None:
    server = FakeAgent(switch(2), fault="v1only")
    walk = run(server, lambda client, agent: client.columns(agent, IF_COLUMNS), version=codec.V1)
    assert all(len(column) == 2 for column in walk.columns.values())
    assert codec.GETBULK not in server.kinds


def test_v1_refuses_all_names_for_one_and_is_asked_again_without_it() -> None:
    missing = codec.oid_octets("1.3.6.1.2.1.1.3.9")
    found = run(FakeAgent(switch(2)), lambda client, agent: client.get(agent, [missing, SYS_UP_TIME]), version=codec.V1)
    assert list(found) == [SYS_UP_TIME]


def test_a_get_gets_smaller_until_the_agent_bears_it() -> None:
    server = FakeAgent(switch(PORTS), fault="toobig")
    names = [codec.oid_octets(f"1.3.6.1.2.1.2.2.1.{column}.{port}") for column in (7, 8) for port in range(1, 41)]

    async def act(client: Client, agent: Agent) -> tuple[int, int]:
        return len(await client.get(agent, names)), agent.most_varbinds

    found, size = run(server, act)
    assert found == 80
    assert size <= 20


def test_an_agent_that_answers_only_errors_is_told_apart_from_silence() -> None:
    with pytest.raises(AgentError):
        run(FakeAgent(switch(2), fault="generr"), walk_if_table)


def test_lost_datagrams_are_asked_for_again() -> None:
    server = FakeAgent(switch(PORTS), lose_every=5)

    async def act(client: Client, agent: Agent) -> tuple[int, int]:
        walk = await client.columns(agent, [IF_TABLE])
        return len(walk.columns[IF_TABLE]), client.statistics.retries

    rows, retries = run(server, act)
    assert rows == ROWS
    assert 1 <= retries <= server.asked // 5 + 1


def test_badly_encoded_values_cost_only_themselves() -> None:
    mib = switch(1)
    for number, (wire, _) in ODD_VALUES.items():
        mib.set_wire(f"1.3.6.1.4.1.99999.1.{number}.0", bytes.fromhex(wire))
    walk = run(FakeAgent(mib), lambda client, agent: client.columns(agent, [ODD]))
    read = {codec.decode_arcs(index)[0]: values.value(*cell) for index, cell in walk.columns[ODD].items()}
    assert read == {number: expected for number, (_, expected) in ODD_VALUES.items()}


def test_a_varbind_that_cannot_be_read_costs_only_itself() -> None:
    mib = switch(PORTS)
    # The value claims more octets than its varbind holds: no length inside can be trusted, the varbind's own can.
    mib.set_wire("1.3.6.1.2.1.2.2.1.3.7", b"\x02\x09\x06")
    server = FakeAgent(mib)

    async def act(client: Client, agent: Agent) -> tuple[ColumnWalk, int]:
        return await client.columns(agent, [IF_TABLE]), client.statistics.broken_varbinds

    walk, broken = run(server, act)
    assert len(walk.columns[IF_TABLE]) == ROWS - 1
    assert walk.broken >= 1
    assert broken >= 1


def test_the_timeout_follows_the_round_trips() -> None:
    agent = Agent("192.0.2.1")
    assert agent.timeout_s() == 1.5
    agent.round_trips_s.extend([0.01] * 5)
    assert agent.timeout_s() == 0.5
    agent.round_trips_s.append(0.4)
    assert agent.timeout_s() == pytest.approx(1.2)
    agent.round_trips_s.append(9)
    assert agent.timeout_s() == 5


def test_a_name_that_does_not_resolve_is_no_answer() -> None:
    async def main() -> None:
        async with Client() as client:
            await client.get(Agent("no-such-device.invalid"), [SYS_UP_TIME])

    with pytest.raises(NoAnswer, match="resolved"):
        asyncio.run(main())
