"""The objects that a simulated device shows over SNMP: which there are, in which order, and their values at a moment.

What never changes is encoded once; the rest is computed for a whole device at the first question of a burst.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from app.demo.network import Device, Network
from app.demo.readings import MEMORY_UNIT, Readings, optic_ports, sensor_name
from ingest.snmp.codec import (
    COUNTER32,
    COUNTER64,
    GAUGE32,
    INTEGER,
    OBJECT_ID,
    OCTETS,
    TIMETICKS,
    Oid,
    decode_oid,
    encode_oid,
    encode_value,
    encode_varbind,
    parse_oid,
)

SYSTEM: Final = (1, 3, 6, 1, 2, 1, 1)
INTERFACES: Final = (1, 3, 6, 1, 2, 1, 2)
IF_ENTRY: Final = (*INTERFACES, 2, 1)
IFX_ENTRY: Final = (1, 3, 6, 1, 2, 1, 31, 1, 1, 1)
HOST: Final = (1, 3, 6, 1, 2, 1, 25)
ENTITY_ENTRY: Final = (1, 3, 6, 1, 2, 1, 47, 1, 1, 1, 1)
SENSOR_ENTRY: Final = (1, 3, 6, 1, 2, 1, 99, 1, 1, 1)
# PAN-COMMON-MIB panSession, and a row of JUNIPER-SRX5000-SPU-MIB jnxJsSPUMonitoringObjectsTable: (used, limit).
SESSIONS: Final = {
    "Palo Alto Networks": ((1, 3, 6, 1, 4, 1, 25461, 2, 1, 2, 3, 3, 0), (1, 3, 6, 1, 4, 1, 25461, 2, 1, 2, 3, 2, 0)),
    "Juniper": (
        (1, 3, 6, 1, 4, 1, 2636, 3, 39, 1, 12, 1, 1, 1, 6, 0),
        (1, 3, 6, 1, 4, 1, 2636, 3, 39, 1, 12, 1, 1, 1, 7, 0),
    ),
}
LLDP: Final = (1, 0, 8802, 1, 1, 2, 1)

CELSIUS, DBM, UNITS, OK = 8, 14, 9, 1
CHASSIS, SENSOR_CLASS = 3, 8
TEMPERATURE_INDEX, FIRST_OPTIC_INDEX = 1001, 2001
LIMIT_32: Final = 2**32
# A poll is a burst of requests; values this young are not computed again.
FRESH_MS: Final = 200


@dataclass(frozen=True)
class Moving:
    """A value that changes: the `row`-th of a column of values, and the tag it is sent with."""

    tag: int
    column: str
    row: int


# A whole varbind where the value never changes, else where to find the value.
Content = bytes | Moving
COUNTERS: Final = ("in_octets", "out_octets", "in_packets", "out_packets", "in_errors", "out_discards")


class Mib:
    """The objects of one device, in order."""

    def __init__(self, network: Network, device: Device, readings: Readings) -> None:
        self.device = device
        self.readings = readings
        objects = sorted(_objects(network, device))
        self.oids = [oid for oid, _, _ in objects]
        self.names = [encode_oid(oid) for oid in self.oids]
        self.places = {name: place for place, name in enumerate(self.names)}
        self.contents: list[Content] = [
            value if isinstance(value, Moving) else encode_varbind(name, encode_value(tag, value))
            for (_, tag, value), name in zip(objects, self.names, strict=True)
        ]
        self._as_of_ms = -FRESH_MS
        self._values: dict[str, list[int]] = {}

    def forget(self) -> None:
        """Compute the values anew at the next question: something in the network has changed."""
        self._as_of_ms = -FRESH_MS

    def find(self, name: bytes) -> int | None:
        """The place of exactly this name."""
        return self.places.get(name)

    def after(self, name: bytes) -> int:
        """The place of the first object behind this name; len(oids) behind the last."""
        place = self.places.get(name)
        return place + 1 if place is not None else bisect_right(self.oids, decode_oid(name))

    def varbind(self, place: int, now_ms: int) -> bytes:
        """The varbind at a place, as it is now."""
        content = self.contents[place]
        if isinstance(content, bytes):
            return content
        if not 0 <= now_ms - self._as_of_ms < FRESH_MS:
            self._as_of_ms = now_ms
            self._values = moving_values(self.readings, self.device, now_ms, self._values)
        value = self._values[content.column][content.row]
        return encode_varbind(self.names[place], encode_value(content.tag, value))


def moving_values(
    readings: Readings, device: Device, now_ms: int, before: Mapping[str, list[int]] | None = None
) -> dict[str, list[int]]:
    """Every column of changing values of a device at one moment; `before` are those that were told last."""
    ts_ms = np.array([now_ms], dtype=np.int64)
    ports = readings.ports(device, ts_ms)
    values = {name: column[0].tolist() for name, column in vars(ports).items()}
    uptime = int(readings.uptime_ms(device, ts_ms)[0]) // 10 % LIMIT_32
    if before and before["uptime"][0] <= uptime:
        # An incident that is told of late, or the last digit of a large sum, must not make a counter go back:
        # whoever polls it would take that for a restart and the whole count for traffic.
        for name in COUNTERS:
            values[name] = [max(pair) for pair in zip(before[name], values[name], strict=True)]
    for name in COUNTERS:
        values[name + "_32"] = [value % LIMIT_32 for value in values[name]]
    return values | {
        "uptime": [uptime],
        "cpu": readings.cpu_percent(device, ts_ms)[0].tolist(),
        "storage": [int(readings.memory_units(device, ts_ms)[0]), int(readings.disk_units(device, ts_ms)[0])],
        "sessions": readings.sessions(device, ts_ms).tolist() if device.hardware.sessions else [],
        "temperature": readings.temperature_tenths(device, ts_ms).tolist(),
        "light": readings.rx_centi_dbm(device, ts_ms)[0].tolist(),
    }


Object = tuple[Oid, int, int | bytes | str | Oid | Moving]


def _objects(network: Network, device: Device) -> Iterator[Object]:
    yield from _system(device)
    yield from _interfaces(device)
    yield from _host(device)
    if device.hardware.sessions:
        used, limit = SESSIONS[device.hardware.vendor]
        yield _moving(used, GAUGE32, "sessions", 0)
        yield limit, GAUGE32, device.hardware.sessions
    yield from _entity(device)
    yield from _lldp(network, device)


def _moving(oid: Oid, tag: int, column: str, row: int) -> Object:
    return oid, tag, Moving(tag, column, row)


def _system(device: Device) -> Iterator[Object]:
    hardware, place = device.hardware, device.place
    description = hardware.description.format(model=hardware.model, version=hardware.os_version, name=device.name)
    yield (*SYSTEM, 1, 0), OCTETS, description
    yield (*SYSTEM, 2, 0), OBJECT_ID, parse_oid(hardware.object_id)
    yield _moving((*SYSTEM, 3, 0), TIMETICKS, "uptime", 0)
    yield (*SYSTEM, 4, 0), OCTETS, f"noc@{device.tenant}.example"
    yield (*SYSTEM, 5, 0), OCTETS, device.name
    yield (*SYSTEM, 6, 0), OCTETS, f"{place.title}, rack {device.number % 24 + 1}"
    yield (*SYSTEM, 7, 0), INTEGER, 78


def mac_of(device: Device, row: int) -> bytes:
    """The hardware address of a port (row + 1) or of the chassis (0)."""
    return bytes((0x02, 0x4E, 0x0C)) + (device.number * 256 + row).to_bytes(3, "big")


def _interfaces(device: Device) -> Iterator[Object]:
    yield (*INTERFACES, 1, 0), INTEGER, len(device.ports)
    wide = device.hardware.counter_bits == 64
    for row, port in enumerate(device.ports):
        index = port.if_index
        yield (*IF_ENTRY, 1, index), INTEGER, index
        yield (*IF_ENTRY, 2, index), OCTETS, port.name
        yield (*IF_ENTRY, 3, index), INTEGER, 6
        yield (*IF_ENTRY, 4, index), INTEGER, 9192
        yield (*IF_ENTRY, 5, index), GAUGE32, min(port.speed_bps, LIMIT_32 - 1)
        yield (*IF_ENTRY, 6, index), OCTETS, mac_of(device, row + 1)
        yield (*IF_ENTRY, 7, index), INTEGER, 1 if port.is_enabled else 2
        yield _moving((*IF_ENTRY, 8, index), INTEGER, "oper_status", row)
        yield (*IF_ENTRY, 9, index), TIMETICKS, 0
        for column, name in (
            (10, "in_octets"), (11, "in_packets"), (14, "in_errors"),
            (16, "out_octets"), (17, "out_packets"), (19, "out_discards"),
        ):  # fmt: skip
            yield _moving((*IF_ENTRY, column, index), COUNTER32, name + "_32", row)
        yield (*IF_ENTRY, 13, index), COUNTER32, 0
        yield (*IF_ENTRY, 20, index), COUNTER32, 0
        yield (*IFX_ENTRY, 1, index), OCTETS, port.name
        if wide:
            for column, name in ((6, "in_octets"), (7, "in_packets"), (10, "out_octets"), (11, "out_packets")):
                yield _moving((*IFX_ENTRY, column, index), COUNTER64, name, row)
        yield (*IFX_ENTRY, 15, index), GAUGE32, port.speed_bps // 1_000_000
        yield (*IFX_ENTRY, 18, index), OCTETS, port.alias
        yield (*IFX_ENTRY, 19, index), TIMETICKS, 0


def _host(device: Device) -> Iterator[Object]:
    yield _moving((*HOST, 1, 1, 0), TIMETICKS, "uptime", 0)
    yield (*HOST, 2, 2, 0), INTEGER, device.hardware.memory_bytes // 1024
    kinds = ((2, "Physical memory", device.hardware.memory_bytes), (4, "/var", device.hardware.disk_bytes))
    for row, (kind, title, size) in enumerate(kinds):
        entry = (*HOST, 2, 3, 1)
        yield (*entry, 1, row + 1), INTEGER, row + 1
        yield (*entry, 2, row + 1), OBJECT_ID, (*HOST, 2, 1, kind)
        yield (*entry, 3, row + 1), OCTETS, title
        yield (*entry, 4, row + 1), INTEGER, MEMORY_UNIT
        yield (*entry, 5, row + 1), INTEGER, size // MEMORY_UNIT
        yield _moving((*entry, 6, row + 1), INTEGER, "storage", row)
    for row in range(device.hardware.cpus):
        yield (*HOST, 3, 2, 1, 1, row + 1), INTEGER, row + 1
        yield (*HOST, 3, 2, 1, 2, row + 1), OBJECT_ID, (*HOST, 3, 1, 3)
        yield (*HOST, 3, 2, 1, 3, row + 1), OCTETS, f"CPU {row}"
        yield (*HOST, 3, 3, 1, 1, row + 1), OBJECT_ID, (0, 0)
        yield _moving((*HOST, 3, 3, 1, 2, row + 1), INTEGER, "cpu", row)


def _entity(device: Device) -> Iterator[Object]:
    hardware = device.hardware
    yield from _part(1, f"{hardware.vendor} {hardware.model}", 0, CHASSIS, "chassis")
    for column, text in ((10, hardware.os_version), (11, device.serial), (12, hardware.vendor), (13, hardware.model)):
        yield (*ENTITY_ENTRY, column, 1), OCTETS, text
    yield from _sensor(TEMPERATURE_INDEX, "chassis temperature", CELSIUS, decimals=1, column="temperature")
    for row, port in enumerate(optic_ports(device)):
        yield from _sensor(FIRST_OPTIC_INDEX + row, sensor_name(port), DBM, decimals=2, column="light", row=row)


def _part(index: int, description: str, parent: int, part_class: int, name: str) -> Iterator[Object]:
    yield (*ENTITY_ENTRY, 2, index), OCTETS, description
    yield (*ENTITY_ENTRY, 4, index), INTEGER, parent
    yield (*ENTITY_ENTRY, 5, index), INTEGER, part_class
    yield (*ENTITY_ENTRY, 7, index), OCTETS, name


def _sensor(index: int, name: str, kind: int, *, decimals: int, column: str, row: int = 0) -> Iterator[Object]:
    yield from _part(index, name, 1, SENSOR_CLASS, name)
    yield (*SENSOR_ENTRY, 1, index), INTEGER, kind
    yield (*SENSOR_ENTRY, 2, index), INTEGER, UNITS
    yield (*SENSOR_ENTRY, 3, index), INTEGER, decimals
    yield _moving((*SENSOR_ENTRY, 4, index), INTEGER, column, row)
    yield (*SENSOR_ENTRY, 5, index), INTEGER, OK


def _lldp(network: Network, device: Device) -> Iterator[Object]:
    """Local ports and neighbours. A neighbour stays listed while its link is down, as within its time to live."""
    yield (*LLDP, 3, 1, 0), INTEGER, 4
    yield (*LLDP, 3, 2, 0), OCTETS, mac_of(device, 0)
    yield (*LLDP, 3, 3, 0), OCTETS, device.name
    for port in device.ports:
        yield (*LLDP, 3, 7, 1, 2, port.if_index), INTEGER, 5
        yield (*LLDP, 3, 7, 1, 3, port.if_index), OCTETS, port.name
        yield (*LLDP, 3, 7, 1, 4, port.if_index), OCTETS, port.alias or port.name
    for number, port in enumerate((port for port in device.ports if port.peer), start=1):
        assert port.peer is not None
        far = network.by_name[port.peer[0]]
        index = (0, port.if_index, number)
        yield (*LLDP, 4, 1, 1, 4, *index), INTEGER, 4
        yield (*LLDP, 4, 1, 1, 5, *index), OCTETS, mac_of(far, 0)
        yield (*LLDP, 4, 1, 1, 6, *index), INTEGER, 5
        yield (*LLDP, 4, 1, 1, 7, *index), OCTETS, port.peer[1]
        yield (*LLDP, 4, 1, 1, 8, *index), OCTETS, network.port(*port.peer).alias
        yield (*LLDP, 4, 1, 1, 9, *index), OCTETS, far.name
        yield (*LLDP, 4, 1, 1, 10, *index), OCTETS, f"{far.hardware.vendor} {far.hardware.model}"
