"""Events on a chart and as a list: what agents told of, unless the address says that they are not wanted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import Final

import plotly.graph_objects as go
from dash.development.base_component import Component

from app.domain.events import StoredEvent
from app.domain.tenancy import READ, Viewer, may
from app.domain.units import shortened
from app.figures.events import Mark, add_events
from app.queries import events
from app.ui.components.marks import SEVERITY_WORDS, severity
from app.ui.components.table import Column, table
from app.ui.urlstate import View

# In the address: ev=0.
HIDDEN: Final = "ev"
MOST: Final = 60
LONGEST: Final = 90


def are_shown(view: View) -> bool:
    """Whether charts show events."""
    return view.query.get(HIDDEN) != "0"


def add_to(figure: go.Figure, viewer: Viewer, view: View, *, devices: Sequence[str], interface: str = "") -> None:
    """Mark the newest events of these devices, and those of none; without devices those of the whole tenant."""
    if not are_shown(view) or not may(viewer, READ, "events"):
        return
    found = events.around(viewer, view.window, devices=devices, interface=interface, limit=MOST)
    marks = [Mark(round(each.at.timestamp() * 1000), _severity(each), _words(each)) for each in found]
    add_events(figure, marks, zone=view.zone)


def event_table(found: Sequence[StoredEvent], label: str, zone: tzinfo) -> Component:
    """Events as rows, the newest first."""
    rows = [
        (
            f"{each.at.astimezone(zone):%d %b %H:%M:%S}",
            each.kind,
            severity(each.severity) if _severity(each) else "—",
            each.interface,
            each.text,
            each.agent,
        )
        for each in found
    ]
    columns = [Column("Time", "mono"), Column("Kind"), Column("Sev"), Column("Interface", "mono"), Column("Text")]
    return table([*columns, Column("Agent")], rows, label=label)


def _severity(event: StoredEvent) -> str:
    return event.severity if event.severity in SEVERITY_WORDS else ""


def _words(event: StoredEvent) -> str:
    where = " ".join(part for part in (event.device, event.interface) if part)
    words = f"{event.kind}: {shortened(event.text, LONGEST)}"
    return f"{words} ({where})" if where else words
