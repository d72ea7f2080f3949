"""What stands in the network: sites, devices, their interfaces, the links between them, and what discovery finds.

Values only. Tables are in models/inventory.py, reading and changing them in queries and actions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from app.domain.tenancy import TenantId
from app.errors import InvalidInput

# ifAdminStatus and ifOperStatus of RFC 2863.
STATUS_NAMES: Final = {
    1: "up", 2: "down", 3: "testing", 4: "unknown", 5: "dormant", 6: "notPresent", 7: "lowerLayerDown",
}  # fmt: skip
CREDENTIAL_KINDS: Final = ("snmp_v2c", "snmp_v1")
MOST_NAME: Final = 200


class DeviceState(StrEnum):
    """What a device is to us."""

    ACTIVE = "active"
    MAINTENANCE = "maintenance"
    RETIRED = "retired"


@dataclass(frozen=True)
class Site:
    """A place where devices stand."""

    id: int
    name: str
    title: str
    latitude: float | None
    longitude: float | None
    time_zone: str
    created_at: datetime


@dataclass(frozen=True)
class Credential:
    """What a device asks for; its secret is never read back."""

    id: int
    name: str
    kind: str
    created_at: datetime
    changed_at: datetime


@dataclass(frozen=True)
class Device:
    """A device we watch. `name` is the label `device` of its samples; `site` and `credential` are names or ""."""

    id: int
    name: str
    address: str
    port: int
    site: str
    credential: str
    role: str
    vendor: str
    model: str
    serial: str
    os: str
    os_version: str
    sys_name: str
    description: str
    object_id: str
    location: str
    tags: tuple[str, ...]
    poll_interval_s: int
    state: str
    is_reachable: bool | None
    reachable_since: datetime | None
    polled_at: datetime | None
    discovered_at: datetime | None
    booted_at: datetime | None
    last_error: str
    created_at: datetime


@dataclass(frozen=True)
class DeviceHealth:
    """A device and how it is: its interfaces by state and its open alerts by severity."""

    device: Device
    interfaces_up: int = 0
    interfaces_down: int = 0  # down although they are wanted up
    alerts: dict[str, int] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """One word: retired, maintenance, unknown (never polled), down, or up."""
        if self.device.state != DeviceState.ACTIVE:
            return self.device.state
        if self.device.is_reachable is None:
            return "unknown"
        return "up" if self.device.is_reachable else "down"


@dataclass(frozen=True)
class Interface:
    """A port. `name` is unique on its device and the label `ifName` of its samples; ifIndex may change at a reboot."""

    id: int
    device: str
    name: str
    if_index: int
    description: str
    alias: str
    mac: str
    if_type: int
    mtu: int | None
    speed_bps: int | None
    admin_status: str
    oper_status: str
    changed_at: datetime | None
    missing_since: datetime | None


@dataclass(frozen=True)
class Link:
    """A link between two devices. Side b may be a device that we do not watch; it is then known by name alone."""

    id: int
    a_device: str
    a_interface: str
    b_device: str
    b_interface: str
    is_b_watched: bool
    is_confirmed: bool  # both sides tell of it
    protocol: str
    first_seen_at: datetime
    seen_at: datetime


@dataclass(frozen=True)
class SiteCounts:
    """A site and what stands there."""

    site: Site
    devices: int
    unreachable: int
    alerts: dict[str, int]


# --- what discovery finds ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DeviceFacts:
    """What a device tells of itself; "" where it does not."""

    sys_name: str = ""
    description: str = ""
    object_id: str = ""
    location: str = ""
    vendor: str = ""
    model: str = ""
    serial: str = ""
    os: str = ""
    os_version: str = ""


@dataclass(frozen=True)
class InterfaceFacts:
    """One row of IF-MIB. `name` is ifName, else ifDescr, else the number, with a number in brackets for duplicates."""

    name: str
    if_index: int
    description: str = ""
    alias: str = ""
    mac: str = ""
    if_type: int = 0
    mtu: int | None = None
    speed_bps: int | None = None
    admin_status: str = "unknown"
    oper_status: str = "unknown"


@dataclass(frozen=True)
class Neighbour:
    """What a device says stands at the other end of one of its interfaces.

    `chassis` and `port` are what identifies the other side in the protocol's own terms (a name, a MAC address);
    `port_description` is free text. `interface` is our side's InterfaceFacts.name.
    """

    interface: str
    device: str
    chassis: str
    port: str
    port_description: str = ""
    protocol: str = "lldp"


@dataclass(frozen=True)
class Discovery:
    """All that discovery found on one device."""

    device: DeviceFacts
    interfaces: Sequence[InterfaceFacts] = ()
    neighbours: Sequence[Neighbour] = ()


# --- polling ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PollTarget:
    """What the poller needs of one device; `community` is a secret and never leaves the poller."""

    tenant: TenantId
    device_id: int
    name: str
    address: str
    port: int
    site: str
    role: str
    interval_s: int
    kind: str
    community: bytes = field(repr=False)


@dataclass(frozen=True)
class PollOutcome:
    """How one poll of one device went; `statuses` are (admin, oper) by interface name, those that changed only."""

    device_id: int
    name: str
    is_reachable: bool
    at: datetime
    error: str = ""
    booted_at: datetime | None = None
    statuses: dict[str, tuple[str, str]] = field(default_factory=dict)


# --- input ------------------------------------------------------------------------------------------------------------


class DeviceFields(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What people set of a device; fields left out stay as they are. `site` and `credential` by name, "" for none."""

    name: str | UnsetType = UNSET
    address: str | UnsetType = UNSET
    port: int | UnsetType = UNSET
    site: str | UnsetType = UNSET
    credential: str | UnsetType = UNSET
    role: str | UnsetType = UNSET
    vendor: str | UnsetType = UNSET
    model: str | UnsetType = UNSET
    location: str | UnsetType = UNSET
    tags: list[str] | UnsetType = UNSET
    poll_interval_s: int | UnsetType = UNSET
    state: str | UnsetType = UNSET


class SiteFields(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What people set of a site; fields left out stay as they are."""

    name: str | UnsetType = UNSET
    title: str | UnsetType = UNSET
    latitude: float | UnsetType | None = UNSET
    longitude: float | UnsetType | None = UNSET
    time_zone: str | UnsetType = UNSET


def check_name(name: object, *, noun: str) -> str:
    """The name, without blanks around it; raises InvalidInput unless it can be a label value and part of a URL."""
    if not isinstance(name, str) or not name.strip():
        raise InvalidInput("name", f"a {noun} needs a name")
    name = name.strip()
    if len(name) > MOST_NAME or not name.isprintable() or "/" in name:
        raise InvalidInput("name", f"a {noun}'s name has at most {MOST_NAME} printable characters and no slash")
    return name


def check_address(address: str) -> str:
    """An IP address or host name, or "" for a device that is not polled; raises InvalidInput."""
    address = address.strip()
    if address and not re.fullmatch(r"[0-9A-Za-z]([0-9A-Za-z._:%-]{0,252}[0-9A-Za-z:])?|::", address):
        raise InvalidInput("address", f"{address!r} is neither an IP address nor a host name")
    return address
