"""The process that is the demo network: it answers SNMP for every device and lets incidents happen.

The log of incidents is the only way in and out: this process appends what its schedule brings, people append
by `python -m app demo inject`, and whatever the log says is what the network does.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final, cast

from sqlalchemy.exc import SQLAlchemyError

from app.clock import now_ms
from app.demo.agent import answer
from app.demo.communities import communities
from app.demo.incidents import MOST_AT_ONCE, ODDITIES, SLOT_MS, Faults, Incident, series_of
from app.demo.journal import append_incident, beginning, demo_folder, journal_stamp, log_past, read_incidents
from app.demo.mib import Mib
from app.demo.network import build_network
from app.demo.oddities import ODD_SLOT_MS, Oddities
from app.demo.ports import ADDRESS, hold_simulator, reserve_ports
from app.demo.readings import Readings
from app.demo.snapshot import load_settled, save_settled
from app.demo.timeline import Timeline
from app.demo.traffic import HISTORY_DAYS, Traffic
from app.errors import WatchfloorError

log = logging.getLogger(__name__)

QUIET_MS: Final = 90_000
SETTLE_AFTER_MS: Final = 60_000
LATEST_START_MS: Final = 20_000
TELL_EACH_S: Final = 10.0


class Simulation:
    """The network as it is now; `tick()` once a second keeps it up to date."""

    def __init__(self, home: Path, at_ms: int) -> None:
        self.home = home
        self.started_ms = at_ms
        began = beginning(home, at_ms)
        self.network = build_network(began.seed)
        self.traffic = Traffic(self.network, began.epoch_ms)
        self.faults = Faults(self.network, self.traffic.router)
        self.oddities = Oddities(self.network, self.traffic)
        log_past(home, self.faults.past(began.epoch_ms, HISTORY_DAYS))
        log_past(home, self.oddities.past(began.epoch_ms))
        self._stamp = journal_stamp(home)
        self.timeline = Timeline(self.traffic, self.faults, [])
        load_settled(home, self.timeline)
        self.timeline.replace(read_incidents(home))
        self._settle(at_ms)
        readings = Readings(self.timeline)
        self.mibs = {device.name: Mib(self.network, device, readings) for device in self.network.devices}

    def tick(self, at_ms: int) -> None:
        """Let due incidents begin, take up what people logged, close what is over."""
        for due in filter(None, (self.due(at_ms), self.odd_due(at_ms))):
            append_incident(self.home, due)
            log.info(
                "incident begins",
                extra={"incident": due.id, "kind": due.kind, "target": due.target, "until_ms": due.end_ms},
            )
        stamp = journal_stamp(self.home)
        if stamp != self._stamp:
            self._stamp = stamp
            self.timeline.replace(read_incidents(self.home))
            for mib in self.mibs.values():
                mib.forget()
        self._settle(at_ms - SETTLE_AFTER_MS)

    def due(self, at_ms: int) -> Incident | None:
        """The incident of the schedule that begins now, unless it would be too much at once or the demo is paused."""
        scheduled = self.faults.scheduled(at_ms // SLOT_MS)
        if scheduled is None or not scheduled.start_ms <= at_ms < scheduled.start_ms + LATEST_START_MS:
            return None
        known = self.timeline.incidents
        active = [incident for incident in known if incident.is_active(at_ms) and incident.kind not in ODDITIES]
        is_taken = any(
            incident.id == scheduled.id or set(incident.affected) & set(scheduled.affected) for incident in active
        )
        is_early = at_ms < self.started_ms + QUIET_MS
        if is_early or is_taken or len(active) >= MOST_AT_ONCE or is_paused(self.home):
            return None
        return scheduled

    def odd_due(self, at_ms: int) -> Incident | None:
        """The oddity that begins now, unless its device has an incident or something odd, or the demo is paused."""
        scheduled = self.oddities.scheduled(at_ms // ODD_SLOT_MS)
        if scheduled is None or not scheduled.start_ms <= at_ms < scheduled.start_ms + LATEST_START_MS:
            return None
        device = series_of(scheduled.target)[0]
        is_taken = any(
            incident.id == scheduled.id or (incident.is_active(at_ms) and _is_about(incident, device))
            for incident in self.timeline.incidents
        )
        return None if is_taken or is_paused(self.home) else scheduled

    def is_silent(self, device: str, at_ms: int) -> bool:
        """Whether nobody gets an answer from this device at the moment."""
        return device in self.timeline.state_at(at_ms).silent

    def _settle(self, until_ms: int) -> None:
        before = self.timeline.settled_ms
        self.timeline.settle(until_ms)
        if self.timeline.settled_ms != before:
            save_settled(self.home, self.timeline)


def _is_about(incident: Incident, device: str) -> bool:
    return any(place.partition(":")[0] == device for place in incident.affected)


def main(home: Path, tell: Callable[[list[Incident]], None]) -> None:
    """Answer for the whole network until the process is told to stop; `tell` logs incidents with the program."""
    at_ms = now_ms()
    ports = reserve_ports(home, build_network(beginning(home, at_ms).seed))
    lock = hold_simulator(home)
    try:
        asyncio.run(_serve(Simulation(home, at_ms), ports, tell))
    finally:
        os.close(lock)


def is_paused(home: Path) -> bool:
    """Whether the schedule of incidents is switched off (`demo pause`)."""
    return (demo_folder(home) / "paused").exists()


async def _serve(simulation: Simulation, ports: Mapping[str, int], tell: Callable[[list[Incident]], None]) -> None:
    transports = await _open(simulation, ports)
    telling = asyncio.create_task(_keep_log(simulation, tell))
    log.info("simulated network is up", extra={"devices": len(transports), "links": len(simulation.network.links)})
    try:
        while True:
            simulation.tick(now_ms())
            await asyncio.sleep(1)
    finally:
        telling.cancel()
        for transport in transports:
            transport.close()


async def _keep_log(simulation: Simulation, tell: Callable[[list[Incident]], None]) -> None:
    """Tell the program of each incident, and again when one ends otherwise; what fails is told again later."""
    told: set[Incident] = set()
    while True:
        await asyncio.sleep(TELL_EACH_S)
        news = [incident for incident in simulation.timeline.incidents if incident not in told]
        try:
            if news:
                await asyncio.to_thread(tell, news)
        except (WatchfloorError, SQLAlchemyError) as error:
            log.warning("incidents are not logged yet", extra={"incidents": len(news), "reason": str(error)})
        else:
            told.update(news)


async def _open(simulation: Simulation, ports: Mapping[str, int]) -> list[asyncio.DatagramTransport]:
    secrets = communities(simulation.home)
    loop = asyncio.get_running_loop()
    transports = []
    for device in simulation.network.devices:
        community = secrets[device.tenant].encode()
        endpoint = partial(_Endpoint, simulation, device.name, community)
        transport, _ = await loop.create_datagram_endpoint(endpoint, local_addr=(ADDRESS, ports[device.name]))
        transports.append(transport)
    return transports


class _Endpoint(asyncio.DatagramProtocol):
    """The socket of one device."""

    def __init__(self, simulation: Simulation, device: str, community: bytes) -> None:
        self.simulation = simulation
        self.device = device
        self.community = community
        self.transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio's own UDP transport does not inherit from the class that describes it.
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        at_ms = now_ms()
        if self.simulation.is_silent(self.device, at_ms):
            return
        response = answer(self.simulation.mibs[self.device], self.community, data, at_ms)
        if response is not None:
            self.transport.sendto(response, addr)
