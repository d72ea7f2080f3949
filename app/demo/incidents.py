"""What breaks, when, and what it takes with it: six kinds of incident, drawn from the seed or made by hand.

Pure: an incident is a plain value. journal.py keeps the list, timeline.py turns it into traffic and statuses.
Oddities (oddities.py) are incidents that break nothing: one series behaves as it never does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.demo.chance import between, fraction, pick
from app.demo.network import Device, Link, Network
from app.demo.routing import Breakage, Router, distances_from
from app.errors import InvalidInput


class Kind(StrEnum):
    """What can happen.

    Faults: the first two and the last two have a port as target (device:ifName), the others a device. Oddities have
    one series: device:ifName:in, device:ifName:out, or device:cpu, device:memory, device:temperature.
    """

    LINK_FLAP = "link_flap"
    FIBRE_CUT = "fibre_cut"
    DEVICE_DOWN = "device_down"
    CPU_OVERLOAD = "cpu_overload"
    OPTIC_FADING = "optic_fading"
    CONGESTION = "congestion"
    SPIKE = "spike"
    LEVEL_SHIFT = "level_shift"
    DROPOUT = "dropout"
    DAY_SHAPE = "day_shape"
    STUCK = "stuck"


ODDITIES: Final = (Kind.SPIKE, Kind.LEVEL_SHIFT, Kind.DROPOUT, Kind.DAY_SHAPE, Kind.STUCK)
FAULTS: Final = tuple(kind for kind in Kind if kind not in ODDITIES)
GAUGES: Final = ("cpu", "memory", "temperature")
DIRECTIONS: Final = ("in", "out")

OF_DEVICES: Final = frozenset({Kind.DEVICE_DOWN, Kind.CPU_OVERLOAD})
# How long one lasts, in s: shortest, longest.
LASTS_S: Final = {
    Kind.LINK_FLAP: (180, 300),
    Kind.FIBRE_CUT: (240, 480),
    Kind.DEVICE_DOWN: (240, 420),
    Kind.CPU_OVERLOAD: (420, 600),
    Kind.OPTIC_FADING: (420, 720),
    Kind.CONGESTION: (480, 720),
}
# How strong an oddity is, by kind and gauge ("" = a port): a share of the port's speed for a spike, a factor for the
# others; of a gauge what is added, in its own unit (per cent, share of the memory, tenths of a degree).
MAGNITUDES: Final = {
    (Kind.SPIKE, ""): (0.4, 0.6),
    (Kind.SPIKE, "cpu"): (55.0, 70.0),
    (Kind.LEVEL_SHIFT, ""): (2.4, 3.4),
    (Kind.LEVEL_SHIFT, "temperature"): (110.0, 190.0),
    (Kind.LEVEL_SHIFT, "memory"): (0.15, 0.25),
    (Kind.DROPOUT, ""): (0.01, 0.06),
}
SHAPE_STEP_MS: Final = 3_600_000
SLOT_MS: Final = 210_000
SLOT_CHANCE: Final = 0.8
MOST_AT_ONCE: Final = 3
FLAP_MS: Final = (45_000, 30_000)  # down, up
PAST_PER_DAY: Final = 3
DAY_MS: Final = 86_400_000


@dataclass(frozen=True)
class Incident:
    """One incident. `affected` are devices and ports (device:ifName); `by` is history, schedule or hand.

    `magnitude` is of oddities alone; oddities.py says what it means for each kind.
    """

    id: str
    kind: Kind
    target: str
    affected: tuple[str, ...]
    start_ms: int
    end_ms: int
    by: str
    magnitude: float = 0.0

    def is_active(self, at_ms: int) -> bool:
        """Whether it is going on."""
        return self.start_ms <= at_ms < self.end_ms


class Faults:
    """Makes incidents of one network, and says what they break."""

    def __init__(self, network: Network, router: Router) -> None:
        self.network = network
        self.router = router
        self.links = {end: link for link in network.links for end in (link.a, link.b)}

    def incident(self, identity: str, kind: Kind, target: str, *, start_ms: int, end_ms: int, by: str) -> Incident:
        """A checked incident; raises InvalidInput when there is no such target."""
        if kind in ODDITIES:
            self._check_series(target)
            return Incident(identity, kind, target, (target,), start_ms, end_ms, by, usual_magnitude(kind, target))
        if kind in OF_DEVICES:
            if target not in self.network.by_name:
                raise InvalidInput("target", f"there is no device {target!r} in the demo network")
        elif _end(target) not in self.links:
            raise InvalidInput("target", f"{target!r} is not a linked port, written device:ifName")
        draft = Incident(identity, kind, target, (), start_ms, end_ms, by)
        return Incident(identity, kind, target, self._affected(draft), start_ms, end_ms, by)

    def scheduled(self, slot: int) -> Incident | None:
        """The incident of one slot of SLOT_MS since 1970, if it has one."""
        words = (self.network.seed, "slot", slot)
        if fraction(*words, "happens") >= SLOT_CHANCE:
            return None
        start_ms = slot * SLOT_MS + int(between(0, SLOT_MS / 2, *words, "start"))
        return self._drawn(words, f"s-{slot}", start_ms, by="schedule")

    def past(self, epoch_ms: int, days: int) -> list[Incident]:
        """What happened in the days before the demo began, oldest first; none overlaps another."""
        incidents: list[Incident] = []
        for number in range(days * PAST_PER_DAY):
            words = (self.network.seed, "past", number)
            window = DAY_MS // PAST_PER_DAY
            start_ms = epoch_ms - days * DAY_MS + number * window + int(between(0, window * 0.8, *words, "start"))
            incidents.append(self._drawn(words, f"h-{number}", start_ms, by="history", stretch=2.0))
        return [incident for incident in incidents if incident.end_ms < epoch_ms - 1_800_000]

    def broken(self, incidents: Iterable[Incident], at_ms: int) -> Breakage:
        """The links and devices that are out of order because of these incidents."""
        ports: set[tuple[str, str]] = set()
        devices: set[str] = set()
        for incident in incidents:
            if not incident.is_active(at_ms):
                continue
            if incident.kind is Kind.DEVICE_DOWN:
                devices.add(incident.target)
            elif incident.kind is Kind.FIBRE_CUT or (incident.kind is Kind.LINK_FLAP and _is_down(incident, at_ms)):
                link = self.links[_end(incident.target)]
                ports |= {link.a, link.b}
        return Breakage(frozenset(ports), frozenset(devices))

    def down_ports(self, broken: Breakage) -> frozenset[tuple[str, str]]:
        """Ports without a signal: cut ones, and those that look at a device that is off."""
        facing = {
            near
            for link in self.network.links
            for near, far in ((link.a, link.b), (link.b, link.a))
            if far[0] in broken.devices
        }
        return frozenset(broken.ports | facing)

    def silent(self, broken: Breakage) -> frozenset[str]:
        """Devices that the poller cannot reach: off, or behind what is broken."""
        around = self.router.neighbours(broken)
        silent: set[str] = set()
        for tenant in sorted({device.tenant for device in self.network.devices}):
            devices = self.network.of_tenant(tenant)
            # The poller of a tenant stands beside the cores of its first site.
            first = devices[0].place.name
            doors = [d.name for d in devices if d.place.name == first and d.role == "core"]
            reached = distances_from([name for name in doors if name not in broken.devices], around)
            silent |= {device.name for device in devices if device.name not in reached}
        return frozenset(silent)

    def _check_series(self, target: str) -> None:
        device, thing, direction = series_of(target)
        its = self.network.by_name.get(device)
        is_port = its is not None and thing in its.port_numbers and direction in DIRECTIONS
        if its is None or not (is_port or (thing in GAUGES and not direction)):
            raise InvalidInput("target", f"{target!r} is no series, written device:ifName:in, :out or device:cpu")

    def _affected(self, incident: Incident) -> tuple[str, ...]:
        broken = self.broken([incident], incident.start_ms)
        ports = self.down_ports(broken)
        if incident.kind in (Kind.OPTIC_FADING, Kind.CONGESTION):
            ports = frozenset({_end(incident.target)})
        devices = self.silent(broken) | ({incident.target} if incident.kind in OF_DEVICES else frozenset())
        return (*sorted(devices), *sorted(f"{device}:{port}" for device, port in ports if device not in devices))

    def _drawn(
        self, words: tuple[object, ...], identity: str, start_ms: int, *, by: str, stretch: float = 1.0
    ) -> Incident:
        kind = pick(FAULTS, *words, "kind")
        lasts_s = between(*LASTS_S[kind], *words, "lasts") * stretch
        tenant = "acme" if fraction(*words, "tenant") < 0.8 else "globex"
        target = pick(self._targets(kind, tenant), *words, "target")
        return self.incident(identity, kind, target, start_ms=start_ms, end_ms=start_ms + int(lasts_s * 1000), by=by)

    def _targets(self, kind: Kind, tenant: str) -> Sequence[str]:
        if kind is Kind.DEVICE_DOWN:
            return [device.name for device in self.network.of_tenant(tenant) if device.role != "core"]
        if kind is Kind.CPU_OVERLOAD:
            return [device.name for device in self.network.of_tenant(tenant)]
        links = [link for link in self.network.links if self.network.by_name[link.a[0]].tenant == tenant]
        if kind is Kind.OPTIC_FADING:
            links = [link for link in links if _has_optics(self.network.by_name[link.a[0]], link)]
        return [f"{device}:{port}" for device, port in (link.a for link in links)]


def change_times(incident: Incident) -> list[int]:
    """The moments at which this incident changes anything, in ms."""
    if incident.kind is Kind.DAY_SHAPE:
        return [*range(incident.start_ms, incident.end_ms, SHAPE_STEP_MS), incident.end_ms]
    if incident.kind is not Kind.LINK_FLAP:
        return [incident.start_ms, incident.end_ms]
    times = []
    at_ms = incident.start_ms
    while at_ms < incident.end_ms:
        times += [at_ms, min(at_ms + FLAP_MS[0], incident.end_ms)]
        at_ms += sum(FLAP_MS)
    return [*times, incident.end_ms]


def target_end(incident: Incident) -> tuple[str, str]:
    """The (device, port) that a port's incident is about."""
    return _end(incident.target)


def series_of(target: str) -> tuple[str, str, str]:
    """The (device, port or gauge, direction) that an oddity is about; the direction of a gauge is empty."""
    device, _, rest = target.partition(":")
    thing, _, direction = rest.partition(":")
    return device, thing, direction


def usual_magnitude(kind: Kind, target: str) -> float:
    """How strong an oddity is that nobody drew: see MAGNITUDES."""
    gauge = series_of(target)[1]
    low, high = MAGNITUDES.get((kind, gauge), MAGNITUDES.get((kind, ""), (0.0, 0.0)))
    return (low + high) / 2


def _end(target: str) -> tuple[str, str]:
    device, _, port = target.partition(":")
    return device, port


def _is_down(incident: Incident, at_ms: int) -> bool:
    return (at_ms - incident.start_ms) % sum(FLAP_MS) < FLAP_MS[0]


def _has_optics(device: Device, link: Link) -> bool:
    return device.hardware.has_optics and link.speed_bps > 1_000_000_000
