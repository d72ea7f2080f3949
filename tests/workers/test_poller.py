"""The poller from the tables to the samples: two tenants, silent devices, and pollers that share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from redis import Redis
from sqlalchemy import update

from app import clock
from app.actions.devices import change_device, request_discovery
from app.domain.inventory import DeviceFields
from app.domain.labels import Matcher, MatchOp
from app.domain.tenancy import Viewer
from app.queries.devices import device
from app.queries.interfaces import interfaces
from app.tsdb.reader import Reader
from ingest import shards
from ingest.snmp import codec
from ingest.snmp.client import Client
from ingest.snmp.profiles import load_profiles
from models.session import platform_session
from models.tenants import TenantRow
from tests.factories.cast import Cast, create_cast
from tests.factories.inventory import COMMUNITY, create_network
from tests.fakes.snmp_agent import AgentServer, FakeAgent, switch
from workers import discover
from workers.drain import Drain
from workers.leases import SHARDS, ShardLeases
from workers.poller import Poller

PATIENCE_S = 20.0
LIBRARY = load_profiles()


@pytest.fixture
def cast(own_db: str, valkey: Redis) -> Cast:
    """Tenants whose rows are really committed: the poller's threads have connections of their own."""
    return create_cast()


def watch(viewer: Viewer, server: FakeAgent, name: str, *, interval_s: int = 5) -> None:
    create_network(viewer, name, port=server.port)
    change_device(viewer, name, DeviceFields(poll_interval_s=interval_s))


def run_until(valkey: Redis, done: Callable[[], bool]) -> Poller:
    """Turn the poller's wheel until `done`, then let it finish."""

    async def main() -> Poller:
        async with Client(tries=1) as client:
            poller = Poller(client, LIBRARY, ShardLeases(valkey))
            deadline_s = clock.monotonic_s() + PATIENCE_S
            while not await asyncio.to_thread(done):
                assert clock.monotonic_s() < deadline_s, "the poller did not get there"
                await poller.do_once()
            await poller.finish()
            return poller

    return asyncio.run(main())


def stored(viewer: Viewer, metric: str) -> dict[str, list[float]]:
    """The stored values of a metric by device."""
    drain = Drain()
    for shard in range(shards.DEFAULT):
        drain.take(shard)
    while drain.do_once():
        pass
    drain.release()
    blocks = Reader(viewer.tenant).select([Matcher("__name__", MatchOp.EQUAL, metric)], start_ms=0, end_ms=2**42)
    found: dict[str, list[float]] = {}
    for block in blocks:
        for place, labels in enumerate(block.labels):
            values = [value for value in block.values[:, place].tolist() if value == value]
            found.setdefault(dict(labels)["device"], []).extend(values)
    return found


def test_devices_of_both_tenants_are_polled_each_for_its_own(cast: Cast, valkey: Redis) -> None:
    good, other = (FakeAgent(switch(4), community=COMMUNITY.encode()) for _ in range(2))
    with AgentServer([good, other]):
        watch(cast.alice, good, "acme-1")
        watch(cast.charlie, other, "globex-1")
        run_until(
            valkey,
            lambda: all(
                device(viewer, name).is_reachable
                for viewer, name in ((cast.vera, "acme-1"), (cast.charlie, "globex-1"))
            ),
        )
    found = device(cast.vera, "acme-1")
    assert (found.is_reachable, found.last_error, found.sys_name) == (True, "", "switch")
    assert found.discovered_at is not None
    assert [port.name for port in interfaces(cast.vera, "acme-1")] == [f"Gi1/0/{port}" for port in range(1, 5)]
    assert stored(cast.vera, "ifHCInOctets").keys() == {"acme-1"}
    assert stored(cast.charlie, "ifHCInOctets").keys() == {"globex-1"}
    assert set(stored(cast.vera, "snmp_up")["acme-1"]) == {1.0}


def test_a_silent_device_is_told_of_and_a_retired_one_is_left_alone(cast: Cast, valkey: Redis) -> None:
    silent = FakeAgent(switch(1), community=b"not what we know")
    with AgentServer([silent]):
        watch(cast.alice, silent, "acme-1")
        run_until(valkey, lambda: device(cast.vera, "acme-1").is_reachable is False)
        assert "does not answer" in device(cast.vera, "acme-1").last_error
        assert set(stored(cast.vera, "snmp_up")["acme-1"]) == {0.0}
        change_device(cast.alice, "acme-1", DeviceFields(state="retired"))
        asked = silent.asked
        turns = iter(range(12))
        run_until(valkey, lambda: next(turns) > 10)
    assert silent.asked == asked


def test_samples_wait_while_a_tenant_is_over_its_quota(cast: Cast, valkey: Redis) -> None:
    server = FakeAgent(switch(8), community=COMMUNITY.encode())
    with platform_session() as session:
        session.execute(update(TenantRow).where(TenantRow.id == cast.acme).values(samples_per_s=1))

    async def main() -> Poller:
        async with Client(tries=1) as client:
            poller = Poller(client, LIBRARY, ShardLeases(valkey))
            deadline_s = clock.monotonic_s() + PATIENCE_S
            while not poller.outbox.refused:
                assert clock.monotonic_s() < deadline_s
                await poller.do_once()
            return poller

    with AgentServer([server]):
        watch(cast.alice, server, "acme-1")
        poller = asyncio.run(main())
    assert len(poller.outbox.samples) >= 1


def test_a_status_change_reaches_the_inventory(cast: Cast, valkey: Redis) -> None:
    server = FakeAgent(switch(2), community=COMMUNITY.encode())
    with AgentServer([server]):
        watch(cast.alice, server, "acme-1")

        def is_down() -> bool:
            ports = {port.name: port.oper_status for port in interfaces(cast.vera, "acme-1")}
            if ports.get("Gi1/0/1") == "up":
                server.mib.set("1.3.6.1.2.1.2.2.1.8.1", codec.INTEGER, 2)
            return ports.get("Gi1/0/1") == "down"

        run_until(valkey, is_down)
    assert 2.0 in stored(cast.vera, "ifOperStatus")["acme-1"]


def test_discovery_can_be_asked_for(cast: Cast, valkey: Redis) -> None:
    server = FakeAgent(switch(2, name="asked"), community=COMMUNITY.encode())
    with AgentServer([server]):
        watch(cast.alice, server, "acme-1")
        request_discovery(cast.bob, "acme-1")
        discover.discover(cast.acme, device(cast.vera, "acme-1").id)
        discover.discover(cast.globex, device(cast.vera, "acme-1").id)  # not its device: nothing happens
    assert device(cast.vera, "acme-1").sys_name == "asked"
    assert len(interfaces(cast.vera, "acme-1")) == 2


def test_pollers_share_the_shards_and_one_takes_over_when_another_leaves(valkey: Redis) -> None:
    first, second = ShardLeases(valkey), ShardLeases(valkey)
    assert len(first.refresh()) == SHARDS
    assert len(second.refresh()) == 0
    assert len(first.refresh()) == SHARDS // 2
    assert second.refresh() == frozenset(range(SHARDS)) - first.held
    first.release()
    assert len(second.refresh()) == SHARDS
