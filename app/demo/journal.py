"""The demo's files: when it began, and the log of every incident. Other processes and people read the same files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from app.demo.incidents import Incident
from app.demo.network import SEED


class Beginning(msgspec.Struct, frozen=True):
    """The seed of the network and the moment of the first start; everything else follows from the two."""

    seed: int
    epoch_ms: int


def demo_folder(home: Path) -> Path:
    """The folder of the demo's files; made when it is not there."""
    folder = home / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def beginning(home: Path, now_ms: int) -> Beginning:
    """When this demo began; the first call decides it. The epoch is a whole minute."""
    path = demo_folder(home) / "beginning.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Beginning)
    except FileNotFoundError:
        began = Beginning(SEED, now_ms // 60_000 * 60_000)
        write_atomically(path, msgspec.json.encode(began))
        return began


def read_incidents(home: Path) -> list[Incident]:
    """Every incident so far, oldest first; of several lines with one id the last counts."""
    path = demo_folder(home) / "incidents.jsonl"
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    found: dict[str, Incident] = {}
    for line in lines:
        if line:
            incident = msgspec.json.decode(line, type=Incident)
            found[incident.id] = incident
    return sorted(found.values(), key=lambda incident: incident.start_ms)


def append_incident(home: Path, incident: Incident) -> None:
    """Log an incident, or the new end of one; a line is written in one piece."""
    line = msgspec.json.encode(incident) + b"\n"
    descriptor = os.open(demo_folder(home) / "incidents.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(descriptor, line)
    finally:
        os.close(descriptor)


def log_past(home: Path, incidents: Iterable[Incident]) -> None:
    """Log what happened before the demo began, unless it is there already."""
    known = {incident.id for incident in read_incidents(home)}
    for incident in incidents:
        if incident.id not in known:
            append_incident(home, incident)


def journal_stamp(home: Path) -> tuple[int, int]:
    """Changes when the log of incidents does."""
    try:
        status = os.stat(demo_folder(home) / "incidents.jsonl")
    except FileNotFoundError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


def write_atomically(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Replace a file in one step, so that a reader or a crash never sees half of it."""
    draft = path.with_name(path.name + ".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file; empty when there is no such file."""
    try:
        content: dict[str, Any] = msgspec.json.decode(path.read_bytes())
    except FileNotFoundError:
        return {}
    return content
