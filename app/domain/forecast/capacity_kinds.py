"""What can be full: links, disks, memory and sessions, by the metrics of what is used and of what there is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Source:
    """A metric that says how much is used. `size`: the metric of what there is; "" where `used` is a share of 1.

    Of a counter its rate per second counts, times `factor`.
    """

    used: str
    size: str = ""
    factor: float = 1.0


@dataclass(frozen=True)
class Kind:
    """One kind of thing. `label` names the thing on its device; of several sources the fullest counts, day by day."""

    name: str
    one: str  # as people say it
    many: str
    label: str
    unit: str  # of its size, as app.domain.units has it
    sources: tuple[Source, ...]
    threshold: float = 90.0  # per cent


KINDS: Final[Mapping[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind(
            "link",
            "link",
            "links",
            "ifName",
            "bps",
            # Both directions: the busier one is what fills up.
            (Source("ifHCInOctets", "ifSpeed", 8.0), Source("ifHCOutOctets", "ifSpeed", 8.0)),
        ),
        Kind("disk", "disk", "disks", "storage", "bytes", (Source("storage_used_bytes", "storage_size_bytes"),)),
        Kind(
            "memory",
            "memory",
            "memory",
            "pool",
            "bytes",
            (Source("memory_used_bytes", "memory_size_bytes"), Source("memory_utilisation_ratio")),
            95.0,
        ),
        Kind("sessions", "session table", "sessions", "table", "count", (Source("sessions_used", "sessions_limit"),)),
    )
}
