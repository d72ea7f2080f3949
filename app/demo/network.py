"""The demo network: devices, ports and the links between them, the same for the same seed.

What is said here never changes while the demo runs; what flows is traffic.py's, what breaks incidents.py's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from app.demo.chance import fraction, pick
from app.demo.hardware import GIGABIT, HARDWARE, Hardware
from app.demo.places import ORGANISATIONS, Organisation, Place

SEED: Final = 7
ROLES: Final[Mapping[str, str]] = {"core": "core", "agg": "aggregation", "acc": "access", "fw": "firewall"}
CUSTOMERS: Final = ("Orbit Health", "Helio Bank", "Aster Retail", "Lumen Foods", "Vector Logistics", "Civic Libraries")
ROOMS: Final = ("ap-floor", "desk", "camera", "voice", "printer", "door")
SERVERS: Final = ("hv", "db", "store", "web", "cache", "backup")
EXIT_ROLES: Final = ("transit", "peering")


@dataclass(frozen=True)
class Port:
    """A port. `peer` is the (device, port) at the other end of a link; flows are -1 where nothing ever passes.

    `is_enabled` is ifAdminStatus; `is_wired` says whether anything is plugged in.
    """

    device: str
    name: str
    if_index: int
    speed_bps: int
    role: str
    alias: str
    is_enabled: bool
    is_wired: bool
    peer: tuple[str, str] | None
    in_flow: int
    out_flow: int


@dataclass(frozen=True)
class Device:
    """A device; `number` is its place in Network.devices."""

    tenant: str
    place: Place
    name: str
    role: str
    hardware: Hardware
    serial: str
    number: int
    ports: tuple[Port, ...]

    @cached_property
    def port_numbers(self) -> Mapping[str, int]:
        """The place of a port in `ports`, by its name."""
        return {port.name: number for number, port in enumerate(self.ports)}


@dataclass(frozen=True)
class Link:
    """A cable between two ports, each (device, port); `ab_flow` goes from a to b."""

    a: tuple[str, str]
    b: tuple[str, str]
    speed_bps: int
    ab_flow: int
    ba_flow: int


@dataclass(frozen=True)
class Network:
    """All devices and links of all tenants; `flow_count` directions of traffic."""

    seed: int
    devices: tuple[Device, ...]
    links: tuple[Link, ...]
    flow_count: int

    @cached_property
    def by_name(self) -> Mapping[str, Device]:
        """Devices by name; names are unique over all tenants."""
        return {device.name: device for device in self.devices}

    def of_tenant(self, tenant: str) -> tuple[Device, ...]:
        """The devices of one tenant."""
        return tuple(device for device in self.devices if device.tenant == tenant)

    def port(self, device: str, name: str) -> Port:
        """One port; KeyError when there is none."""
        return self.by_name[device].ports[self.by_name[device].port_numbers[name]]


@dataclass
class _Socket:
    """A port that is still being wired."""

    name: str
    if_index: int
    speed_bps: int
    role: str = "unused"
    alias: str = ""
    is_enabled: bool = False
    is_wired: bool = False
    peer: tuple[str, str] | None = None


@dataclass
class _Chassis:
    """A device that is still being wired."""

    tenant: str
    place: Place
    name: str
    hardware: Hardware
    sockets: list[_Socket]

    @property
    def kind(self) -> str:
        """core, agg, acc or fw."""
        return self.name.split("-")[1]

    def free(self, speed_bps: int) -> _Socket:
        """The next unused port of this speed, else the next faster one."""
        unused = [socket for socket in self.sockets if socket.role == "unused" and socket.speed_bps >= speed_bps]
        return min(unused, key=lambda socket: socket.speed_bps)


@dataclass
class _Builder:
    seed: int
    chassis: dict[str, _Chassis] = field(default_factory=dict)
    cables: list[tuple[tuple[str, str], tuple[str, str], int]] = field(default_factory=list)

    def link(self, a: str, b: str, gigabits: int, role: str = "uplink") -> None:
        """Plug a cable between the next free ports of two devices."""
        ends = [(self.chassis[name], self.chassis[name].free(gigabits * GIGABIT)) for name in (a, b)]
        speed = min(gigabits * GIGABIT, *(socket.speed_bps for _, socket in ends))
        for (_, socket), (other, far) in zip(ends, reversed(ends), strict=True):
            socket.role, socket.is_enabled, socket.is_wired, socket.speed_bps = role, True, True, speed
            socket.peer = (other.name, far.name)
            socket.alias = f"{role.upper()}: {other.name} {far.name}"
        (left, near), (right, far) = ends
        self.cables.append(((left.name, near.name), (right.name, far.name), speed))

    def plug(self, chassis: _Chassis, socket: _Socket, role: str, alias: str) -> None:
        """Give a port to something outside the network."""
        socket.role, socket.alias, socket.is_enabled, socket.is_wired = role, alias, True, True


def build_network(seed: int = SEED) -> Network:
    """The whole demo network; equal seeds give equal networks."""
    builder = _Builder(seed)
    for organisation in ORGANISATIONS:
        _rack(builder, organisation)
        for a, b, gigabits in organisation.backbone:
            builder.link(a, b, gigabits, "backbone")
        for place in organisation.places:
            _wire_place(builder, place)
        _connect_outside(builder, organisation)
    for chassis in builder.chassis.values():
        _fill(builder, chassis)
    return _freeze(builder)


def _rack(builder: _Builder, organisation: Organisation) -> None:
    for place in organisation.places:
        for suffix, model in place.devices:
            hardware, name = HARDWARE[model], f"{place.name}-{suffix}"
            sockets: list[_Socket] = []
            for group in hardware.ports:
                for number in range(group.first, group.first + group.count):
                    index = hardware.first_if_index + len(sockets) * (4096 if hardware.os == "nxos" else 1)
                    sockets.append(_Socket(group.pattern.format(number), index, group.speed_bps))
            builder.chassis[name] = _Chassis(organisation.name, place, name, hardware, sockets)


def _wire_place(builder: _Builder, place: Place) -> None:
    """Two uplinks each where the layer above has two; small access switches hang behind another one."""
    names = {kind: [f"{place.name}-{s}" for s, _ in place.devices if s.startswith(kind)] for kind in ROLES}
    for agg in names["agg"]:
        for core in names["core"] if len(names["core"]) > 1 else names["core"] * 2:
            builder.link(agg, core, 40)
    if len(names["agg"]) > 1:
        builder.link(names["agg"][0], names["agg"][1], 40)
    for number, access in enumerate(names["acc"]):
        model = builder.chassis[access].hardware.model
        if model.startswith("J9279A"):
            builder.link(access, names["acc"][0], 1)
        elif model.startswith("EX2300"):
            builder.link(access, names["acc"][1], 10)
        else:
            above = names["agg"] or names["core"]
            count = 2 if model.startswith("N3K") else 1
            for upper in above if number % 4 != 3 or count > 1 else above[:1]:
                for _ in range(count):
                    builder.link(access, upper, 10)
    for firewall in names["fw"]:
        for core in (names["core"] * 2)[:2]:
            builder.link(firewall, core, 10)


def _connect_outside(builder: _Builder, organisation: Organisation) -> None:
    """Every core has one way out, to a carrier or an exchange in turn."""
    cores = [c for c in builder.chassis.values() if c.tenant == organisation.name and c.kind == "core"]
    for number, core in enumerate(cores):
        carrier, asn = organisation.carriers[number % len(organisation.carriers)]
        role = "transit" if number % len(organisation.carriers) < len(organisation.carriers) / 2 else "peering"
        socket = core.free(100 * GIGABIT)
        circuit = 10_000 + int(fraction(builder.seed, core.name, "circuit") * 89_999)
        builder.plug(core, socket, role, f"{role.upper()}: {carrier} {asn} CID-{circuit}")


# Share of the free ports that are in use, by kind of device and speed of the port.
_FILL: Final[Mapping[tuple[str, int], float]] = {
    ("core", 10): 0.5, ("agg", 10): 0.4, ("acc", 1): 0.75, ("acc", 10): 0.62, ("fw", 1): 0.3, ("fw", 10): 0.2,
}  # fmt: skip


def _fill(builder: _Builder, chassis: _Chassis) -> None:
    """Use part of the ports that are left; the others are shut, but for a rare one somebody forgot to shut."""
    for socket in chassis.sockets:
        if socket.role != "unused":
            continue
        words = (builder.seed, chassis.name, socket.name)
        share = _FILL.get((chassis.kind, socket.speed_bps // GIGABIT), 0.0)
        if chassis.kind == "acc" and socket.speed_bps > GIGABIT and not chassis.hardware.model.startswith("N3K"):
            share = 0.0
        if fraction(*words, "used") < share:
            role, alias = _use_of(chassis, socket, words)
            builder.plug(chassis, socket, role, alias)
        elif share and fraction(*words, "forgotten") < 0.012:
            socket.is_enabled, socket.role, socket.alias = True, "reserved", "RESERVED: patching pending"


def _use_of(chassis: _Chassis, socket: _Socket, words: tuple[object, ...]) -> tuple[str, str]:
    if chassis.kind in ("core", "agg"):
        circuit = 20_000 + int(fraction(*words, "circuit") * 79_999)
        return "customer", f"CUSTOMER: {pick(CUSTOMERS, *words, 'customer')} CID-{circuit}"
    number = int(fraction(*words, "number") * 40) + 1
    if chassis.hardware.model.startswith("N3K"):
        kind = pick(SERVERS, *words, "server")
        return "server", f"SERVER: {chassis.place.name}-{kind}-{number:02d} eth{number % 2}"
    if chassis.kind == "fw":
        return "inside", f"INSIDE: vlan {100 + number} {pick(('office', 'dmz', 'voice', 'guests'), *words, 'zone')}"
    return "access", f"ACCESS: {pick(ROOMS, *words, 'room')}-{number:02d}"


def _freeze(builder: _Builder) -> Network:
    flows: dict[tuple[str, str], tuple[int, int]] = {}  # (device, port) -> (in, out)
    links = []
    for number, (a, b, speed) in enumerate(builder.cables):
        links.append(Link(a, b, speed, 2 * number, 2 * number + 1))
        flows[a], flows[b] = (2 * number + 1, 2 * number), (2 * number, 2 * number + 1)
    count = 2 * len(links)
    devices = []
    for number, chassis in enumerate(builder.chassis.values()):
        ports = []
        for socket in chassis.sockets:
            key = (chassis.name, socket.name)
            if socket.is_wired and key not in flows:
                flows[key] = (count, count + 1)
                count += 2
            inward, outward = flows.get(key, (-1, -1))
            ports.append(Port(chassis.name, **vars(socket), in_flow=inward, out_flow=outward))
        serial = chassis.hardware.serial.format(f"{int(fraction(builder.seed, chassis.name, 'serial') * 9000) + 1000}")
        devices.append(
            Device(
                chassis.tenant,
                chassis.place,
                chassis.name,
                ROLES[chassis.kind],
                chassis.hardware,
                serial,
                number,
                tuple(ports),
            )
        )
    return Network(builder.seed, tuple(devices), tuple(links), count)
