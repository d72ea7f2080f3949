"""From what was read off a device to what stands there: facts, interfaces, neighbours. Pure.

An interface is known by its name, never by its number: agents renumber at a reboot.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from app.domain.inventory import STATUS_NAMES, DeviceFacts, Discovery, InterfaceFacts, Neighbour
from ingest.snmp import codec, values
from ingest.snmp.profiles import Pick, Profile
from ingest.snmp.walk import Cells

Columns = Mapping[bytes, Cells]


def _oids(base: str, **columns: int) -> dict[str, bytes]:
    return {name: codec.oid_octets(f"{base}.{number}") for name, number in columns.items()}


# The scalars that tell who a device is and whether it has restarted or changed.
SYSTEM: Final = {
    "description": codec.oid_octets("1.3.6.1.2.1.1.1.0"),
    "object_id": codec.oid_octets("1.3.6.1.2.1.1.2.0"),
    "up_time": codec.oid_octets("1.3.6.1.2.1.1.3.0"),
    "sys_name": codec.oid_octets("1.3.6.1.2.1.1.5.0"),
    "location": codec.oid_octets("1.3.6.1.2.1.1.6.0"),
    "if_table_changed": codec.oid_octets("1.3.6.1.2.1.31.1.5.0"),
    "if_number": codec.oid_octets("1.3.6.1.2.1.2.1.0"),
}
IF: Final = _oids("1.3.6.1.2.1.2.2.1", index=1, descr=2, type=3, mtu=4, speed=5, mac=6, admin=7, oper=8) | _oids(
    "1.3.6.1.2.1.31.1.1.1", name=1, high_speed=15, alias=18
)
LLDP: Final = _oids("1.0.8802.1.1.2.1.3.7.1", local_kind=2, local_id=3, local_text=4) | _oids(
    "1.0.8802.1.1.2.1.4.1.1", chassis_kind=4, chassis=5, port_kind=6, port=7, port_text=8, name=9
)
CDP: Final = _oids("1.3.6.1.4.1.9.9.23.1.2.1.1", device=6, port=7)
ENTITY: Final = _oids("1.3.6.1.2.1.47.1.1.1.1", kind=5, software=10, serial=11, model=13)
READINGS: Final = {"interfaces": IF, "lldp": LLDP, "cdp": CDP, "entity": ENTITY}

CHASSIS: Final = 3
# Subtypes of LLDP: what a chassis or port calls itself by.
CHASSIS_MAC, CHASSIS_ADDRESS = 4, 5
PORT_ALIAS, PORT_MAC, PORT_ADDRESS, PORT_NAME, PORT_LOCAL = 1, 3, 4, 5, 7
SATURATED_SPEED: Final = 4_294_967_295

# Enterprise numbers of IANA, for devices without a profile of their own.
VENDORS: Final = {
    9: "Cisco", 11: "HP", 43: "3Com", 171: "D-Link", 207: "Allied Telesis", 311: "Microsoft", 318: "APC",
    674: "Dell", 1588: "Brocade", 1718: "Server Technology", 1916: "Extreme", 1991: "Foundry", 2011: "Huawei",
    2636: "Juniper", 3224: "NetScreen", 3375: "F5", 4413: "Ubiquiti", 5624: "Enterasys", 6027: "Force10",
    6486: "Alcatel-Lucent", 6527: "Nokia", 8072: "Net-SNMP", 10002: "Ubiquiti", 11863: "TP-Link", 12356: "Fortinet",
    14179: "Cisco", 14823: "Aruba", 14988: "MikroTik", 25049: "Opengear", 25461: "Palo Alto Networks",
    25506: "HPE", 30065: "Arista", 40310: "Cumulus", 41112: "Ubiquiti", 47196: "HPE Aruba",
}  # fmt: skip


@dataclass(frozen=True)
class Survey:
    """What was read off a device: `system` by the names of SYSTEM, `columns` by their octets, `picked` by field."""

    profile: Profile
    system: Mapping[str, tuple[int, bytes]]
    columns: Columns
    picked: Mapping[str, str] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """One of SYSTEM as text; "" when the device does not tell."""
        return as_text(self.system.get(name))

    def number(self, name: str) -> int | None:
        """One of SYSTEM as a number."""
        found = as_number(self.system.get(name))
        return None if found is None else int(found)


def discover(survey: Survey) -> Discovery:
    """What stands there, as the device tells it."""
    interfaces = find_interfaces(survey.columns)
    neighbours: list[Neighbour] = []
    if "lldp" in survey.profile.reads:
        neighbours += find_lldp_neighbours(survey.columns, interfaces)
    if "cdp" in survey.profile.reads:
        neighbours += find_cdp_neighbours(survey.columns, interfaces)
    return Discovery(find_facts(survey), tuple(interfaces), tuple(neighbours))


def find_facts(survey: Survey) -> DeviceFacts:
    """Who the device is; the profile knows where it says so, else ENTITY-MIB's chassis, else sysObjectID."""
    identity, entity = survey.profile.identity, _chassis(survey.columns)
    object_id = survey.text("object_id")
    return DeviceFacts(
        sys_name=survey.text("sys_name"),
        description=survey.text("description"),
        object_id=object_id,
        location=survey.text("location"),
        vendor=identity.vendor or _vendor(object_id),
        os=identity.os,
        model=_picked(survey, "model", identity.model) or entity.get("model", ""),
        serial=_picked(survey, "serial", identity.serial) or entity.get("serial", ""),
        os_version=_picked(survey, "os_version", identity.os_version) or entity.get("software", ""),
    )


