"""What samples come from: devices that are polled, and agents that report; as Prometheus's targets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from app.clock import now_ms
from app.domain.inventory import Device, DeviceState
from app.domain.labels import labels_of, value_of
from app.domain.tenancy import Viewer
from app.promql.parse import parse_selector
from app.queries import metrics
from app.queries.devices import devices

POLLED, AGENTS = "snmp", "agents"
# An agent that was heard of within a day is a target; one that says nothing for so long is down.
AGENT_MS: Final = 86_400_000
SILENT_MS: Final = 300_000
AGENT_INTERVAL_S: Final = 15


@dataclass(frozen=True)
class Target:
    """One source of samples. `health` is up, down or unknown; `is_active` is false for devices that are not polled."""

    pool: str
    labels: dict[str, str]
    address: str
    health: str
    last_at: datetime | None
    last_error: str
    interval_s: int
    is_active: bool


def targets(viewer: Viewer) -> list[Target]:
    """All targets of the tenant, by pool and name."""
    polled = [_polled(each) for each in devices(viewer) if each.address]
    return polled + _agents(viewer)


def _polled(device: Device) -> Target:
    health = "unknown" if device.is_reachable is None else ("up" if device.is_reachable else "down")
    labels = {"device": device.name, "instance": f"{device.address}:{device.port}", "job": POLLED}
    return Target(
        pool=POLLED,
        labels=labels | ({"site": device.site} if device.site else {}),
        address=f"snmp://{device.address}:{device.port}",
        health=health,
        last_at=device.polled_at,
        last_error=device.last_error if health == "down" else "",
        interval_s=device.poll_interval_s,
        is_active=device.state == DeviceState.ACTIVE,
    )


def _agents(viewer: Viewer) -> list[Target]:
    now = now_ms()
    found = metrics.newest(viewer, [parse_selector("agent_up")], at_ms=now, lookback_ms=AGENT_MS)
    return [_agent(dict(labels_of(dict(each.labels))), each.ts_ms, now) for each in found]


def _agent(labels: dict[str, str], ts_ms: int, now: int) -> Target:
    silent_s = (now - ts_ms) // 1000
    is_up = silent_s * 1000 < SILENT_MS
    name = value_of(labels_of(labels), "device") or value_of(labels_of(labels), "instance")
    return Target(
        pool=AGENTS,
        labels={"job": AGENTS, "instance": name, **{k: v for k, v in labels.items() if k != "__name__"}},
        address=f"agent://{name}",
        health="up" if is_up else "down",
        last_at=datetime.fromtimestamp(ts_ms / 1000, UTC),
        last_error="" if is_up else f"nothing heard for {silent_s} s",
        interval_s=AGENT_INTERVAL_S,
        is_active=True,
    )
