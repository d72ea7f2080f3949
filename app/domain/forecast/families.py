"""Which global model a metric belongs to: one family of metrics shares one model."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Family(StrEnum):
    """A kind of measure whose series behave alike."""

    TRAFFIC = "traffic"
    UTILISATION = "utilisation"
    LATENCY = "latency"
    CPU = "cpu"
    MEMORY = "memory"
    SESSIONS = "sessions"
    OTHER = "other"


# The first family with a word inside the metric's name wins.
WORDS: Final[tuple[tuple[Family, tuple[str, ...]], ...]] = (
    (Family.UTILISATION, ("utilisation", "utilization", "util_")),
    (Family.LATENCY, ("latency", "rtt", "duration", "jitter", "response_time")),
    (Family.CPU, ("cpu", "load1", "load5", "load15")),
    (Family.MEMORY, ("memory", "mem_", "swap", "heap", "disk", "filesystem", "storage")),
    (Family.SESSIONS, ("session", "connections", "subscribers", "clients", "users")),
    (Family.TRAFFIC, ("octets", "bytes", "bits", "bps", "packets", "traffic", "pkts")),
)


def family_of(metric: str) -> Family:
    """The family of a metric by its name; OTHER when no word fits."""
    name = metric.lower()
    return next((family for family, words in WORDS if any(word in name for word in words)), Family.OTHER)
