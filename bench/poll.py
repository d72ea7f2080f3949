"""How fast devices are polled: 1,000 simulated switches of 48 ports in one process, and beside it pysnmp on a few.

The simulated agents run in another process; CPU seconds are those of the poller alone.
"""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pysnmp.hlapi.v3arch.asyncio import (
    CommunityData,
    ContextData,
    ObjectIdentity,
    ObjectType,
    SnmpEngine,
    UdpTransportTarget,
    get_cmd,
)

from app.domain.inventory import PollTarget
from app.domain.tenancy import TenantId
from ingest.snmp.client import Client
from ingest.snmp.device import PolledDevice
from ingest.snmp.profiles import load_profiles
from ingest.snmp.schedule import MISSES_UNTIL_SLOW
from workers.poller import MOST_IN_FLIGHT

DEVICES, PORTS, DEAD_EVERY = 1000, 48, 20
PYSNMP_DEVICES = 8
INTERVAL_S = 60
CYCLES = 3


@dataclass(frozen=True)
class Spent:
    """Wall and CPU seconds of a piece of work."""

    wall_s: float
    cpu_s: float


def main() -> list[dict[str, Any]]:
    """Measure; one dictionary a figure: name, value, unit, note."""
    with _agents(DEVICES, PORTS, 0) as ports:
        good = asyncio.run(_poll_all(ports))
        theirs = asyncio.run(_pysnmp(ports[:PYSNMP_DEVICES]))
    with _agents(DEVICES, PORTS, DEAD_EVERY) as ports:
        dead = asyncio.run(_poll_all(ports))
    ours = good["varbinds"] / good["cycle"].cpu_s
    speed, speed_dead = (each["answered"] / each["cycle"].wall_s for each in (good, dead))
    cycle, first = good["cycle"], good["first"]
    return [
        _figure("one cycle of 1,000 devices x 48 ports, wall", cycle.wall_s, "s", limit=f"<= {INTERVAL_S}"),
        _figure("the same, CPU of the poller", cycle.cpu_s, "s", note=f"{good['samples']} samples in columns"),
        _figure("devices that answered", good["answered"], "devices", limit=f"= {DEVICES}"),
        _figure("first contact with all (discovery), CPU", first.cpu_s, "s"),
        _figure("varbinds per CPU second, ours", ours, "1/s", ratio=ours / theirs, note="ratio: to pysnmp"),
        _figure("varbinds per CPU second, pysnmp", theirs, "1/s", note=f"GETs of 48 names, {PYSNMP_DEVICES} devices"),
        _figure("devices/s with 5 % dead", speed_dead, "1/s", ratio=speed_dead / speed, limit=">= 0.9"),
    ]


def _figure(
    name: str, value: float, unit: str, *, ratio: float | None = None, limit: str = "", note: str = ""
) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, "value": round(float(value), 4), "unit": unit, "limit": limit, "note": note}
    return row if ratio is None else row | {"ratio": round(ratio, 3)}


@contextmanager
def _agents(devices: int, ports: int, dead: int) -> Iterator[list[int]]:
    command = [sys.executable, "-m", "bench.snmp_agents", str(devices), str(ports), str(dead)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


async def _poll_all(ports: Sequence[int]) -> dict[str, Any]:
    """Discover every device, then poll them all CYCLES times; answers the figures of the median cycle."""
    library, room = load_profiles(), asyncio.Semaphore(MOST_IN_FLIGHT)
    devices = [PolledDevice(_target(number, port)) for number, port in enumerate(ports)]
    async with Client() as client:

        async def poll(device: PolledDevice) -> tuple[bool, int]:
            async with room:
                result = await device.poll(client, library)
            return result.outcome.is_reachable, len(result.batch)

        async def poll_all() -> list[tuple[bool, int]]:
            return await asyncio.gather(*map(poll, devices))

        first, _ = await _timed(poll_all)
        for _ in range(MISSES_UNTIL_SLOW - 1 if DEAD_EVERY else 0):
            await poll_all()
        cycles = []
        for _ in range(CYCLES):
            before = client.statistics.varbinds
            spent, polled = await _timed(poll_all)
            cycles.append((spent, polled, client.statistics.varbinds - before))
    spent, polled, varbinds = sorted(cycles, key=lambda cycle: cycle[0].cpu_s)[CYCLES // 2]
    return {
        "first": first,
        "cycle": spent,
        "varbinds": varbinds,
        "answered": sum(is_reachable for is_reachable, _ in polled),
        "samples": sum(samples for _, samples in polled),
    }


async def _timed(work: Callable[[], Awaitable[list[tuple[bool, int]]]]) -> tuple[Spent, list[tuple[bool, int]]]:
    wall_s, cpu_s = time.perf_counter(), _cpu_s()
    answer = await work()
    return Spent(time.perf_counter() - wall_s, _cpu_s() - cpu_s), answer


async def _pysnmp(ports: Sequence[int]) -> float:
    """Varbinds per CPU second of pysnmp, by GETs of the size that we use, without name lookup."""
    names = [f"1.3.6.1.2.1.31.1.1.1.{column}.{port}" for column in (6, 7, 10, 11) for port in range(1, 13)]
    engine, varbinds = SnmpEngine(), 0
    asked = [ObjectType(ObjectIdentity(name)) for name in names]
    started_s = None
    for number, port in enumerate([ports[0], *ports]):
        target = await UdpTransportTarget.create(("127.0.0.1", port), timeout=2, retries=1)
        if number == 1:
            started_s = _cpu_s()  # the first is for what is made at first use
        for _ in range(4):
            error, status, _, rows = await get_cmd(
                engine, CommunityData("public", mpModel=1), target, ContextData(), *asked, lookupMib=False
            )
            assert not error and not status
            varbinds += len(rows) if number else 0
    assert started_s is not None
    return varbinds / (_cpu_s() - started_s)


def _target(number: int, port: int) -> PollTarget:
    return PollTarget(
        tenant=TenantId(1),
        device_id=number,
        name=f"sw-{number}",
        address="127.0.0.1",
        port=port,
        site="lab",
        role="access",
        interval_s=INTERVAL_S,
        kind="snmp_v2c",
        community=b"public",
    )


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    for row in main():
        print(row)
