"""What the page of one device shows: its traffic and load over time, and the rates of its interfaces now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from app.clock import now_ms
from app.domain.labels import METRIC, value_of
from app.domain.samples import Float64s, Int64s, is_absent
from app.domain.tenancy import Viewer
from app.domain.timerange import Window
from app.promql.result import Matrix, Vector
from app.queries import metrics

POINTS: Final = 400
# The history of a new installation comes in steps of 5 minutes: a rate needs two of them.
SHORTEST_RATE_MS: Final = 900_000
HOURLY_RATE: Final = "900s"


@dataclass(frozen=True)
class Curve:
    """One named line. `values` (t,) float64, NaN = gap; `label`: the label that names it, if one does."""

    name: str
    values: Float64s
    label: str = ""


@dataclass(frozen=True)
class Curves:
    """Lines over the same times `ts_ms` (t,)."""

    ts_ms: Int64s
    curves: tuple[Curve, ...]


@dataclass(frozen=True)
class PortRates:
    """One interface now: bit/s in and out, errors per second."""

    in_bps: float = float("nan")
    out_bps: float = float("nan")
    errors: float = float("nan")


def traffic(viewer: Viewer, device: str, window: Window, *, interface: str = "") -> Curves:
    """Bit/s in and out, of one interface or of all together."""
    return _together(viewer, traffic_exprs(device, interface, rate_range(window)), window)


def traffic_exprs(device: str, interface: str = "", rate: str = HOURLY_RATE) -> Mapping[str, str]:
    """The lines of traffic() by name, as PromQL."""
    chosen = f"{_selector(device, interface)}[{rate}]"
    return {
        "In": f"sum(rate(ifHCInOctets{chosen}) * 8 or rate(network_receive_bytes_total{chosen}) * 8)",
        "Out": f"sum(rate(ifHCOutOctets{chosen}) * 8 or rate(network_transmit_bytes_total{chosen}) * 8)",
    }


def processors(viewer: Viewer, device: str, window: Window) -> Curves:
    """Utilisation of the processors in %, the mean first where there are several."""
    return _together(viewer, processor_exprs(device), window)


def processor_exprs(device: str) -> Mapping[str, str]:
    """The lines of processors() by name, as PromQL."""
    chosen = _selector(device)
    return {"Mean": f"avg(cpu_utilisation_ratio{chosen}) * 100", "Busiest": f"max(cpu_utilisation_ratio{chosen}) * 100"}


def memory(viewer: Viewer, device: str, window: Window) -> Curves:
    """Use of memory and storage in % of their size, each pool one line."""
    exprs = memory_exprs(device)
    pools = _named(viewer, exprs["pool"], window, "pool")
    stores = _named(viewer, exprs["storage"], window, "storage")
    return Curves(pools.ts_ms, (*pools.curves, *stores.curves))


def memory_exprs(device: str) -> Mapping[str, str]:
    """What memory() asks, by the label that names each line, as PromQL."""
    chosen = _selector(device)
    return {
        "pool": f"memory_used_bytes{chosen} / memory_size_bytes{chosen} * 100",
        "storage": f"storage_used_bytes{chosen} / (storage_size_bytes{chosen} > 0) * 100",
    }


def availability(viewer: Viewer, device: str, window: Window) -> float | None:
    """The share of answered polls in %; None without any poll."""
    seconds = max(60, window.length_ms // 1000)
    found = metrics.query_instant(
        viewer, f"avg(avg_over_time(snmp_up{_selector(device)}[{seconds}s])) * 100", at_ms=window.end_ms
    )
    assert isinstance(found, Vector)
    return float(found.values[0]) if len(found) else None


def port_rates(viewer: Viewer, device: str) -> Mapping[str, PortRates]:
    """The rates of every interface over the last minutes, by its name."""
    chosen = _selector(device)

    def rate(metric: str) -> str:
        # What is polled seldom has no two samples within 3 minutes.
        return f"(rate({metric}{chosen}[3m]) or rate({metric}{chosen}[15m]))"

    queries = {
        "in_bps": f"{rate('ifHCInOctets')} * 8",
        "out_bps": f"{rate('ifHCOutOctets')} * 8",
        "errors": f"{rate('ifInErrors')} + {rate('ifOutErrors')}",
    }
    found: dict[str, dict[str, float]] = {}
    for name, expr in queries.items():
        answer = metrics.query_instant(viewer, expr, at_ms=now_ms())
        assert isinstance(answer, Vector)
        for labels, value in zip(answer.labels, answer.values, strict=True):
            found.setdefault(value_of(labels, "ifName"), {})[name] = float(value)
    return {name: PortRates(**values) for name, values in found.items()}


def metric_names(viewer: Viewer, device: str, window: Window) -> Mapping[str, int]:
    """The metrics that the device has samples of in this window, with their number of series."""
    found = metrics.query_instant(
        viewer, f"count by ({METRIC}) (last_over_time({{device={quoted(device)}}}[1h]))", at_ms=window.end_ms
    )
    assert isinstance(found, Vector)
    pairs = zip(found.labels, found.values, strict=True)
    return dict(sorted((value_of(labels, METRIC), int(value)) for labels, value in pairs))


def quoted(text: str) -> str:
    """A string literal of PromQL."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def rate_range(window: Window) -> str:
    """The range of a rate() that suits the window: at least two steps, and four polls of a minute each."""
    milliseconds = max(4 * window.step_ms(POINTS), 240_000 if window.length_ms <= 6 * 3_600_000 else SHORTEST_RATE_MS)
    return f"{milliseconds // 1000}s"


def _selector(device: str, interface: str = "") -> str:
    port = f", ifName={quoted(interface)}" if interface else ""
    return f"{{device={quoted(device)}{port}}}"


def _together(viewer: Viewer, exprs: Mapping[str, str], window: Window) -> Curves:
    answers = {name: _range(viewer, expr, window) for name, expr in exprs.items()}
    curves = tuple(Curve(name, _filled(answer)[0]) for name, answer in answers.items() if len(answer))
    return Curves(next(iter(answers.values())).ts_ms, curves)


def _named(viewer: Viewer, expr: str, window: Window, label: str) -> Curves:
    answer = _range(viewer, expr, window)
    names = [value_of(labels, label) for labels in answer.labels]
    return Curves(
        answer.ts_ms, tuple(Curve(name, its, label) for name, its in zip(names, _filled(answer), strict=True))
    )


def _range(viewer: Viewer, expr: str, window: Window) -> Matrix:
    step = window.step_ms(POINTS)
    window = window.aligned(step)
    return metrics.query_range(viewer, expr, start_ms=window.start_ms, end_ms=window.end_ms, step_ms=step)


def _filled(answer: Matrix) -> Float64s:
    return np.where(is_absent(answer.values), np.nan, answer.values)
