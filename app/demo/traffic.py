"""The traffic of every port at any time, and what has passed until then.

`octets()` is the exact integral of `rates()`, so that history made in one go and a device polled today tell the
same story: counters join without a seam. Both ends of a link read the same flow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.demo.chance import between, hash_uniform
from app.demo.growth import BEGAN_DAYS, LINKS
from app.demo.network import Network
from app.demo.rhythm import DAY_S, WEEK_S, Rhythm
from app.demo.routing import RAMP_SHAPE, WHOLE, Breakage, Router, demands_of

Floats = NDArray[np.float64]
Flows = NDArray[np.int64]

HISTORY_DAYS: Final = 15
ORIGIN_WEEKS: Final = 28
# A Monday, 00:00 UTC, in ms since 1970.
_MONDAY_MS: Final = 345_600_000
# Noise: length of a step in s, its weight as a share of the level. Little of the shortest: steps of the history
# average over it, and polling would begin with values that nobody had seen.
OCTAVES: Final = ((60, 0.02), (600, 0.05), (3_600, 0.045), (21_600, 0.04))
# Growth goes on this long after the demo began; without an end a demo left running would outgrow its ports.
GROWTH_ENDS_AFTER_DAYS: Final = 14.0
GROWTH_BEGAN_DAYS: Final = -45.0
# Noise of ports whose growth is known (growth.py), as a share of other ports': they come near their speed.
CALM: Final = 0.35
CHATTER: Final = 2_500.0  # octets/s of routing protocols and the like on every wire that is up
BURST_CELL_S: Final = 14_400
# Rare: what is common for a network is not found odd by anybody who watches it.
BURST_CHANCE: Final = 0.02


def origin_before(epoch_ms: int) -> int:
    """The Monday from which all counters of a demo that began at `epoch_ms` are reckoned, in ms since 1970."""
    week_ms = WEEK_S * 1000
    return (epoch_ms - _MONDAY_MS) // week_ms * week_ms + _MONDAY_MS - ORIGIN_WEEKS * week_ms


def past_ends_ms(epoch_ms: int) -> int:
    """The midnight (UTC) before which the history has rollups only, and after which it has samples."""
    day_ms = DAY_S * 1000
    return (epoch_ms - HISTORY_DAYS * day_ms) // day_ms * day_ms


@dataclass(frozen=True)
class _Growth:
    """A ramp of growth.py in the weights: its column, the profile it follows, and its days since the demo began."""

    column: int
    profile: int
    begin_day: float
    end_day: float


class Traffic:
    """Octets per second, and octets since the origin, of any flow at any time.

    Times are float64 seconds since the origin, (t,); flows are indices, (f,); answers are (t, f).
    """

    def __init__(self, network: Network, epoch_ms: int) -> None:
        self.network = network
        self.epoch_ms = epoch_ms
        self.origin_ms = origin_before(epoch_ms)
        self.router = Router(network, demands_of(network))
        self.rhythm = Rhythm(self.router.kinds)
        self.weights = self.router.weights()
        self.ramps = _ramps_of(network, self.router)
        # (flows, ramps): which grow with which.
        self._carries = self.weights[:, [ramp.column for ramp in self.ramps]] != 0
        self.mean = self._mean(self.weights)
        self._means: dict[Breakage, Floats] = {WHOLE: self.mean}
        self.speed = flow_speeds(network) / 8
        self.epoch_s = (epoch_ms - self.origin_ms) / 1000.0
        seed, count = network.seed, network.flow_count
        self.packet_octets = np.array([between(380, 1150, seed, flow, "packet") for flow in range(count)])
        self.peaks = np.asarray(self.weights[:, : len(self.router.kinds)] @ self.rhythm.cells.max(axis=0))
        self.bursts = self._burst_heights()
        self.noise = np.ones(count)
        for name, port in LINKS:
            flows = [network.port(name, port).in_flow, network.port(name, port).out_flow]
            self.noise[flows], self.bursts[flows] = CALM, 0.0

    def seconds(self, ts_ms: NDArray[np.int64]) -> Floats:
        """Seconds since the origin."""
        return (np.asarray(ts_ms) - self.origin_ms) / 1000.0

    def mean_under(self, broken: Breakage) -> Floats:
        """(flows,): the mean octets/s of each flow when something is out of order."""
        if broken not in self._means:
            # A flapping link asks for the same two answers again and again.
            self._means[broken] = self._mean(self.router.weights(broken))
        return self._means[broken]

    def _mean(self, weights: Floats) -> Floats:
        return np.asarray(weights[:, : len(self.router.kinds)].sum(axis=1) + CHATTER)

    def rates(self, t_s: Floats, flows: Flows) -> Floats:
        """Octets per second."""
        total = self.levels(t_s, flows)
        for octave, (step_s, share) in enumerate(OCTAVES):
            cell = np.floor(t_s / step_s)
            total += (self._knot(cell + 1, octave, flows) - self._knot(cell, octave, flows)) * (share / 2)
        return np.asarray(total + self._burst_rate(t_s, flows) + CHATTER)

    def octets(self, t_s: Floats, flows: Flows) -> Floats:
        """Octets since the origin."""
        t = np.asarray(t_s, dtype=np.float64)
        total = self._level_octets(t, flows)
        for octave, (step_s, share) in enumerate(OCTAVES):
            cell = np.floor(t / step_s)
            part = (t / step_s - cell)[:, None]
            here = self._knot(cell, octave, flows)
            if part.any():
                here = here + part * (self._knot(cell + 1, octave, flows) - here)
            total += here * (share * step_s / 2)
        return np.asarray(total + self._burst_octets(t, flows) + CHATTER * t[:, None])

    def levels(self, t_s: Floats, flows: Flows) -> Floats:
        """Octets per second without noise, bursts and chatter."""
        level = self.rhythm.value(t_s)
        days = (t_s - self.epoch_s) / DAY_S
        growth = level * np.clip(days, GROWTH_BEGAN_DAYS, GROWTH_ENDS_AFTER_DAYS)[:, None]
        total = np.concatenate([level, growth], axis=1) @ self._steady(flows).T
        for ramp in self._ramps(flows):
            days_grown = np.clip(days, ramp.begin_day, ramp.end_day)
            total += (level[:, ramp.profile] * days_grown)[:, None] * self.weights[flows, ramp.column]
        return np.asarray(total)

    def _level_octets(self, t_s: Floats, flows: Flows) -> Floats:
        """The integral of levels()."""
        growth = self._grown(t_s, GROWTH_BEGAN_DAYS, GROWTH_ENDS_AFTER_DAYS)
        total = np.concatenate([self.rhythm.integral(t_s), growth], axis=1) @ self._steady(flows).T
        for ramp in self._ramps(flows):
            grown = self._grown(t_s, ramp.begin_day, ramp.end_day)[:, ramp.profile]
            total += grown[:, None] * self.weights[flows, ramp.column]
        return np.asarray(total)

    def _grown(self, t_s: Floats, begin_day: float, end_day: float) -> Floats:
        """(t, k): the integral of each profile times the days since the demo began, held at both ends of growth."""
        begin, end = max(self.epoch_s + begin_day * DAY_S, 0.0), self.epoch_s + end_day * DAY_S
        count = len(t_s)
        times = np.concatenate([t_s, np.minimum(t_s, begin), np.clip(t_s, begin, end), [begin]])
        level = self.rhythm.integral(times)
        moment = self.rhythm.first_moment(times[2 * count :])
        before, growing = level[count : 2 * count], level[2 * count : -1] - level[-1]
        after = level[:count] - before - growing
        grown = (moment[:-1] - moment[-1] - self.epoch_s * growing) / DAY_S
        return np.asarray(before * begin_day + grown + after * end_day)

    def _steady(self, flows: Flows) -> Floats:
        return np.asarray(self.weights[flows, : 2 * len(self.router.kinds)])

    def _ramps(self, flows: Flows) -> list[_Growth]:
        """Those that any of these flows carries."""
        return [self.ramps[number] for number in np.flatnonzero(self._carries[flows].any(axis=0)).tolist()]

    def _knot(self, cell: Floats, octave: int, flows: Flows) -> Floats:
        """Noise at the knots of an octave, scaled by the level there. Its slope is the noise of the rate.

        Bounded noise in the counter (and not in the rate) is what makes the integral a closed form.
        """
        times, back = np.unique(cell, return_inverse=True)
        noise = hash_uniform(times.astype(np.int64)[:, None], flows[None, :], salt=self.network.seed * 16 + octave)
        noise = noise * self.noise[flows]
        return np.asarray((noise * self.levels(times * OCTAVES[octave][0], flows))[back])

    def _burst_heights(self) -> Floats:
        """(flows,): by how much a burst lifts a flow, never above nine tenths of its port. Only edges have any."""
        heights = np.zeros(self.network.flow_count)
        for demand in self.router.demands:
            for flow in (demand.port.in_flow, demand.port.out_flow):
                room = 0.9 * self.speed[flow] - 1.2 * self.peaks[flow]
                heights[flow] = max(0.0, min(1.6 * self.mean[flow], room))
        return heights

    def _burst(self, t_s: Floats, flows: Flows) -> tuple[Floats, Floats, Floats]:
        """Start (s into the cell), length and height of the burst of each cell; height 0 = none."""
        cell = np.floor(t_s / BURST_CELL_S).astype(np.int64)[:, None]
        drawn = [hash_uniform(cell, flows[None, :], salt=1_000 + salt) / 2 + 0.5 for salt in range(3)]
        start = drawn[0] * (BURST_CELL_S - 1_500)
        length = 300 + 1_200 * drawn[1]
        height = np.where(drawn[2] < BURST_CHANCE, self.bursts[flows][None, :], 0.0)
        return start, length, height

    def _burst_rate(self, t_s: Floats, flows: Flows) -> Floats:
        if not self.bursts[flows].any():
            return np.zeros((len(t_s), len(flows)))
        start, length, height = self._burst(t_s, flows)
        within = (t_s % BURST_CELL_S)[:, None]
        # A little less in the rest of the cell: the cell's sum is then its level's, and no history is needed.
        return np.asarray(height * (((within >= start) & (within < start + length)) - length / BURST_CELL_S))

    def _burst_octets(self, t_s: Floats, flows: Flows) -> Floats:
        if not self.bursts[flows].any():
            return np.zeros((len(t_s), len(flows)))
        start, length, height = self._burst(t_s, flows)
        within = (t_s % BURST_CELL_S)[:, None]
        return np.asarray(height * (np.clip(within - start, 0.0, length) - length * within / BURST_CELL_S))


def _ramps_of(network: Network, router: Router) -> list[_Growth]:
    first = 2 * len(router.kinds)
    found = []
    for (name, _), (number, ramp) in LINKS.items():
        profile = router.kinds.index((RAMP_SHAPE, network.by_name[name].place.utc_offset_s))
        found.append(_Growth(first + number, profile, -BEGAN_DAYS, ramp.until_day))
    return found


def flow_speeds(network: Network) -> Floats:
    """(flows,): the speed of the port each flow passes, bit/s."""
    speeds = np.zeros(network.flow_count)
    for device in network.devices:
        for port in device.ports:
            if port.in_flow >= 0:
                speeds[[port.in_flow, port.out_flow]] = port.speed_bps
    return speeds
