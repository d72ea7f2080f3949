"""Keeps what past incidents took from the counters, so that a restarted simulator counts on without a jump."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from app.demo.journal import demo_folder, write_atomically
from app.demo.timeline import Counts, Timeline

FILE: Final = "settled.msgpack"


class Settled(msgspec.Struct):
    """A Timeline's sums: per flow, and per (device, boot) the counters at that boot."""

    settled_ms: int
    lost: bytes
    errors: bytes
    discards: bytes
    boots: list[tuple[str, int, bytes, bytes, bytes, bytes]]


def save_settled(home: Path, timeline: Timeline) -> None:
    """Write the sums of `timeline`, in one step."""
    boots = [
        (name, boot_ms, *(getattr(counts, part).tobytes() for part in ("octets", "packets", "errors", "discards")))
        for (name, boot_ms), counts in timeline.boot_counts.items()
    ]
    sums = (timeline.lost.tobytes(), timeline.errors.tobytes(), timeline.discards.tobytes())
    write_atomically(demo_folder(home) / FILE, msgspec.msgpack.encode(Settled(timeline.settled_ms, *sums, boots)))


def load_settled(home: Path, timeline: Timeline) -> None:
    """Give a new timeline the sums of the last one; without a file it reckons from the beginning."""
    try:
        settled = msgspec.msgpack.decode((demo_folder(home) / FILE).read_bytes(), type=Settled)
    except FileNotFoundError:
        return
    timeline.settled_ms = settled.settled_ms
    timeline.lost, timeline.errors, timeline.discards = (
        np.frombuffer(part).copy() for part in (settled.lost, settled.errors, settled.discards)
    )
    for name, boot_ms, *parts in settled.boots:
        timeline.boot_counts[name, boot_ms] = Counts(*(np.frombuffer(part)[None, :] for part in parts))
