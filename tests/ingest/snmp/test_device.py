"""One device, polled again and again: what it says when it restarts, renumbers, loses a port, or falls silent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import numpy as np
import pytest

from app import clock
from app.domain.inventory import PollTarget
from app.domain.labels import METRIC, decode_labels
from app.domain.samples import Batch, is_stale
from app.domain.tenancy import TenantId
from ingest.snmp import codec
from ingest.snmp.client import Client
from ingest.snmp.device import PolledDevice, PollResult
from ingest.snmp.profiles import load_profiles
from tests.fakes.snmp_agent import AgentServer, FakeAgent, switch

TARGET = PollTarget(TenantId(1), 7, "sw", "127.0.0.1", 0, "berlin", "access", 60, "snmp_v2c", b"public")
UP_TIME, CHANGED = "1.3.6.1.2.1.1.3.0", "1.3.6.1.2.1.31.1.5.0"
LIBRARY = load_profiles()


def story(server: FakeAgent, tell: Callable[[Callable[[], Awaitable[PollResult]]], Awaitable[None]]) -> None:
    """Run `tell`, which polls the device as often as it likes."""

    async def main() -> None:
        async with Client(tries=2) as client:
            device = PolledDevice(replace(TARGET, port=server.port))
            device.agent.least_timeout_s = 0.1
            device.agent.round_trips_s.append(0.001)
            await tell(lambda: device.poll(client, LIBRARY))

    with AgentServer([server]):
        asyncio.run(main())


def samples(batch: Batch) -> dict[str, float]:
    """Samples by metric, or metric and port."""
    found = {}
    for place, value in zip(batch.series.tolist(), batch.values.tolist(), strict=True):
        labels = dict(decode_labels(batch.keys[place]))
        found[f"{labels[METRIC]} {labels.get('ifName', '')}".strip()] = value
    return found


def test_the_first_poll_discovers_and_the_second_does_not() -> None:
    server = FakeAgent(switch(48))

    async def tell(poll: Callable[[], Awaitable[PollResult]]) -> None:
        first = await poll()
        assert first.discovery is not None
        assert first.outcome.is_reachable
        assert first.outcome.booted_at is not None
        asked = server.asked
        second = await poll()
        assert second.discovery is None
        assert second.outcome.booted_at is None
        assert server.asked - asked <= 14  # 48 ports in fourteen requests, no walk
        assert samples(second.batch).keys() == samples(first.batch).keys()
        assert samples(second.batch)["ifHCInOctets Gi1/0/48"] == 98_765_432_100_000 + 48 * 1111
        assert len(set(second.batch.ts_ms.tolist())) == 1  # what arrives together is one row

    story(server, tell)


def test_a_poll_is_of_the_middle_of_the_time_in_which_its_answers_came(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []

    def later() -> int:
        told.append(1_790_000_000_000 + 1_000 * len(told) ** 2)
        return told[-1]

    async def tell(poll: Callable[[], Awaitable[PollResult]]) -> None:
        await poll()
        monkeypatch.setattr(clock, "now_ms", later)
        second = await poll()
        _, first_answer_ms, last_answer_ms = told
        assert set(second.batch.ts_ms.tolist()) == {(first_answer_ms + last_answer_ms) // 2}

    story(FakeAgent(switch(48)), tell)


def test_a_port_that_goes_down_is_told_once() -> None:
    server = FakeAgent(switch(4))

    async def tell(poll: Callable[[], Awaitable[PollResult]]) -> None:
        assert (await poll()).outcome.statuses == {}
        server.mib.set("1.3.6.1.2.1.2.2.1.8.2", codec.INTEGER, 2)
        result = await poll()
        assert result.outcome.statuses == {"Gi1/0/2": ("up", "down")}
        assert samples(result.batch)["ifOperStatus Gi1/0/2"] == 2
        assert (await poll()).outcome.statuses == {}

    story(server, tell)


def test_counters_stay_with_their_ports_when_a_reboot_renumbers_them() -> None:
    server = FakeAgent(switch(4))

    async def tell(poll: Callable[[], Awaitable[PollResult]]) -> None:
        before = await poll()
        server.mib = server.mib.renumbered()
        server.mib.set(UP_TIME, codec.TIMETICKS, 500)
        after = await poll()
        assert after.discovery is not None
        assert after.outcome.booted_at is not None
        assert {port.name: port.if_index for port in after.discovery.interfaces}["Gi1/0/1"] > 1000
        octets = "ifHCInOctets Gi1/0/1"
        assert samples(after.batch)[octets] == samples(before.batch)[octets]
        assert after.ended is None

    story(server, tell)


def test_a_change_of_the_interface_table_is_read_before_any_counter() -> None:
    server = FakeAgent(switch(2))

    async def tell(poll: Callable[[], Awaitable[PollResult]]) -> None:
        await poll()
        grown = switch(3).values
        server.mib.update(
            {
                **grown,
                **{oid: None for oid in server.mib.values if oid[-1] == 1 and oid[:9] == (1, 3, 6, 1, 2, 1, 2, 2, 1)},
            }
        )
        server.mib.set(CHANGED, codec.TIMETICKS, 999)
        after = await poll()
        assert after.discovery is not None
        assert "ifHCInOctets Gi1/0/3" in samples(after.batch)

    story(server, tell)


def test_series_of_a_port_that_is_gone_end_with_a_stale_marker() -> None:
    server = FakeAgent(switch(3))

    async def tell(poll: Callable[[], Awaitable[PollResult]]) -> None:
        await poll()
        server.mib = switch(2)
        after = await poll()  # ifNumber says that there are fewer
        assert after.ended is not None
        assert is_stale(after.ended.values).all()
        assert set(samples(after.ended)) == {name for name in samples(after.ended) if name.endswith("Gi1/0/3")}

    story(server, tell)


def test_a_wrapped_uptime_is_no_restart() -> None:
    server = FakeAgent(switch(1))
    server.mib.set(UP_TIME, codec.TIMETICKS, 2**32 - 100)

    async def tell(poll: Callable[[], Awaitable[PollResult]]) -> None:
        await poll()
        server.mib.set(UP_TIME, codec.TIMETICKS, 100)
        assert (await poll()).discovery is None

    story(server, tell)


def test_a_silent_device_says_so_ends_its_series_and_gets_one_small_probe() -> None:
    server = FakeAgent(switch(2))

    async def tell(poll: Callable[[], Awaitable[PollResult]]) -> None:
        await poll()
        server.fault = "dead"
        results = [await poll() for _ in range(4)]
        assert [samples(result.batch)["snmp_up"] for result in results] == [0, 0, 0, 0]
        assert all("does not answer" in result.outcome.error for result in results)
        ends = [int(np.count_nonzero(is_stale(result.batch.values))) for result in results]
        assert ends[0] == ends[1] == ends[3] == 0
        assert ends[2] > 20
        asked = server.asked
        await poll()
        assert server.asked - asked == 1
        server.fault = ""
        back = await poll()
        assert samples(back.batch)["snmp_up"] == 1
        assert back.discovery is None  # it did not restart, so its plan is still good

    story(server, tell)


def test_a_device_that_falls_silent_in_the_middle_keeps_what_it_told() -> None:
    server = FakeAgent(switch(48))

    async def tell(poll: Callable[[], Awaitable[PollResult]]) -> None:
        await poll()
        asked = server.asked
        answer = server.answer
        server.answer = lambda data: answer(data) if server.asked < asked + 3 else None  # type: ignore[method-assign]  # the fault of this story
        result = await poll()
        assert result.outcome.is_reachable
        assert "in part" in result.outcome.error
        assert 0 < len(result.batch) < 600

    story(server, tell)


@pytest.mark.parametrize("fault", ["toobig", "maxrep", "garbage", "wrongid"])
def test_a_poll_is_whole_whatever_the_agent_bears(fault: str) -> None:
    server = FakeAgent(switch(48), fault=fault)

    async def tell(poll: Callable[[], Awaitable[PollResult]]) -> None:
        await poll()
        result = await poll()
        assert len(result.batch) > 48 * 11
        assert result.outcome.error == ""

    story(server, tell)


def test_an_agent_of_version_1_is_polled() -> None:
    server = FakeAgent(switch(3), fault="v1only")

    async def main() -> PollResult:
        async with Client(tries=2) as client:
            return await PolledDevice(replace(TARGET, port=server.port, kind="snmp_v1")).poll(client, LIBRARY)

    with AgentServer([server]):
        result = asyncio.run(main())
    assert samples(result.batch)["ifHCInOctets Gi1/0/3"] == 98_765_432_100_000 + 3 * 1111
