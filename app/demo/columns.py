"""The history of a device as columns: the series that the poller emits, with its names and labels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from app.demo.network import EXIT_ROLES, Device
from app.demo.readings import MEMORY_UNIT, Readings, optic_ports, sensor_name

Ints = NDArray[np.int64]
# (metric, labels, values); the times are the same for all series of a device.
Series = tuple[str, dict[str, str], NDArray[Any]]

# Ports whose errors and discards anybody looks for in the past.
WATCHED_ROLES: Final = frozenset({"uplink", "backbone", *EXIT_ROLES})


def device_columns(readings: Readings, device: Device, ts_ms: Ints) -> list[dict[str, Any]]:
    """The device's samples at these times, in the form of POST /api/v1/ingest; nothing but snmp_up while it is away."""
    reachable = readings.is_reachable(device, ts_ms)
    base = {"device": device.name, "site": device.place.name, "role": device.role}
    columns = [_column(_times(ts_ms), ("snmp_up", base, reachable.astype(np.int64)))]
    there = ts_ms[reachable]
    if len(there):
        times = _times(there)
        columns += [_column(times, series) for series in _series(readings, device, there, base)]
    return columns


def series_of(readings: Readings, device: Device, ts_ms: Ints) -> Iterator[Series]:
    """All series of a device that answered at all these times."""
    base = {"device": device.name, "site": device.place.name, "role": device.role}
    yield "snmp_up", base, np.ones(len(ts_ms), dtype=np.int64)
    yield from _series(readings, device, ts_ms, base)


def _times(ts_ms: Ints) -> orjson.Fragment:
    """Times as JSON; encoded once for all series of a device."""
    return orjson.Fragment(orjson.dumps(ts_ms.tolist()))


def _column(times: orjson.Fragment, series: Series) -> dict[str, Any]:
    metric, labels, values = series
    return {"metric": metric, "labels": labels, "ts": times, "values": values.tolist()}


def _series(readings: Readings, device: Device, ts_ms: Ints, base: dict[str, str]) -> Iterator[Series]:
    yield from _ports(readings, device, ts_ms, base)
    yield "device_uptime_seconds", base, readings.uptime_ms(device, ts_ms) // 10 / 100
    for number, load in enumerate(readings.cpu_percent(device, ts_ms).T, start=1):
        yield "cpu_utilisation_ratio", base | {"cpu": str(number)}, load / 100
    sizes = device.hardware.memory_bytes, device.hardware.disk_bytes
    used = readings.memory_units(device, ts_ms), readings.disk_units(device, ts_ms)
    for metric, label, size, units in zip(("memory", "storage"), POOLS, sizes, used, strict=True):
        yield f"{metric}_used_bytes", base | label, units * MEMORY_UNIT
        yield f"{metric}_size_bytes", base | label, np.full(len(ts_ms), size // MEMORY_UNIT * MEMORY_UNIT)
    if device.hardware.sessions:
        label = base | {"table": session_table(device)}
        yield "sessions_used", label, readings.sessions(device, ts_ms)
        yield "sessions_limit", label, np.full(len(ts_ms), device.hardware.sessions)
    sensor = {"sensor": "chassis temperature", "kind": "celsius"}
    yield "sensor_value", base | sensor, readings.temperature_tenths(device, ts_ms) * 10.0**-1
    for port, light in zip(optic_ports(device), readings.rx_centi_dbm(device, ts_ms).T, strict=True):
        yield "sensor_value", base | {"sensor": sensor_name(port), "kind": "dbm", "ifName": port.name}, light * 10.0**-2


def session_table(device: Device) -> str:
    """What the device's profile calls its table of sessions."""
    return "SPU 0" if device.hardware.vendor == "Juniper" else "sessions"


POOLS: Final = ({"pool": "Physical memory"}, {"storage": "/var"})


def _ports(readings: Readings, device: Device, ts_ms: Ints, base: dict[str, str]) -> Iterator[Series]:
    ports = readings.ports(device, ts_ms)
    limit = 2**device.hardware.counter_bits
    for row, port in enumerate(device.ports):
        if not port.is_wired:
            continue
        labels = base | {"ifName": port.name}
        for metric, values in (("ifHCInOctets", ports.in_octets), ("ifHCOutOctets", ports.out_octets)):
            yield metric, labels, values[:, row] % limit if limit < 2**63 else values[:, row]
        yield "ifSpeed", labels, np.full(len(ts_ms), port.speed_bps)
        yield "ifOperStatus", labels, ports.oper_status[:, row]
        if port.role in WATCHED_ROLES:
            yield "ifInErrors", labels, ports.in_errors[:, row]
            yield "ifOutDiscards", labels, ports.out_discards[:, row]