def find_interfaces(columns: Columns) -> list[InterfaceFacts]:
    """The rows of IF-MIB by ifIndex, each with a name that is unique on the device."""
    cells = {name: columns.get(oid, {}) for name, oid in IF.items()}
    indexes = sorted({index for column in cells.values() for index in column}, key=codec.decode_arcs)
    rows = [
        (codec.decode_arcs(index)[0], {name: column.get(index) for name, column in cells.items()})
        for index in indexes
        if len(codec.decode_arcs(index)) == 1
    ]
    names = _unique_names(
        [
            (as_text(row["name"]) or as_text(row["descr"]) or str(number), _mac(row["mac"]), number)
            for number, row in rows
        ]
    )
    return [
        InterfaceFacts(
            name=names[number],
            if_index=number,
            description=as_text(row["descr"]),
            alias=as_text(row["alias"]),
            mac=_mac(row["mac"]),
            if_type=int(as_number(row["type"]) or 0),
            mtu=_whole(row["mtu"]),
            speed_bps=speed_bps(as_number(row["high_speed"]), as_number(row["speed"])),
            admin_status=status_name(as_number(row["admin"])),
            oper_status=status_name(as_number(row["oper"])),
        )
        for number, row in rows
    ]


def find_lldp_neighbours(columns: Columns, interfaces: Sequence[InterfaceFacts]) -> list[Neighbour]:
    """Neighbours by LLDP. The index of a row is (time, local port number, n); that number is not always the ifIndex."""
    cells = {name: columns.get(oid, {}) for name, oid in LLDP.items()}
    local = _lldp_ports(cells, interfaces)
    by_index = {port.if_index: port.name for port in interfaces}
    found = []
    for index in sorted(cells["port"].keys() | cells["chassis"].keys(), key=codec.decode_arcs):
        arcs = codec.decode_arcs(index)
        name = (local.get(arcs[1]) or by_index.get(arcs[1])) if len(arcs) == 3 else None
        if name is None:
            continue
        chassis_kind, port_kind = as_number(cells["chassis_kind"].get(index)), as_number(cells["port_kind"].get(index))
        found.append(
            Neighbour(
                interface=name,
                device=as_text(cells["name"].get(index)),
                chassis=_identifier(
                    cells["chassis"].get(index), chassis_kind, mac=CHASSIS_MAC, address=CHASSIS_ADDRESS
                ),
                port=_identifier(cells["port"].get(index), port_kind, mac=PORT_MAC, address=PORT_ADDRESS),
                port_description=as_text(cells["port_text"].get(index)),
            )
        )
    return found


def find_cdp_neighbours(columns: Columns, interfaces: Sequence[InterfaceFacts]) -> list[Neighbour]:
    """Neighbours by CDP. The index of a row is (ifIndex, n)."""
    by_index = {port.if_index: port.name for port in interfaces}
    found = []
    for index, cell in sorted(columns.get(CDP["device"], {}).items(), key=lambda item: codec.decode_arcs(item[0])):
        arcs = codec.decode_arcs(index)
        if arcs and arcs[0] in by_index:
            # Devices of Cisco tell their serial number behind their name: "core-1(FOC1234X0AB)".
            device = re.sub(r"\([^()]*\)$", "", as_text(cell))
            port = as_text(columns.get(CDP["port"], {}).get(index))
            found.append(Neighbour(by_index[arcs[0]], device, "", port, protocol="cdp"))
    return found


