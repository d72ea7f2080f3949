"""One device: how it is, its traffic and load, its interfaces, alerts, neighbours and metrics."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote

from dash import dcc, html
from dash.development.base_component import Component

from app.auth.permissions import guarded
from app.domain.tenancy import READ
from app.ui.components.attributes import attrs
from app.ui.components.marks import hints
from app.ui.components.states import loading

PATH: Final = "/inventory/<device>"
TITLE: Final = "Device"
TITLE_FROM: Final = "device"
NEEDS_GRID: Final = True

NAME: Final = "device-name"  # the store that holds which device this page is about
HEAD: Final = "device-head"
TABS: Final = "device-tabs"
BODY: Final = "device-body"
TRAFFIC: Final = "device-traffic"
CPU: Final = "device-cpu"
MEMORY: Final = "device-memory"
ALERTS: Final = "device-alerts"
PORTS: Final = "device-ports"
PORT: Final = "device-port"
NEIGHBOURS: Final = "device-neighbours"
METRICS: Final = "device-metrics"
PAST: Final = "device-past"
EVENTS: Final = "device-events"
ACTION: Final = "device-action"

SECTIONS: Final = (
    ("summary", "Summary"),
    ("interfaces", "Interfaces"),
    ("alerts", "Alerts"),
    ("neighbours", "Neighbours"),
    ("metrics", "Metrics"),
)


@guarded(READ, "devices")
def layout(device: str, **_url: str) -> Component:
    """The frame; the body follows the tab in the address."""
    return html.Div(
        [
            dcc.Store(id=NAME, data=unquote(device)),
            html.Section(loading(), id=HEAD, className="panel device-head", **attrs({"aria-label": "Device"})),
            html.Div(id=TABS, className="tabs", role="tablist", **attrs({"aria-label": "Sections of the device"})),
            html.Div(id=BODY, className="device-body"),
            hints(
                ("1 2 3 4 5", "tab"),
                ("J K", "move"),
                ("[ ]", "shift range"),
                ("T", "range"),
                ("B", "forecast"),
                ("V", "events"),
            ),
        ],
        className="page device",
        **attrs({"data-tick-ms": "15000"}),
    )
