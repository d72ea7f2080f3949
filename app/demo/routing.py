"""Who wants to send how much, and which ways it takes: shortest paths to the exits, equal ways share equally.

A demand is a vector of weights over the profiles of rhythm.py; a flow (one direction of a link or port) carries
the sum of the demands that pass it. Links and devices can be left out, and what passed them finds another way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.demo.chance import between, fraction, pick
from app.demo.growth import LINKS, Ramp, busy_level
from app.demo.network import EXIT_ROLES, Device, Network, Port
from app.demo.rhythm import Rhythm

Floats = NDArray[np.float64]

# Way of use by the role of a port: shapes to draw from, mean use of the port's speed, share that goes into the network.
USES: Final[Mapping[str, tuple[tuple[str, ...], tuple[float, float], tuple[float, float]]]] = {
    "customer": (("business", "eyeball", "eyeball", "datacentre"), (0.12, 0.5), (0.15, 0.5)),
    "server": (("datacentre", "datacentre", "eyeball", "backup"), (0.02, 0.14), (0.6, 0.9)),
    "access": (("business", "business", "business", "datacentre"), (0.02, 0.2), (0.1, 0.4)),
    "inside": (("business",), (0.05, 0.3), (0.2, 0.5)),
}
HOME_EXIT: Final = 3.0  # how much more an exit at the same site is used than one elsewhere
HOT_CHANCE: Final = 0.03  # of the edge ports are nearly full at their busiest hour
# Ports of growth.py: the shape of their days, and how much less goes into the network than comes out of it.
RAMP_SHAPE: Final = "datacentre"
RAMP_UP: Final = 0.2
GROWTH_PER_DAY: Final = (0.0, 0.002, 0.004, 0.006, 0.01)


@dataclass(frozen=True)
class Demand:
    """What one edge port sends (`up`) and receives (`down`): (k,) mean octets/s by profile."""

    port: Port
    up: Floats
    down: Floats
    growth_per_day: float
    ramp: int = -1  # its number in growth.LINKS
    ramp_per_day: float = 0.0  # of what it is when the demo begins


def profile_kinds(network: Network) -> tuple[tuple[str, int], ...]:
    """The (shape, offset from UTC) pairs that occur, in a fixed order; the columns of every weight vector."""
    offsets = {device.place.utc_offset_s for device in network.devices}
    shapes = {shape for shapes, _, _ in USES.values() for shape in shapes}
    return tuple(sorted((shape, offset) for shape in shapes for offset in offsets))


def demands_of(network: Network) -> list[Demand]:
    """What every edge port wants, drawn from the network's seed."""
    kinds = profile_kinds(network)
    peaks = Rhythm(kinds).cells.max(axis=0)
    demands = []
    for device in network.devices:
        for port in device.ports:
            if port.role in USES:
                demands.append(_demand(network.seed, device, port, kinds, peaks))
    return demands


def _demand(seed: int, device: Device, port: Port, kinds: tuple[tuple[str, int], ...], peaks: Floats) -> Demand:
    if (device.name, port.name) in LINKS:
        return _ramping(device, port, kinds, *LINKS[device.name, port.name])
    shapes, use, inward = USES[port.role]
    words = (seed, device.name, port.name)
    column = kinds.index((pick(shapes, *words, "shape"), device.place.utc_offset_s))
    # The square leaves most ports quiet and a few busy, as ports are.
    level = use[0] + (use[1] - use[0]) * fraction(*words, "level") ** 2
    share = between(*inward, *words, "share")
    # Noise lifts a flow by up to a fifth above its profile, growth by a seventh; both directions must fit the port.
    fits = 0.77 / (peaks[column] * max(share, 1 - share))
    level = fits * between(0.88, 0.99, *words, "hot") if fraction(*words, "is hot") < HOT_CHANCE else min(level, fits)
    octets = level * port.speed_bps / 8 / (50 if device.hardware.counter_bits == 32 else 1)
    vector = np.zeros(len(kinds))
    vector[column] = octets
    # Whole sites grow, not single ports: a trend that a forecast can find on the uplinks.
    return Demand(port, vector * share, vector * (1 - share), pick(GROWTH_PER_DAY, seed, device.name, "growth"))


def _ramping(device: Device, port: Port, kinds: tuple[tuple[str, int], ...], number: int, ramp: Ramp) -> Demand:
    """What a port wants that grows steadily: its busier direction is on the line of its ramp."""
    column = kinds.index((RAMP_SHAPE, device.place.utc_offset_s))
    now = float(ramp.percent(np.zeros(1))[0])
    vector = np.zeros(len(kinds))
    vector[column] = now / 100 * port.speed_bps / 8 / busy_level(Rhythm(kinds).cells[:, column])
    return Demand(port, vector * RAMP_UP, vector, 0.0, number, ramp.per_day / now)


@dataclass(frozen=True)
class Breakage:
    """What is out of order: links by (device, port) of either end, and devices by name."""

    ports: frozenset[tuple[str, str]] = frozenset()
    devices: frozenset[str] = frozenset()


