"""What the incidents do to the network over time: statuses at a moment, and counters with everything that was lost.

Between two moments of change the network is in one state. Counters are the traffic's integral corrected by each
state, minus what they were when their device last started.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.demo.chance import between
from app.demo.incidents import DAY_MS, GAUGES, ODDITIES, Faults, Incident, Kind, change_times, series_of, target_end
from app.demo.network import Device
from app.demo.oddities import bend
from app.demo.routing import Breakage
from app.demo.traffic import HISTORY_DAYS, Flows, Traffic

Floats = NDArray[np.float64]

FULL: Final = 0.985  # of its speed is what a full link carries
FADED_ERRORS: Final = 0.004  # of the packets are broken on a fading optic
FULL_DISCARDS: Final = 0.006  # of the packets are dropped before a full link


@dataclass(frozen=True)
class State:
    """The network between two moments. Where `flows` is True, rate = factor * undisturbed rate + extra (octets/s)."""

    start_ms: int
    end_ms: int
    incidents: tuple[Incident, ...] = ()
    down_ports: frozenset[tuple[str, str]] = frozenset()
    silent: frozenset[str] = frozenset()
    off: frozenset[str] = frozenset()
    overloaded: frozenset[str] = frozenset()
    flows: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=bool))
    factor: Floats = field(default_factory=lambda: np.zeros(0))
    extra: Floats = field(default_factory=lambda: np.zeros(0))
    errors: Floats = field(default_factory=lambda: np.zeros(0))  # packets/s, counted by the receiver
    discards: Floats = field(default_factory=lambda: np.zeros(0))  # packets/s, counted by the sender


QUIET: Final = State(0, 0)


@dataclass(frozen=True)
class Counts:
    """Counters of flows since the origin; each (t, f)."""

    octets: Floats
    packets: Floats
    errors: Floats
    discards: Floats


class Timeline:
    """States in order, and the counters they make. Asked for times at or after `settled_ms` only."""

    def __init__(self, traffic: Traffic, faults: Faults, incidents: Iterable[Incident]) -> None:
        self.traffic = traffic
        self.faults = faults
        count = traffic.network.flow_count
        self.settled_ms = traffic.origin_ms
        self.lost = np.zeros(count)
        self.errors = np.zeros(count)
        self.discards = np.zeros(count)
        self.boots: dict[str, list[int]] = {
            # What was before the first start that is told of, nobody knows: as if it had run since the origin.
            device.name: [traffic.origin_ms, first_boot_ms(device, traffic)]
            for device in traffic.network.devices
        }
        self.incidents: list[Incident] = []
        self._keep([])
        self.boot_counts: dict[tuple[str, int], Counts] = {}
        self._impacts: dict[object, Mapping[str, Floats]] = {}
        self.replace(incidents)

    def replace(self, incidents: Iterable[Incident]) -> None:
        """Take the list of all incidents as it is now; what is settled stays."""
        self.incidents = sorted(incidents, key=lambda incident: incident.start_ms)
        for name, boots in self.boots.items():
            boots[2:] = [i.end_ms for i in self.incidents if i.kind is Kind.DEVICE_DOWN and i.target == name]
        open_ones = [incident for incident in self.incidents if incident.end_ms > self.settled_ms]
        times = sorted({t for i in open_ones for t in change_times(i) if t > self.settled_ms} | {self.settled_ms})
        states = []
        for start_ms, end_ms in pairwise(times):
            active = tuple(incident for incident in open_ones if incident.is_active(start_ms))
            if active:
                states.append(self._state(start_ms, end_ms, active))
        self._keep(states)

    def _keep(self, states: list[State]) -> None:
        self.states = states
        none = np.zeros((0, self.traffic.network.flow_count), dtype=bool)
        # (states, flows): asked of at every poll.
        self._wholes: dict[int, tuple[Floats, Floats, Floats]] = {}
        self._touched = np.stack([state.flows for state in states]) if states else none

    def settle(self, until_ms: int) -> None:
        """Fold what is over before `until_ms` into sums, so that a long life costs no more than a short one."""
        for device in self.traffic.network.devices:
            self.counts_at_boot(device, until_ms)
        done = [state for state in self.states if state.end_ms <= until_ms]
        for number, state in enumerate(done):
            octets, errors, discards = self._whole(number)
            self.lost[state.flows] += octets[0]
            self.errors[state.flows] += errors[0]
            self.discards[state.flows] += discards[0]
            self.settled_ms = state.end_ms
        if done:
            self._keep(self.states[len(done) :])

    def state_at(self, at_ms: int) -> State:
        """The state of the network at a moment."""
        for state in self.states:
            if state.start_ms <= at_ms < state.end_ms:
                return state
        return QUIET

    def boot_ms(self, device: str, at_ms: int) -> int:
        """When the device last started before this moment."""
        boots = self.boots[device]
        return boots[max(bisect_right(boots, at_ms) - 1, 0)]

    def counts_at_boot(self, device: Device, at_ms: int) -> Counts:
        """What its flows had counted when the device last started before `at_ms`; (1, flows of the device)."""
        key = (device.name, self.boot_ms(device.name, at_ms))
        if key not in self.boot_counts:
            self.boot_counts[key] = self.counts(np.array([key[1]]), flows_of(device))
        return self.boot_counts[key]

    def counts(self, ts_ms: NDArray[np.int64], flows: Flows) -> Counts:
        """What has passed the flows since the origin, incidents included."""
        octets = self.traffic.octets(self.traffic.seconds(ts_ms), flows) + self.lost[flows]
        errors = np.broadcast_to(self.errors[flows], octets.shape).copy()
        discards = np.broadcast_to(self.discards[flows], octets.shape).copy()
        for number in np.flatnonzero(self._touched[:, flows].any(axis=1)).tolist():
            state = self.states[number]
            if ts_ms[-1] > state.start_ms:
                columns = np.flatnonzero(state.flows[flows])
                if ts_ms[0] >= state.end_ms:
                    places = np.searchsorted(np.flatnonzero(state.flows), flows[columns])
                    parts = tuple(part[:, places] for part in self._whole(number))
                else:
                    parts = self._of_state(state, ts_ms, flows[columns])
                octets[:, columns] += parts[0]
                errors[:, columns] += parts[1]
                discards[:, columns] += parts[2]
        return Counts(octets, octets / self.traffic.packet_octets[flows], errors, discards)

    def rates(self, at_ms: int, flows: Flows) -> Floats:
        """(f,): octets per second at a moment, incidents included."""
        rates = self.traffic.rates(self.traffic.seconds(np.array([at_ms])), flows)[0]
        state = self.state_at(at_ms)
        if len(state.flows):
            rates = state.factor[flows] * rates + state.extra[flows]
        return np.asarray(rates)

    def _whole(self, number: int) -> tuple[Floats, Floats, Floats]:
        """What a state that is over has added; (1, flows that it touches)."""
        if number not in self._wholes:
            state = self.states[number]
            self._wholes[number] = self._of_state(state, np.array([state.end_ms]), np.flatnonzero(state.flows))
        return self._wholes[number]

    def _of_state(self, state: State, ts_ms: NDArray[np.int64], flows: Flows) -> tuple[Floats, Floats, Floats]:
        """What a state adds to octets, errors and discards until each time; zero before it, constant after it."""
        clipped, back = np.unique(np.clip(ts_ms, state.start_ms, state.end_ms), return_inverse=True)
        t_s = self.traffic.seconds(np.concatenate([[state.start_ms], clipped]))
        passed = self.traffic.octets(t_s, flows)
        lasted = (t_s - t_s[0])[1:, None]
        octets = (state.factor[flows] - 1.0) * (passed[1:] - passed[0]) + state.extra[flows] * lasted
        return octets[back], (state.errors[flows] * lasted)[back], (state.discards[flows] * lasted)[back]

    def _state(self, start_ms: int, end_ms: int, active: tuple[Incident, ...]) -> State:
        broken = self.faults.broken(active, start_ms)
        key = (broken, start_ms, tuple(incident.id for incident in active))
        if key not in self._impacts:
            self._impacts[key] = self._impact(start_ms, active, broken)
        return State(
            start_ms,
            end_ms,
            active,
            self.faults.down_ports(broken),
            self.faults.silent(broken),
            broken.devices,
            frozenset(incident.target for incident in active if incident.kind is Kind.CPU_OVERLOAD),
            **self._impacts[key],  # type: ignore[arg-type]  # the five arrays, by their field's name
        )

    def _impact(self, start_ms: int, active: tuple[Incident, ...], broken: Breakage) -> Mapping[str, Floats]:
        """The five arrays of a state: traffic finds its way round what is broken, and fills what is too narrow."""
        traffic = self.traffic
        mean = traffic.mean_under(broken) if broken.ports or broken.devices else traffic.mean
        factor, extra = mean / traffic.mean, np.zeros_like(mean)
        factor[self._dead_flows(broken)] = 0.0
        now = traffic.rates(traffic.seconds(np.array([start_ms])), np.arange(len(mean)))[0]
        # A detour over an idle link cannot be a multiple of what it carried.
        idle = (factor > 20.0) | (factor * now > FULL * traffic.speed)
        extra[idle] = np.minimum(mean[idle] * 1.1, FULL * traffic.speed[idle])
        factor[idle] = 0.0
        errors, discards = np.zeros_like(mean), np.zeros_like(mean)
        discards[idle & (mean > 0.9 * traffic.speed)] = 1.0
        for incident in active:
            if incident.kind is Kind.CONGESTION:
                flow = traffic.network.port(*target_end(incident)).out_flow
                factor[flow], extra[flow], discards[flow] = 0.0, FULL * traffic.speed[flow], 1.0
            elif incident.kind is Kind.OPTIC_FADING:
                errors[traffic.network.port(*target_end(incident)).in_flow] = FADED_ERRORS
        for incident in active:
            if incident.kind in ODDITIES and series_of(incident.target)[1] not in GAUGES:
                flow, times, more = bend(traffic, incident, start_ms)
                factor[flow], extra[flow] = factor[flow] * times, extra[flow] + more
        packets = (factor * now + extra) / traffic.packet_octets
        errors, discards = errors * packets, discards * packets * FULL_DISCARDS
        touched = (np.abs(factor - 1.0) > 1e-9) | (extra > 0) | (errors > 0) | (discards > 0)
        return {"flows": touched, "factor": factor, "extra": extra, "errors": errors, "discards": discards}

    def _dead_flows(self, broken: Breakage) -> list[int]:
        """Flows of cut ports and of devices that are off: not even chatter passes."""
        network = self.traffic.network
        ends = set(self.faults.down_ports(broken))
        for name in broken.devices:
            ends |= {(name, port.name) for port in network.by_name[name].ports}
        ports = [network.port(*end) for end in ends]
        return [flow for port in ports for flow in (port.in_flow, port.out_flow) if flow >= 0]


def flows_of(device: Device) -> Flows:
    """The flows of its wired ports: all that come in, then all that go out, in the order of the ports."""
    wired = [port for port in device.ports if port.in_flow >= 0]
    return np.array([port.in_flow for port in wired] + [port.out_flow for port in wired], dtype=np.int64)


def first_boot_ms(device: Device, traffic: Traffic) -> int:
    """When a device started before the recent history: 16 to 55 days before the demo began."""
    days = between(HISTORY_DAYS + 1, 55, traffic.network.seed, device.name, "boot")
    return traffic.epoch_ms - int(days * DAY_MS)
