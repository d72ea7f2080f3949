"""Incidents by hand: what `python -m app demo inject|clear|list|pause|resume` does, through the log of incidents."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from app.demo.incidents import Faults, Incident, Kind
from app.demo.journal import append_incident, beginning, demo_folder, read_incidents
from app.demo.network import build_network
from app.demo.routing import Router, demands_of
from app.errors import InvalidInput


def inject(home: Path, kind: str, target: str, *, lasts_ms: int, at_ms: int) -> Incident:
    """Log an incident that begins now; the simulator takes it up within a second. Raises InvalidInput."""
    if kind not in list(Kind):
        raise InvalidInput("kind", f"must be one of {', '.join(Kind)}")
    network = build_network(beginning(home, at_ms).seed)
    faults = Faults(network, Router(network, demands_of(network)))
    incident = faults.incident(f"m-{at_ms}", Kind(kind), target, start_ms=at_ms, end_ms=at_ms + lasts_ms, by="hand")
    append_incident(home, incident)
    return incident


def clear(home: Path, *, at_ms: int) -> list[Incident]:
    """End what is going on; answers it."""
    ended = [replace(incident, end_ms=at_ms) for incident in listed(home, at_ms=at_ms)]
    for incident in ended:
        append_incident(home, incident)
    return ended


def listed(home: Path, *, at_ms: int | None) -> list[Incident]:
    """The incidents that are going on at a moment; all of them without one."""
    incidents = read_incidents(home)
    return incidents if at_ms is None else [incident for incident in incidents if incident.is_active(at_ms)]


def pause(home: Path, *, is_paused: bool) -> None:
    """Switch the schedule of incidents off, or on again."""
    flag = demo_folder(home) / "paused"
    if is_paused:
        flag.touch()
    else:
        flag.unlink(missing_ok=True)


def described(incident: Incident) -> tuple[str, ...]:
    """An incident as a row of text."""
    start, end = (
        datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
        for ms in (incident.start_ms, incident.end_ms)
    )
    return incident.id, incident.kind, incident.target, start, end, incident.by, ",".join(incident.affected)
