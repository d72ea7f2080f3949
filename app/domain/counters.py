"""Which metrics are counters: what their sender says of them, and else what names end in by convention."""

from __future__ import annotations

from typing import Final

GAUGE_KINDS: Final = frozenset({"gauge", "info", "stateset"})
# SNMP's interface counters, and how Prometheus's conventions say that a counter's name ends.
_SNMP_ENDINGS: Final = ("Octets", "Pkts", "Errors", "Discards")
_ENDINGS: Final = ("_total", "_sum", "_count", "_bucket")


def is_counter(metric: str, kind: str = "unknown") -> bool:
    """Whether a metric only grows; `kind` is that of its metadata."""
    if kind == "counter":
        return True
    return kind not in GAUGE_KINDS and _is_named_so(metric)


def _is_named_so(metric: str) -> bool:
    return metric.endswith(_ENDINGS) or (metric.startswith("if") and metric.endswith(_SNMP_ENDINGS))
