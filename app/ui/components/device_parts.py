"""The parts of the device page: its head, its tabs, and the frames that each tab fills."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from dash import html
from dash.development.base_component import Component

from app.domain.inventory import DeviceHealth
from app.domain.units import format_age
from app.ui.components.attributes import attrs
from app.ui.components.grid import grid, mono_column, number_column, text_column
from app.ui.components.marks import icon, severity_mark, tag

STATES = {
    "up": ("ok", "Up"),
    "down": ("critical", "Down"),
    "unknown": ("unknown", "Not polled yet"),
    "maintenance": ("warning", "In maintenance"),
    "retired": ("unknown", "Retired"),
    "agent": ("ok", "Reports by agent"),
    "silent": ("critical", "Its agent is silent"),
}

COUNTS_ABOUT: Final = {
    "interfaces": "How many interfaces discovery found on it.",
    "alerts": "How many alerts of it are open.",
    "neighbours": "How many links to other devices it tells of.",
}


def device_head(
    health: DeviceHealth, *, availability_pct: float | None, can_change: bool, now: datetime, status: str
) -> list[Component]:
    """Name, state, the facts that discovery found, and what a person can do to it; `status` is a key of STATES."""
    device = health.device
    mark, words = STATES[status]
    since = (
        f" for {format_age(device.reachable_since, now)}"
        if device.reachable_since and health.status in ("up", "down")
        else ""
    )
    children: list[Component] = [
        html.H2(device.name),
        html.Span([severity_mark(mark), f"{words}{since}"], className="sev"),
        *[tag(each) for each in device.tags],
        html.Span(className="grow"),
    ]
    if can_change and device.address:
        children.append(
            html.Button(
                [icon("refresh-cw"), "Discover now"], id="device-discover", className="btn", type="button", n_clicks=0
            )
        )
    if can_change:
        is_kept = device.state == "maintenance"
        words = "End maintenance" if is_kept else "Maintenance"
        children.append(
            html.Button([icon("wrench"), words], id="device-maintenance", className="btn", type="button", n_clicks=0)
        )
    if health.status == "down" and device.last_error:
        children.append(
            html.Div(
                [icon("wifi-off"), html.Span(device.last_error)],
                className="banner",
                style={"width": "100%", "margin": 0},
            )
        )
    return [*children, _facts(health, availability_pct, now)]


def _facts(health: DeviceHealth, availability_pct: float | None, now: datetime) -> Component:
    device = health.device
    rows = (
        ("Site", device.site),
        ("Role", device.role),
        ("Hardware", f"{device.vendor} {device.model}".strip()),
        ("Software", f"{device.os} {device.os_version}".strip()),
        ("Serial", device.serial),
        ("Address", f"{device.address}:{device.port}" if device.address else "reports by agent"),
        ("Uptime", format_age(device.booted_at, now) if device.booted_at and health.status == "up" else ""),
        ("Availability in range", f"{availability_pct:.3f} %" if availability_pct is not None else ""),
        ("Interfaces", f"{health.interfaces_up} up, {health.interfaces_down} down" if device.address else ""),
        ("Last poll", f"{format_age(device.polled_at, now)} ago" if device.polled_at else ""),
        ("Location", device.location),
    )
    return html.Div(
        [html.Div([html.Span(name), html.B(value, title=value)], className="fact") for name, value in rows if value],
        className="facts",
    )


def device_tabs(sections: Sequence[tuple[str, str]], current: str, counts: dict[str, int]) -> list[Component]:
    """The tabs; the number of what is in one stands behind its name."""
    return [
        html.Button(
            [
                words,
                *(
                    [html.Span(f" {counts[key]}", className="t3 num", title=COUNTS_ABOUT[key])]
                    if counts.get(key)
                    else []
                ),
            ],
            type="button",
            role="tab",
            **attrs(
                {"data-action": "device-tab", "data-tab": key, "aria-selected": "true" if key == current else "false"}
            ),
        )
        for key, words in sections
    ]


def ports_grid(id: str, rows: Sequence[dict[str, Any]]) -> Component:
    """The interfaces with their state and their rates now."""
    rate = {"valueFormatter": {"function": "nocRate(params.value)"}}
    columns: list[dict[str, Any]] = [
        {"field": "phone", "headerName": "Interface", "cellRenderer": "DeviceCell", "hide": True, "flex": 1},
        {"field": "status", "headerName": "State", "cellRenderer": "StateCell", "width": 118},
        mono_column("name", "Interface", flex=1, minWidth=130),
        text_column("alias", "Description", flex=2, minWidth=150, tooltipField="alias"),
        number_column("speed", "Speed b/s", width=100, **rate),
        number_column("in_bps", "In b/s", width=96, **rate),
        number_column("out_bps", "Out b/s", width=96, **rate),
        {"field": "use", "headerName": "Fuller direction", "cellRenderer": "UseCell", "width": 150},
        number_column("errors", "Errors/s", width=90, **rate),
        mono_column("changed", "Changed", width=100),
    ]
    return html.Div(grid(id, columns, rows, label="Interfaces"), className="device-ports")
