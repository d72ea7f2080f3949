"""Job: discover one device now, because somebody asked for it. The poller does it by itself at first and hourly."""

from __future__ import annotations

import asyncio
import logging

from app import clock
from app.actions.devices import record_discovery
from app.domain.inventory import Discovery, PollTarget
from app.domain.tenancy import TenantId
from app.queries.devices import poll_targets
from ingest.snmp.client import AgentError, Client, NoAnswer
from ingest.snmp.device import PolledDevice
from ingest.snmp.discovery import discover as discover_in
from ingest.snmp.profiles import load_profiles
from ingest.snmp.survey import survey

log = logging.getLogger(__name__)


def discover(tenant_id: int, device_id: int) -> None:
    """Read a device whole and put what was found into the inventory; a device that is silent is left as it is."""
    tenant = TenantId(tenant_id)
    for target in poll_targets(tenant, device_id=device_id):
        try:
            found = asyncio.run(_discover(target))
        except (NoAnswer, AgentError) as error:
            log.warning("discovery failed", extra={"device": target.name, "reason": str(error)})
            continue
        record_discovery(tenant, device_id, found=found, at=clock.utc_now())


async def _discover(target: PollTarget) -> Discovery:
    async with Client() as client:
        return discover_in(await survey(client, PolledDevice(target).agent, load_profiles()))
