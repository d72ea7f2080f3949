"""Where one can go, and by which keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.domain.tenancy import ADMIN, READ


@dataclass(frozen=True)
class Entry:
    """A line of the navigation; it shows when its page exists and the viewer may see it."""

    path: str
    title: str
    icon: str
    key: str  # G, then this letter, goes there
    group: str
    noun: str = "devices"
    verb: str = READ
    on_phone: bool = True


NAVIGATION: Final = (
    Entry("/", "Overview", "layout-dashboard", "O", "Monitor"),
    Entry("/alerts", "Alerts", "siren", "A", "Monitor", noun="alerts"),
    Entry("/anomalies", "Anomalies", "activity", "N", "Monitor", noun="anomalies", on_phone=False),
    Entry("/incidents", "Incidents", "flame", "I", "Monitor", noun="alerts"),
    Entry("/topology", "Topology", "share-2", "T", "Monitor"),
    Entry("/explore", "Explore", "chart-line", "E", "Analyse"),
    Entry("/dashboards", "Dashboards", "layers", "B", "Analyse", on_phone=False),
    Entry("/inventory", "Inventory", "server", "D", "Analyse"),
    Entry("/capacity", "Capacity", "trending-up", "C", "Analyse", on_phone=False),
    Entry("/reports", "Reports", "file-text", "R", "Analyse", on_phone=False),
    Entry("/admin", "Admin", "settings", "S", "Administer", noun="users", verb=ADMIN),
)
SHORTCUTS: Final = (
    ("Everywhere", (("Ctrl K", "search or run a command"), ("?", "this sheet"), ("Esc", "close"), ("R", "refresh"))),
    (
        "Time",
        (
            ("T", "choose the range"),
            ("[", "earlier by half"),
            ("]", "later by half"),
            ("-", "zoom out"),
            ("=", "zoom in"),
            ("Space", "pause or resume live"),
        ),
    ),
    ("Go to", tuple((f"G {entry.key}", entry.title.lower()) for entry in NAVIGATION)),
    (
        "View",
        (
            ("D K", "kiosk on or off"),
            ("D T", "dark or light"),
            ("/", "filter"),
            ("Z", "undo the last zoom"),
            ("1…6", "open a figure of the overview"),
        ),
    ),
)
