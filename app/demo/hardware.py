"""The makes and models that stand in the demo network: ports, identity strings, processors, memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

GIGABIT: Final = 1_000_000_000
GIBIBYTE: Final = 1024**3


@dataclass(frozen=True)
class PortGroup:
    """A row of like ports: `pattern.format(n)` for n in first…first + count - 1."""

    pattern: str
    first: int
    count: int
    speed_bps: int


@dataclass(frozen=True)
class Hardware:
    """One model. `description` is sysDescr with {model}, {version} and {name} filled in."""

    vendor: str
    model: str
    os: str
    os_version: str
    object_id: str
    description: str
    serial: str
    ports: tuple[PortGroup, ...]
    cpus: int = 1
    memory_bytes: int = 4 * GIBIBYTE
    disk_bytes: int = 16 * GIBIBYTE
    first_if_index: int = 1
    counter_bits: int = 64
    has_optics: bool = True
    sessions: int = 0  # that it can hold, where its SNMP agent tells


_JUNOS = "Juniper Networks, Inc. {model} internet router, kernel JUNOS {version}, Build date: 2025-06-12 08:31:04 UTC"
_EX = "Juniper Networks, Inc. {model} Ethernet Switch, kernel JUNOS {version}, Build date: 2025-02-27 11:02:51 UTC"
_IOS_XR = "Cisco IOS XR Software (NCS-5500), Version {version}  Copyright (c) 2013-2024 by Cisco Systems, Inc."
_IOS_XE = (
    "Cisco IOS Software [Cupertino], Catalyst L3 Switch Software (CAT9K_LITE_IOSXE), Version {version},"
    " RELEASE SOFTWARE (fc3)"
)
_NXOS = "Cisco NX-OS(tm) nxos.{version}.bin, Software (nxos), Version {version}, RELEASE SOFTWARE"

HARDWARE: Final[Mapping[str, Hardware]] = {
    "mx304": Hardware(
        "Juniper", "MX304", "junos", "23.4R2-S3.9", "1.3.6.1.4.1.2636.1.1.1.2.170", _JUNOS, "JN12{}AFC",
        (PortGroup("et-0/0/{}", 0, 16, 100 * GIGABIT), PortGroup("xe-0/1/{}", 0, 16, 10 * GIGABIT)),
        cpus=2, memory_bytes=64 * GIBIBYTE, disk_bytes=100 * GIBIBYTE, first_if_index=512,
    ),
    "ncs55a1": Hardware(
        "Cisco", "NCS-55A1-24H", "iosxr", "7.9.21", "1.3.6.1.4.1.9.1.2380", _IOS_XR, "FOC24{}R7",
        (PortGroup("HundredGigE0/0/0/{}", 0, 16, 100 * GIGABIT), PortGroup("TenGigE0/0/1/{}", 0, 16, 10 * GIGABIT)),
        cpus=2, memory_bytes=32 * GIBIBYTE, disk_bytes=64 * GIBIBYTE, first_if_index=7,
    ),
    "dcs7050": Hardware(
        "Arista", "DCS-7050SX3-24YC4C", "eos", "4.31.2F", "1.3.6.1.4.1.30065.1.3011.7050.3741.24.3282.4",
        "Arista Networks EOS version {version} running on an Arista Networks {model}", "JPE21{}",
        (PortGroup("Ethernet{}", 1, 24, 10 * GIGABIT), PortGroup("Ethernet{}/1", 25, 4, 40 * GIGABIT)),
        cpus=4, memory_bytes=8 * GIBIBYTE, disk_bytes=30 * GIBIBYTE,
    ),
    "qfx5110": Hardware(
        "Juniper", "QFX5110-48S", "junos", "22.4R3-S2.11", "1.3.6.1.4.1.2636.1.1.1.4.82.12", _EX, "WS37{}",
        (PortGroup("xe-0/0/{}", 0, 40, 10 * GIGABIT), PortGroup("et-0/0/{}", 48, 4, 40 * GIGABIT)),
        cpus=2, memory_bytes=16 * GIBIBYTE, disk_bytes=32 * GIBIBYTE, first_if_index=505,
    ),
    "ex3400": Hardware(
        "Juniper", "EX3400-24T", "junos", "21.4R3-S7.6", "1.3.6.1.4.1.2636.1.1.1.4.131.1", _EX, "NV02{}",
        (PortGroup("ge-0/0/{}", 0, 24, GIGABIT), PortGroup("xe-0/2/{}", 0, 4, 10 * GIGABIT)),
        memory_bytes=2 * GIBIBYTE, disk_bytes=2 * GIBIBYTE, first_if_index=507,
    ),
    "ex2300c": Hardware(
        "Juniper", "EX2300-C-12T", "junos", "21.4R3-S7.6", "1.3.6.1.4.1.2636.1.1.1.4.132.4", _EX, "HV36{}",
        (PortGroup("ge-0/0/{}", 0, 12, GIGABIT), PortGroup("xe-0/1/{}", 0, 2, 10 * GIGABIT)),
        memory_bytes=2 * GIBIBYTE, disk_bytes=2 * GIBIBYTE, first_if_index=507,
    ),
    "c9200l": Hardware(
        "Cisco", "C9200L-24T-4X", "iosxe", "17.9.4a", "1.3.6.1.4.1.9.1.2694", _IOS_XE, "JAE25{}QX",
        (
            PortGroup("GigabitEthernet1/0/{}", 1, 24, GIGABIT),
            PortGroup("TenGigabitEthernet1/1/{}", 1, 4, 10 * GIGABIT),
        ),
        memory_bytes=2 * GIBIBYTE, disk_bytes=4 * GIBIBYTE, first_if_index=9,
    ),
    "n3548": Hardware(
        "Cisco", "N3K-C3548P-10GX", "nxos", "9.3(12)", "1.3.6.1.4.1.9.12.3.1.3.1237", _NXOS, "FOC21{}K2",
        (PortGroup("Ethernet1/{}", 1, 48, 10 * GIGABIT),),
        cpus=2, memory_bytes=8 * GIBIBYTE, disk_bytes=8 * GIBIBYTE, first_if_index=436207616,
    ),
    "j9279a": Hardware(
        "HP", "J9279A 2510G-24", "procurve", "Y.11.52", "1.3.6.1.4.1.11.2.3.7.11.85",
        "ProCurve J9279A Switch 2510G-24, revision {version}, ROM N.10.02 (/sw/code/build/cod(cod11))", "CN94{}",
        (PortGroup("{}", 1, 24, GIGABIT),),
        memory_bytes=GIBIBYTE // 16, disk_bytes=GIBIBYTE // 8, counter_bits=32, has_optics=False,
    ),
    "pa3410": Hardware(
        "Palo Alto Networks", "PA-3410", "panos", "11.1.4-h7", "1.3.6.1.4.1.25461.2.3.60",
        "Palo Alto Networks PA-3400 series firewall", "0163010{}",
        (PortGroup("ethernet1/{}", 1, 12, GIGABIT), PortGroup("ethernet1/{}", 13, 10, 10 * GIGABIT)),
        cpus=2, memory_bytes=32 * GIBIBYTE, disk_bytes=240 * GIBIBYTE, first_if_index=2, sessions=1_400_000,
    ),
    "fg200f": Hardware(
        "Fortinet", "FortiGate-200F", "fortios", "v7.4.5,build2702", "1.3.6.1.4.1.12356.101.1.2007",
        "FortiGate-200F {version}", "FG200FT9229{}",
        (PortGroup("port{}", 1, 16, GIGABIT), PortGroup("x{}", 1, 4, 10 * GIGABIT)),
        cpus=4, memory_bytes=8 * GIBIBYTE, disk_bytes=64 * GIBIBYTE,
    ),
    "srx320": Hardware(
        "Juniper", "SRX320", "junos", "23.4R2-S3.9", "1.3.6.1.4.1.2636.1.1.1.2.134", _JUNOS, "CY22{}",
        (PortGroup("ge-0/0/{}", 0, 6, GIGABIT), PortGroup("xe-0/0/{}", 6, 2, 10 * GIGABIT)),
        memory_bytes=4 * GIBIBYTE, disk_bytes=8 * GIBIBYTE, first_if_index=507, sessions=64_000,
    ),
}  # fmt: skip
