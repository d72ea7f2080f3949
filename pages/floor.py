"""The floor: health of the network at a glance."""

from __future__ import annotations

from typing import Final

from dash import html
from dash.development.base_component import Component

from app.auth.permissions import guarded
from app.domain.tenancy import READ
from app.ui.components.attributes import attrs
from app.ui.components.panel import panel

PATH: Final = "/"
TITLE: Final = "Overview"

TILES: Final = "floor-tiles"
SEVERITY: Final = "floor-severity"
TRAFFIC: Final = "floor-traffic"
SITES: Final = "floor-sites"
BUSIEST: Final = "floor-busiest"
OPEN: Final = "floor-open"
RECENT: Final = "floor-recent"
SETUP: Final = "floor-setup"


@guarded(READ, "devices")
def layout(**_url: str) -> Component:
    """The frame with skeletons; callbacks/floor.py fills each panel."""
    return html.Div(
        [
            html.Div(id=SETUP, className="floor-setup"),
            html.Div(id=TILES, className="floor-tiles"),
            html.Div(
                [
                    panel("Alerts by severity", id=SEVERITY, scope="per 15 min, last 24 h"),
                    panel("Traffic", id=TRAFFIC),
                ],
                className="floor-charts",
            ),
            html.Div(
                [
                    panel("Site health", id=SITES, scope="last 3 h, 5 min cells; right: availability % today"),
                    panel("Busiest interfaces", id=BUSIEST),
                    html.Div(
                        [panel("Open alerts", id=OPEN), panel("Recent changes", id=RECENT)],
                        className="floor-side",
                    ),
                ],
                className="floor-lists",
            ),
        ],
        className="page floor",
        **attrs({"data-tick-ms": "15000"}),
    )