def speed_bps(high_speed: float | None, speed: float | None) -> int | None:
    """bit/s: ifHighSpeed (in Mbit/s) if it is not 0, else ifSpeed unless that is at its limit; None if unknown."""
    if high_speed:
        return int(high_speed) * 1_000_000
    if speed is None or int(speed) == SATURATED_SPEED:
        return None
    return int(speed)


def status_name(status: float | None) -> str:
    """The word for a value of ifAdminStatus or ifOperStatus."""
    return "unknown" if status is None else STATUS_NAMES.get(int(status), "unknown")


def as_text(cell: tuple[int, bytes] | None) -> str:
    """A cell as text; "" for none."""
    found = values.value(*cell) if cell else None
    return "" if found is None else str(found)


def as_number(cell: tuple[int, bytes] | None) -> float | int | None:
    """A cell as a number; None for none."""
    return values.number(*cell) if cell else None


def _unique_names(ports: Sequence[tuple[str, str, int]]) -> dict[int, str]:
    """Names by ifIndex for (name, MAC, ifIndex); duplicates are numbered in the order of their MAC addresses.

    That order outlives a renumbering, which the order of ifIndex does not.
    """
    alike: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for name, mac, number in ports:
        alike[name].append((mac, number))
    names = {}
    for name, twins in alike.items():
        for place, (_, number) in enumerate(sorted(twins), 1):
            names[number] = name if place == 1 else f"{name} ({place})"
    return names


def _lldp_ports(cells: Mapping[str, Cells], interfaces: Sequence[InterfaceFacts]) -> dict[int, str]:
    """Our interface's name by LLDP's own number for it, where LLDP's table of local ports tells."""
    found: dict[int, str] = {}
    for index in cells["local_id"].keys() | cells["local_text"].keys():
        number = codec.decode_arcs(index)[0] if index else 0
        kind = as_number(cells["local_kind"].get(index))
        told = _identifier(cells["local_id"].get(index), kind, mac=PORT_MAC, address=PORT_ADDRESS)
        text = as_text(cells["local_text"].get(index))
        name = _interface_called(interfaces, told, text, kind)
        if name is not None:
            found[number] = name
    return found


def _interface_called(
    interfaces: Sequence[InterfaceFacts], told: str, text: str, kind: float | int | None
) -> str | None:
    ways: list[Callable[[InterfaceFacts], bool]] = [
        lambda port: told in (port.name, port.description),
        lambda port: kind == PORT_MAC and port.mac == told,
        lambda port: kind == PORT_ALIAS and port.alias == told,
        lambda port: kind in (PORT_LOCAL, None) and str(port.if_index) == told,
        lambda port: bool(text) and text in (port.name, port.description),
    ]
    for is_it in ways:
        matching = [port.name for port in interfaces if told and is_it(port)]
        if len(matching) == 1:
            return matching[0]
    return None


def _identifier(cell: tuple[int, bytes] | None, kind: float | int | None, *, mac: int, address: int) -> str:
    """What a chassis or port calls itself, read by its subtype."""
    if cell is None:
        return ""
    if kind == mac:
        return values.mac(cell[1])
    if kind == address:
        return values.ip_address(cell[1][1:])  # the first octet is the family
    return as_text(cell)


def _chassis(columns: Columns) -> dict[str, str]:
    """Model, serial and software of the first chassis (else of the first row that has a serial) of ENTITY-MIB."""
    cells = {name: columns.get(oid, {}) for name, oid in ENTITY.items()}
    rows = sorted(cells["kind"].items(), key=lambda item: codec.decode_arcs(item[0]))
    chosen = [index for index, cell in rows if as_number(cell) == CHASSIS] or list(cells["serial"])
    for index in chosen:
        found = {name: as_text(cells[name].get(index)) for name in ("software", "serial", "model")}
        if found["serial"] or found["model"]:
            return found
    return {}


def _picked(survey: Survey, name: str, pick: Pick | None) -> str:
    if pick is None:
        return ""
    source = survey.picked.get(name, "") if pick.oid else survey.text("description")
    if not pick.regex:
        return source
    match = re.search(pick.regex, source)
    return match[1].strip() if match else ""


def _vendor(object_id: str) -> str:
    arcs = object_id.split(".")
    if arcs[:6] != ["1", "3", "6", "1", "4", "1"] or len(arcs) < 7:
        return ""
    return VENDORS.get(int(arcs[6]), "")


def _mac(cell: tuple[int, bytes] | None) -> str:
    return values.mac(cell[1]) if cell else ""


def _whole(cell: tuple[int, bytes] | None) -> int | None:
    found = as_number(cell)
    return None if found is None else int(found)
