"""Numbers for people: scaled to a readable unit, with the digits that mean something."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Final

# unit -> (steps of factor and suffix, largest first)
_DECIMAL: Final = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))
_BINARY: Final = ((2.0**40, "Ti"), (2.0**30, "Gi"), (2.0**20, "Mi"), (2.0**10, "Ki"), (1.0, ""))
_NAMES: Final = {"bps": "b/s", "bytes": "B", "pps": "p/s", "count": "", "celsius": "°C", "dbm": "dBm", "volts": "V"}


@dataclass(frozen=True)
class Scale:
    """Multiply a value by `factor` and write `unit` behind it."""

    factor: float
    unit: str


def scale_for(largest: float, unit: str) -> Scale:
    """The scale at which values up to `largest` read well. `unit`: bps, bytes, pps, ratio, seconds, count, …"""
    if unit == "ratio":
        return Scale(100.0, "%")
    if unit == "seconds":
        return _time_scale(largest)
    steps = _BINARY if unit == "bytes" else _DECIMAL
    name = _NAMES.get(unit, unit)
    if unit in ("celsius", "dbm", "volts"):
        return Scale(1.0, name)
    size = abs(largest) if math.isfinite(largest) else 0.0
    factor, prefix = next(((factor, prefix) for factor, prefix in steps if size >= factor), steps[-1])
    return Scale(1.0 / factor, f"{prefix}{name}")


def format_number(value: float, *, digits: int = 3) -> str:
    """A number with `digits` significant digits and thousands separated: 9.62, 352, 1,667; "–" for none."""
    if not math.isfinite(value):
        return "–" if math.isnan(value) else ("∞" if value > 0 else "−∞")
    if value == 0:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{min(places, 6)}f}"
    return text.replace("-", "−")


def format_value(value: float, unit: str, *, digits: int = 3) -> str:
    """A number with its own scale and unit: `9.62 Gb/s`, `38 %`."""
    scale = scale_for(value, unit)
    text = format_number(value * scale.factor, digits=digits)
    return f"{text} {scale.unit}".rstrip()


def format_age(since: datetime, now: datetime) -> str:
    """How long ago, short: `30 s`, `38 min`, `2 h 10 min`, `1 d 4 h`, `12 d`."""
    return format_duration((now - since).total_seconds())


def format_duration(seconds: float) -> str:
    """A length of time, short."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    days, hours = whole // 86_400, whole % 86_400 // 3600
    return f"{days} d {hours} h" if days < 7 and hours else f"{days} d"


def _time_scale(largest: float) -> Scale:
    if largest >= 2 * 86_400:
        return Scale(1 / 86_400, "d")
    if largest >= 2 * 3600:
        return Scale(1 / 3600, "h")
    if largest >= 120:
        return Scale(1 / 60, "min")
    return Scale(1.0, "s") if largest >= 1 else Scale(1000.0, "ms")


def shortened(text: str, most: int) -> str:
    """The text, or its beginning with an ellipsis; `most` characters at most."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
