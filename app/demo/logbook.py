"""Tells the program what the demo injects: faults, oddities and growth, as app.domain.injections has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from app.actions import injections
from app.auth.operator import operator_of
from app.demo.incidents import ODDITIES, Incident, series_of
from app.demo.network import build_network
from app.domain.injections import Family, Injection

# A gauge's name -> the metric and labels of its series.
SERIES: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "cpu": ("cpu_utilisation_ratio", {}),
    "memory": ("memory_used_bytes", {}),
    "temperature": ("sensor_value", {"kind": "celsius"}),
}
COUNTERS: Final = {"in": "ifHCInOctets", "out": "ifHCOutOctets"}


def record(incidents: Iterable[Incident]) -> None:
    """Log incidents of all tenants of the demo."""
    network = build_network()
    log: dict[str, list[Injection]] = {}
    for incident in incidents:
        tenant = network.by_name[incident.target.partition(":")[0]].tenant
        log.setdefault(tenant, []).append(injection_of(incident))
    for tenant, its in log.items():
        injections.record(operator_of(tenant), its)


def injection_of(incident: Incident) -> Injection:
    """An incident as it is logged."""
    device, thing, direction = series_of(incident.target)
    family, metric, labels = Family.FAULT, "", {"device": device}
    if incident.kind in ODDITIES:
        family = Family.ODDITY
        if direction:
            metric, labels = COUNTERS[direction], {"device": device, "ifName": thing}
        else:
            metric, more = SERIES[thing]
            labels = {"device": device, **more}
    elif thing:
        labels = {"device": device, "ifName": thing}
    return Injection(
        ref=incident.id,
        family=family,
        kind=incident.kind.value,
        metric=metric,
        labels=labels,
        affected=incident.affected,
        started_at=datetime.fromtimestamp(incident.start_ms / 1000, UTC),
        ended_at=datetime.fromtimestamp(incident.end_ms / 1000, UTC),
        magnitude=incident.magnitude,
    )
