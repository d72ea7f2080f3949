"""Numbers and label sets as Prometheus writes them."""

from __future__ import annotations

import json
import math
from decimal import Decimal

from app.domain.labels import Labels


def format_value(value: float) -> str:
    """A sample's value in the API: shortest exact digits, with an exponent below 1e-6 and from 1e21 on."""
    size = abs(value)
    if (0 < size < 1e-6) or (1e21 <= size < math.inf):
        return repr(value)
    return format_plain(value)


def format_plain(value: float) -> str:
    """A number without exponent, its shortest exact digits; NaN, +Inf, -Inf."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = repr(value)
    if "e" in text:
        text = format(Decimal(text), "f")
    return text.removesuffix(".0")


def format_labels(labels: Labels) -> str:
    """A label set as error messages show it: `{a="b", c="d"}`."""
    return "{" + ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in labels) + "}"
