"""What a device says about itself at given times, in the units its SNMP agent uses.

The simulator asks for one moment, the history for days at once; both get the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.demo.chance import between, fraction, hash_uniform
from app.demo.growth import GAUGES, Ramp, busy_level
from app.demo.incidents import DAY_MS, ODDITIES, Incident, Kind
from app.demo.network import EXIT_ROLES, Device, Port
from app.demo.rhythm import Rhythm
from app.demo.timeline import Timeline, flows_of

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

UP, DOWN = 1, 2
MEMORY_UNIT: Final = 4096
DARK_CENTI_DBM: Final = -4000
FADED_BY_CENTI_DBM: Final = 1700
_SALT: Final = {"cpu": 501, "memory": 502, "temperature": 503, "optics": 504, "sessions": 505, "ramp": 506}


@dataclass(frozen=True)
class PortReadings:
    """Counters and status of all ports of a device; each (t, p)."""

    in_octets: Ints
    out_octets: Ints
    in_packets: Ints
    out_packets: Ints
    in_errors: Ints
    out_discards: Ints
    oper_status: Ints


class Readings:
    """Readings of the devices of one network along one timeline. Times are int64 ms, ascending, (t,)."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.traffic = timeline.traffic
        offsets = sorted({device.place.utc_offset_s for device in self.traffic.network.devices})
        self._columns: Mapping[int, int] = {offset: column for column, offset in enumerate(offsets)}
        self._business = Rhythm(tuple(("business", offset) for offset in offsets))

    def is_reachable(self, device: Device, ts_ms: Ints) -> NDArray[np.bool_]:
        """Whether the poller gets an answer."""
        reachable = np.ones(len(ts_ms), dtype=bool)
        for state in self.timeline.states:
            if device.name in state.silent:
                reachable &= (ts_ms < state.start_ms) | (ts_ms >= state.end_ms)
        return reachable

    def uptime_ms(self, device: Device, ts_ms: Ints) -> Ints:
        """Milliseconds since the device last started."""
        return np.asarray(ts_ms - self._boots(device, ts_ms))

    def _boots(self, device: Device, ts_ms: Ints) -> Ints:
        """(t,): when the device last started before each time."""
        boots = np.array(self.timeline.boots[device.name], dtype=np.int64)
        return np.asarray(boots[np.maximum(np.searchsorted(boots, ts_ms, side="right") - 1, 0)])

    def ports(self, device: Device, ts_ms: Ints) -> PortReadings:
        """Counters since the last start, not yet wrapped, and operational states."""
        wired = np.array([port.in_flow >= 0 for port in device.ports])
        half = int(wired.sum())
        counts = self.timeline.counts(ts_ms, flows_of(device))
        boots = self._boots(device, ts_ms)
        columns = []
        for name in ("octets", "packets", "errors", "discards"):
            since_boot = getattr(counts, name) - self._at_boot(device, boots, name)
            columns.append(_never_falling(np.floor(np.maximum(since_boot, 0.0)).astype(np.int64), boots))

        def spread(part: Ints) -> Ints:
            whole = np.zeros((len(ts_ms), len(device.ports)), dtype=np.int64)
            whole[:, wired] = part
            return whole

        octets, packets, errors, discards = columns
        return PortReadings(
            spread(octets[:, :half]),
            spread(octets[:, half:]),
            spread(packets[:, :half]),
            spread(packets[:, half:]),
            spread(errors[:, :half]),
            spread(discards[:, half:]),
            self._oper_status(device, ts_ms),
        )

    def cpu_percent(self, device: Device, ts_ms: Ints) -> Ints:
        """(t, cpus): load of each processor in whole per cent."""
        load = self._odd(device, "cpu", ts_ms, lambda at_ms: self._cpu(device, at_ms))
        return np.asarray(np.clip(np.rint(load), 1, 100).astype(np.int64))

    def _cpu(self, device: Device, ts_ms: Ints) -> Floats:
        words = (self.traffic.network.seed, device.name, "cpu")
        calm, lift = between(6, 22, *words, "calm"), between(6, 24, *words, "lift")
        rhythm = self._rhythm(device, ts_ms)[:, None]
        noise = self._noise(device, ts_ms, "cpu", step_s=30, count=device.hardware.cpus)
        load = calm + lift * rhythm + 5 * noise
        for incident in self._incidents(Kind.CPU_OVERLOAD, device.name):
            load = np.where(_during(incident, ts_ms)[:, None], 96.5 + 3 * noise, load)
        return np.asarray(load)

    def memory_units(self, device: Device, ts_ms: Ints) -> Ints:
        """(t,): memory in use, in MEMORY_UNIT bytes. One device in six leaks until it is restarted."""
        share = self._odd(device, "memory", ts_ms, lambda at_ms: self._memory(device, at_ms))
        return np.asarray((np.clip(share, 0.0, 0.96) * (device.hardware.memory_bytes // MEMORY_UNIT)).astype(np.int64))

    def _memory(self, device: Device, ts_ms: Ints) -> Floats:
        ramp = GAUGES.get(("memory", device.name))
        if ramp is not None:
            return self._ramped(ramp, device, ts_ms)
        words = (self.traffic.network.seed, device.name, "memory")
        share = between(0.38, 0.66, *words, "share") + 0.01 * self._noise(device, ts_ms, "memory", step_s=900)[:, 0]
        if fraction(*words, "leaks") < 1 / 6:
            share = share + 0.006 * self.uptime_ms(device, ts_ms) / DAY_MS
        return np.asarray(share)

    def disk_units(self, device: Device, ts_ms: Ints) -> Ints:
        """(t,): disk in use, in MEMORY_UNIT bytes; fills slowly and is tidied every fortnight."""
        ramp = GAUGES.get(("disk", device.name))
        words = (self.traffic.network.seed, device.name, "disk")
        if ramp is not None:
            share = self._ramped(ramp, device, ts_ms)
        else:
            share = between(0.2, 0.6, *words, "share") + 0.008 * (ts_ms % (14 * DAY_MS)) / DAY_MS
        return np.asarray((share * (device.hardware.disk_bytes // MEMORY_UNIT)).astype(np.int64))

    def sessions(self, device: Device, ts_ms: Ints) -> Ints:
        """(t,): sessions that a firewall holds; most in the hours of work."""
        ramp = GAUGES.get(("sessions", device.name))
        busy = self._rhythm(device, ts_ms) / busy_level(
            self._business.cells[:, self._columns[device.place.utc_offset_s]]
        )
        if ramp is not None:
            level = ramp.percent(self._days(ts_ms)) / 100
        else:
            level = np.full(len(ts_ms), between(0.15, 0.5, self.traffic.network.seed, device.name, "sessions"))
        noise = self._noise(device, ts_ms, "sessions", step_s=600)[:, 0]
        share = level * (0.25 + 0.75 * busy) * (1 + 0.02 * noise)
        return np.asarray((np.clip(share, 0.0, 1.0) * device.hardware.sessions).astype(np.int64))

    def _ramped(self, ramp: Ramp, device: Device, ts_ms: Ints) -> Floats:
        """(t,): the share of a thing that only grows, with a little to and fro."""
        noise = self._noise(device, ts_ms, "ramp", step_s=3_600)[:, 0]
        return np.asarray(ramp.percent(self._days(ts_ms)) / 100 + 0.004 * noise)

    def _days(self, ts_ms: Ints) -> Floats:
        return np.asarray((ts_ms - self.traffic.epoch_ms) / DAY_MS)

    def temperature_tenths(self, device: Device, ts_ms: Ints) -> Ints:
        """(t,): temperature of the chassis in tenths of a degree Celsius."""
        tenths = self._odd(device, "temperature", ts_ms, lambda at_ms: self._temperature(device, at_ms))
        return np.asarray(np.rint(tenths).astype(np.int64))

    def _temperature(self, device: Device, ts_ms: Ints) -> Floats:
        calm = between(290, 420, self.traffic.network.seed, device.name, "temperature")
        noise = self._noise(device, ts_ms, "temperature", step_s=600)[:, 0]
        return np.asarray(calm + 18 * self._rhythm(device, ts_ms) + 9 * noise)

    def rx_centi_dbm(self, device: Device, ts_ms: Ints) -> Ints:
        """(t, o): received light of optic_ports(device) in hundredths of a dBm; DARK_CENTI_DBM without a signal."""
        ports = optic_ports(device)
        light = np.empty((len(ts_ms), len(ports)))
        noise = self._noise(device, ts_ms, "optics", step_s=300, count=max(len(ports), 1))
        status = self._oper_status(device, ts_ms)
        for column, port in enumerate(ports):
            strength = between(-720, -160, self.traffic.network.seed, device.name, port.name, "light")
            values = strength + 12 * noise[:, column]
            for incident in self._incidents(Kind.OPTIC_FADING, f"{device.name}:{port.name}"):
                fading = np.clip((ts_ms - incident.start_ms) / (0.4 * (incident.end_ms - incident.start_ms)), 0, 1)
                values = values - FADED_BY_CENTI_DBM * np.where(_during(incident, ts_ms), fading, 0.0)
            is_dark = status[:, device.port_numbers[port.name]] != UP
            light[:, column] = np.where(is_dark, DARK_CENTI_DBM, values)
        return np.asarray(np.rint(light).astype(np.int64))

    def _at_boot(self, device: Device, boots: Ints, name: str) -> Floats:
        """What to take off the counters: their value at the last start, for each time."""
        kinds, back = np.unique(boots, return_inverse=True)
        rows = [getattr(self.timeline.counts_at_boot(device, int(boot)), name)[0] for boot in kinds]
        return np.asarray(np.stack(rows)[back])

    def _oper_status(self, device: Device, ts_ms: Ints) -> Ints:
        still = [UP if port.is_wired and port.is_enabled else DOWN for port in device.ports]
        status = np.tile(np.array(still, dtype=np.int64), (len(ts_ms), 1))
        for state in self.timeline.states:
            for name, port in state.down_ports:
                if name == device.name:
                    during = (ts_ms >= state.start_ms) & (ts_ms < state.end_ms)
                    status[during, device.port_numbers[port]] = DOWN
        return status

    def _rhythm(self, device: Device, ts_ms: Ints) -> Floats:
        values = self._business.value(self.traffic.seconds(ts_ms))
        return np.asarray(values[:, self._columns[device.place.utc_offset_s]])

    def _noise(self, device: Device, ts_ms: Ints, salt: str, *, step_s: int, count: int = 1) -> Floats:
        """(t, count): smooth noise in (-1, 1), drawn at every step and straight in between."""
        place = ts_ms / (step_s * 1000)
        cell = np.floor(place).astype(np.int64)[:, None]
        streams = (device.number * 64 + np.arange(count, dtype=np.int64))[None, :]
        left, right = (hash_uniform(cell + step, streams, salt=_SALT[salt]) for step in (0, 1))
        return np.asarray(left + (place[:, None] - cell) * (right - left))

    def _odd(self, device: Device, gauge: str, ts_ms: Ints, quiet: Callable[[Ints], Floats]) -> Floats:
        """A gauge, (t,) or (t, n), with its oddities: stuck at what it was when that began, or more than usual."""
        values = quiet(ts_ms)
        target = f"{device.name}:{gauge}"
        for incident in self.timeline.incidents:
            if incident.target == target and incident.kind in ODDITIES:
                during = _during(incident, ts_ms)
                if incident.kind is Kind.STUCK and during.any():
                    values[during] = quiet(np.array([incident.start_ms]))[0]
                else:
                    values[during] += incident.magnitude
        return values

    def _incidents(self, kind: Kind, target: str) -> list[Incident]:
        return [incident for incident in self.timeline.incidents if incident.kind is kind and incident.target == target]


def optic_ports(device: Device) -> list[Port]:
    """The ports whose optic tells its received light: links and ways out, of 10 Gbit/s and more."""
    if not device.hardware.has_optics:
        return []
    roles = {"uplink", "backbone", *EXIT_ROLES}
    return [port for port in device.ports if port.role in roles and port.speed_bps >= 10_000_000_000]


def sensor_name(port: Port) -> str:
    """The name of the sensor of received light of a port."""
    return f"{port.name} rx power"


def _never_falling(counts: Ints, boots: Ints) -> Ints:
    """Counters without the last bits' noise: one octet less on a dead port would read as a restart."""
    for boot in np.unique(boots):
        rows = boots == boot
        counts[rows] = np.maximum.accumulate(counts[rows], axis=0)
    return counts


def _during(incident: Incident, ts_ms: Ints) -> NDArray[np.bool_]:
    return np.asarray((ts_ms >= incident.start_ms) & (ts_ms < incident.end_ms))
