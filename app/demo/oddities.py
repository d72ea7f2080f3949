"""What is injected only to be found: one series behaves as it never does, and nothing is broken.

The same for the same seed: some of the last days of the history, then one in most quarters of an hour. Whoever wants
to know how good detection is compares what was found with these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from app.demo.chance import between, fraction, pick
from app.demo.incidents import DAY_MS, MAGNITUDES, ODDITIES, Incident, Kind, series_of
from app.demo.network import Network
from app.demo.traffic import Traffic

# A little less than detection looks back when it begins: nothing is missed for want of looking.
PAST_MS: Final = 7 * DAY_MS - 10_800_000
PAST_COUNT: Final = 36
ODD_SLOT_MS: Final = 900_000
ODD_CHANCE: Final = 0.9
# Nothing odd begins this shortly before the demo does: it would be cut off.
QUIET_END_MS: Final = 1_800_000
# What can be odd about what; "" is the traffic of a port.
THINGS: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.SPIKE: ("", "", "", "cpu"),
    Kind.LEVEL_SHIFT: ("", "", "temperature", "memory"),
    Kind.DROPOUT: ("",),
    Kind.DAY_SHAPE: ("",),
    Kind.STUCK: ("cpu", "temperature"),
}
# How long one lasts in the past, in s: shortest, longest; a live one a third of it.
LASTS_S: Final[Mapping[Kind, tuple[int, int]]] = {
    Kind.SPIKE: (900, 2_400),
    Kind.LEVEL_SHIFT: (7_200, 18_000),
    Kind.DROPOUT: (1_200, 3_600),
    Kind.DAY_SHAPE: (43_200, 64_800),
    Kind.STUCK: (10_800, 21_600),
}
LIVE_SHARE: Final = 1 / 3
EDGES: Final = frozenset({"customer", "server", "access", "inside"})
# Ports that have room for a spike, and more than chatter to lose.
MOST_USE, LEAST_OCTETS_S = 0.25, 250_000.0


class Oddities:
    """Draws the oddities of one network."""

    def __init__(self, network: Network, traffic: Traffic) -> None:
        self.network = network
        use = traffic.peaks / traffic.speed
        self._ports: dict[str, list[str]] = {}
        for device in network.devices:
            for port in device.ports:
                if port.role not in EDGES:
                    continue
                flow, way = max(
                    ((port.in_flow, "in"), (port.out_flow, "out")), key=lambda pair: float(traffic.mean[pair[0]])
                )
                if use[flow] < MOST_USE and traffic.mean[flow] > LEAST_OCTETS_S:
                    self._ports.setdefault(device.tenant, []).append(f"{device.name}:{port.name}:{way}")

    def past(self, epoch_ms: int) -> list[Incident]:
        """What was odd in the last days before the demo began, oldest first."""
        window = PAST_MS // PAST_COUNT
        found = []
        for number in range(PAST_COUNT):
            words = (self.network.seed, "past oddity", number)
            start_ms = epoch_ms - PAST_MS + number * window + int(between(0, window, *words, "start"))
            found.append(self._drawn(words, f"o-{number}", start_ms, by="history", share=1.0))
        return [oddity for oddity in found if oddity.end_ms < epoch_ms - QUIET_END_MS]

    def scheduled(self, slot: int) -> Incident | None:
        """The oddity of one slot of ODD_SLOT_MS since 1970, if it has one."""
        words = (self.network.seed, "odd slot", slot)
        if fraction(*words, "happens") >= ODD_CHANCE:
            return None
        start_ms = slot * ODD_SLOT_MS + int(between(0, ODD_SLOT_MS / 2, *words, "start"))
        return self._drawn(words, f"so-{slot}", start_ms, by="schedule", share=LIVE_SHARE)

    def _drawn(self, words: tuple[object, ...], identity: str, start_ms: int, *, by: str, share: float) -> Incident:
        kind = pick(ODDITIES, *words, "kind")
        gauge = pick(THINGS[kind], *words, "thing")
        tenant = "acme" if fraction(*words, "tenant") < 0.75 else "globex"
        device = pick(self.network.of_tenant(tenant), *words, "device").name
        target = f"{device}:{gauge}" if gauge else pick(self._ports[tenant], *words, "port")
        lasts_ms = int(between(*LASTS_S[kind], *words, "lasts") * share) * 1000
        low, high = MAGNITUDES.get((kind, gauge), (0.0, 0.0))
        magnitude = between(low, high, *words, "magnitude")
        return Incident(identity, kind, target, (target,), start_ms, start_ms + lasts_ms, by, magnitude)


def bend(traffic: Traffic, oddity: Incident, at_ms: int) -> tuple[int, float, float]:
    """What an oddity of a port does to its traffic from `at_ms` on: flow, factor, and octets/s on top."""
    device, thing, direction = series_of(oddity.target)
    port = traffic.network.port(device, thing)
    flow = port.in_flow if direction == "in" else port.out_flow
    peak, speed = float(traffic.peaks[flow]), float(traffic.speed[flow])
    match oddity.kind:
        case Kind.SPIKE:
            return flow, 1.0, max(0.0, min(oddity.magnitude * speed, 0.95 * speed - 1.2 * peak))
        case Kind.LEVEL_SHIFT:
            return flow, max(1.0, min(oddity.magnitude, 0.93 * speed / max(peak, 1.0))), 0.0
        case Kind.DAY_SHAPE:
            # As if day were night.
            t_s = traffic.seconds(np.array([at_ms, at_ms + DAY_MS // 2]))
            now, other = traffic.levels(t_s, np.array([flow]))[:, 0]
            return flow, float(np.clip(other / max(now, 1.0), 0.2, 4.0)), 0.0
        case Kind.STUCK:
            return flow, 0.0, 0.0
    return flow, oddity.magnitude, 0.0
