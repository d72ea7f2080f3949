"""What the inventory list shows beside each device: how busy it is now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.clock import now_ms
from app.domain.inventory import DeviceHealth, DeviceState
from app.domain.labels import value_of
from app.domain.tenancy import Viewer
from app.promql.result import Vector
from app.queries import metrics


@dataclass(frozen=True)
class Load:
    """Shares from 0 to 1 by device name; a device that does not tell is absent."""

    cpu: Mapping[str, float]
    memory: Mapping[str, float]


def load(viewer: Viewer) -> Load:
    """How busy every device of the tenant is now."""
    return Load(
        cpu=_by_device(viewer, "avg by (device) (cpu_utilisation_ratio)"),
        memory=_by_device(viewer, "max by (device) (memory_used_bytes / memory_size_bytes)"),
    )


def reporting(viewer: Viewer) -> frozenset[str]:
    """The devices whose agent reports now."""
    return frozenset(_by_device(viewer, "agent_up"))


def status(health: DeviceHealth, agents: frozenset[str]) -> str:
    """The status of a device; one without an address is not polled: its agent reports, or is silent."""
    if health.device.address or health.device.state != DeviceState.ACTIVE:
        return health.status
    return "agent" if health.device.name in agents else "silent"


def _by_device(viewer: Viewer, expr: str) -> dict[str, float]:
    found = metrics.query_instant(viewer, expr, at_ms=now_ms())
    assert isinstance(found, Vector)
    return {value_of(labels, "device"): float(value) for labels, value in zip(found.labels, found.values, strict=True)}
