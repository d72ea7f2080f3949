"""OpenTelemetry's names as Prometheus writes them.

Source: OpenTelemetry specification, "Prometheus and OpenMetrics compatibility": metric metadata, resource attributes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

UNITS: Final[Mapping[str, str]] = {
    "d": "days", "h": "hours", "min": "minutes", "s": "seconds", "ms": "milliseconds", "us": "microseconds",
    "ns": "nanoseconds", "By": "bytes", "KiBy": "kibibytes", "MiBy": "mebibytes", "GiBy": "gibibytes",
    "KBy": "kilobytes",
    "MBy": "megabytes", "GBy": "gigabytes", "m": "meters", "V": "volts", "A": "amperes", "J": "joules", "W": "watts",
    "g": "grams", "Cel": "celsius", "Hz": "hertz", "%": "percent", "bit": "bits",
}  # fmt: skip
PER_UNITS: Final[Mapping[str, str]] = {
    "s": "second", "m": "minute", "min": "minute", "h": "hour", "d": "day", "w": "week", "mo": "month", "y": "year",
}  # fmt: skip
# Resource attributes that name the target; Prometheus's job and instance.
TARGET_INFO: Final = "target_info"
SERVICE, NAMESPACE, INSTANCE = "service.name", "service.namespace", "service.instance.id"

_NOT_IN_METRICS: Final = re.compile(r"[^a-zA-Z0-9_:]+")
_NOT_IN_LABELS: Final = re.compile(r"[^a-zA-Z0-9_]")


def metric_name(name: str, unit: str, *, kind: str, is_counter: bool) -> str:
    """The metric's name with its unit, and `_total` for a counter.

    >>> metric_name("http.server.duration", "ms", kind="histogram", is_counter=False)
    'http_server_duration_milliseconds'
    >>> metric_name("system.network.io", "By", kind="sum", is_counter=True)
    'system_network_io_bytes_total'
    """
    words = [word for word in _NOT_IN_METRICS.sub("_", name).split("_") if word]
    for suffix in _unit_words(unit, is_ratio=kind == "gauge"):
        if suffix not in words:
            words.append(suffix)
    if is_counter:
        words = [*(word for word in words if word != "total"), "total"]
    joined = "_".join(words)
    return f"_{joined}" if joined[:1].isdigit() else joined


def label_name(name: str) -> str:
    """An attribute's name as a label."""
    plain = _NOT_IN_LABELS.sub("_", name)
    return f"key_{plain}" if plain[:1].isdigit() else plain


def attribute_labels(attributes: Mapping[str, str]) -> dict[str, str]:
    """Attributes as labels; the values of those that end in the same name are joined, in the order of their keys.

    >>> attribute_labels({"a.b": "1", "a_b": "2"})
    {'a_b': '1;2'}
    """
    labels: dict[str, str] = {}
    for key in sorted(attributes) if len({*map(label_name, attributes)}) < len(attributes) else attributes:
        name = label_name(key)
        labels[name] = f"{labels[name]};{attributes[key]}" if name in labels else attributes[key]
    return labels


def target_labels(attributes: Mapping[str, str]) -> dict[str, str]:
    """What a resource says besides its `job` and `instance`."""
    return attribute_labels({key: attributes[key] for key in attributes if key not in (SERVICE, NAMESPACE, INSTANCE)})


def instance_labels(attributes: Mapping[str, str]) -> dict[str, str]:
    """`job` and `instance` of a resource."""
    service, namespace = attributes.get(SERVICE, ""), attributes.get(NAMESPACE, "")
    labels = {"job": f"{namespace}/{service}" if namespace and service else service}
    return {**labels, "instance": attributes.get(INSTANCE, "")}


def _unit_words(unit: str, *, is_ratio: bool) -> list[str]:
    unit = re.sub(r"\{[^}]*\}", "", unit).strip()
    if unit == "1":
        return ["ratio"] if is_ratio else []
    main, _, per = unit.partition("/")
    words = [word for word in (_NOT_IN_METRICS.sub("_", UNITS.get(main, main)).strip("_"),) if word]
    if per:
        words += ["per", _NOT_IN_METRICS.sub("_", PER_UNITS.get(per, per)).strip("_")]
    return words