WHOLE: Final = Breakage()


class Router:
    """Spreads the demands over the links. Made once; answers for any breakage."""

    def __init__(self, network: Network, demands: Iterable[Demand]) -> None:
        self.network = network
        self.demands = list(demands)
        self.kinds = profile_kinds(network)
        # (flows, w) of the edge ports alone, and per device what its edge ports want together, (2, w): up, down.
        self.width = 2 * len(self.kinds) + len(LINKS)
        self._edges = np.zeros((network.flow_count, self.width))
        self._wanted: dict[str, Floats] = {}
        self._flows: dict[str, list[int]] = defaultdict(list)
        for demand in self.demands:
            both = np.stack([self._weights_of(x, demand) for x in (demand.up, demand.down)])
            flows = [demand.port.in_flow, demand.port.out_flow]
            self._edges[flows] += both
            self._flows[demand.port.device] += flows
            self._wanted[demand.port.device] = self._wanted.get(demand.port.device, np.zeros_like(both)) + both

    def _weights_of(self, wanted: Floats, demand: Demand) -> Floats:
        """(w,): mean octets/s by profile, the same times growth per day, and the growth per day of each ramp."""
        ramps = np.zeros(len(LINKS))
        if demand.ramp >= 0:
            ramps[demand.ramp] = wanted.sum() * demand.ramp_per_day
        return np.concatenate([wanted, wanted * demand.growth_per_day, ramps])

    def neighbours(self, broken: Breakage) -> dict[str, list[tuple[str, int, int]]]:
        """For each working device its (neighbour, flow to it, flow from it) over working links."""
        around: dict[str, list[tuple[str, int, int]]] = defaultdict(list)
        for link in self.network.links:
            if {link.a, link.b} & broken.ports or {link.a[0], link.b[0]} & broken.devices:
                continue
            around[link.a[0]].append((link.b[0], link.ab_flow, link.ba_flow))
            around[link.b[0]].append((link.a[0], link.ba_flow, link.ab_flow))
        return around

    def weights(self, broken: Breakage = WHOLE) -> Floats:
        """(flows, w): what _weights_of() says, of all demands that pass each flow."""
        around = self.neighbours(broken)
        weights = np.zeros((self.network.flow_count, self.width))
        exits = [
            _Exit(device, port, distances_from([device.name], around))
            for device in self.network.devices
            for port in device.ports
            if port.role in EXIT_ROLES and device.name not in broken.devices
        ]
        for name, both in self._wanted.items():
            if name not in broken.devices and _share_out(self.network.by_name[name], both, exits):
                weights[self._flows[name]] = self._edges[self._flows[name]]
        for way_out in exits:
            _run_downhill(way_out, around, weights)
        return weights


@dataclass
class _Exit:
    """A port to the outside, the hops to it from everywhere, and what each device sends and gets through it."""

    device: Device
    port: Port
    distance: Mapping[str, int]
    load: dict[str, Floats] = field(default_factory=dict)  # device -> (2, w): up, down


def _share_out(source: Device, both: Floats, exits: Iterable[_Exit]) -> bool:
    """Divide what the edge ports of a device want among the exits it reaches; False when it reaches none."""
    shares = [
        (way_out, way_out.port.speed_bps * (HOME_EXIT if way_out.device.place.name == source.place.name else 1.0))
        for way_out in exits
        if way_out.device.tenant == source.tenant and source.name in way_out.distance
    ]
    total = sum(share for _, share in shares)
    for way_out, share in shares:
        part = both * (share / total)
        way_out.load[source.name] = way_out.load[source.name] + part if source.name in way_out.load else part
    return bool(shares)


def _run_downhill(way_out: _Exit, around: Mapping[str, list[tuple[str, int, int]]], weights: Floats) -> None:
    """Let the load of every device run towards the exit; what comes back takes the same ways."""
    distance, load = way_out.distance, way_out.load
    for name in sorted(distance, key=lambda name: -distance[name]):
        both = load.get(name)
        if both is None:
            continue
        if name == way_out.device.name:
            weights[way_out.port.out_flow] += both[0]
            weights[way_out.port.in_flow] += both[1]
            continue
        downhill = [hop for hop in around[name] if distance[hop[0]] == distance[name] - 1]
        part = both / len(downhill)
        for neighbour, outward, inward in downhill:
            weights[outward] += part[0]
            weights[inward] += part[1]
            load[neighbour] = load[neighbour] + part if neighbour in load else part


def distances_from(starts: Iterable[str], around: Mapping[str, list[tuple[str, int, int]]]) -> dict[str, int]:
    """Hops from the nearest of `starts`; devices that cannot be reached are absent."""
    distance = dict.fromkeys(starts, 0)
    edge = list(distance)
    while edge:
        found = []
        for name in edge:
            for neighbour, _, _ in around.get(name, ()):
                if neighbour not in distance:
                    distance[neighbour] = distance[name] + 1
                    found.append(neighbour)
        edge = found
    return distance
