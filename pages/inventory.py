"""Inventory: every device with how it is, and the way to add one."""

from __future__ import annotations

from typing import Final

from dash import html
from dash.development.base_component import Component

from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.tenancy import READ, WRITE, may
from app.ui.components.attributes import attrs
from app.ui.components.filter_box import filter_box
from app.ui.components.forms import form_modal, select_field, text_field
from app.ui.components.grid import grid, link_column, mono_column, number_column, text_column
from app.ui.components.marks import hints, icon, key_cap

PATH: Final = "/inventory"
TITLE: Final = "Inventory"
SUBTITLE: Final = "Devices and how they are"
NEEDS_GRID: Final = True

GRID: Final = "inventory-grid"
CHIPS: Final = "inventory-chips"
TOTAL: Final = "inventory-total"
EMPTY: Final = "inventory-empty"
FILTER: Final = "inventory-filter"
ADD: Final = "inventory-add"
FORM: Final = "inventory-form"
FIELDS: Final = ("name", "address", "port", "credential", "site", "role", "interval")


@guarded(READ, "devices")
def layout(q: str = "", **_url: str) -> Component:
    """The frame: chips, grid, and the form for a new device."""
    can_add = may(current_viewer(), WRITE, "devices")
    add = html.Button(
        [icon("plus"), "Add device", key_cap("N")], id=ADD, className="btn primary", type="button", n_clicks=0
    )
    return html.Div(
        [
            html.Div(
                [
                    html.Div(id=CHIPS, className="row wrap"),
                    html.Div(
                        [
                            filter_box(FILTER, q, class_name="inventory-filter"),
                            html.Span(id=TOTAL, className="t3 num"),
                            *([add] if can_add else []),
                        ],
                        className="end",
                        **attrs({"data-filter": "true"}),
                    ),
                ],
                className="toolbar",
            ),
            html.Div(
                [grid(GRID, _columns(), label="Devices"), html.Div(id=EMPTY, className="inventory-empty")],
                className="inventory-list",
            ),
            hints(("J K", "move"), ("Enter", "open"), ("/", "filter"), *((("N", "add device"),) if can_add else ())),
            *([_form()] if can_add else []),
        ],
        className="page fill inventory",
        **attrs({"data-tick-ms": "30000"}),
    )


def _columns() -> list[dict[str, object]]:
    return [
        {"field": "phone", "headerName": "Device", "cellRenderer": "DeviceCell", "hide": True, "flex": 1},
        {"field": "status", "headerName": "State", "cellRenderer": "StateCell", "width": 116},
        link_column("name", "Device", "href", flex=2, minWidth=150, cellClass="mono"),
        text_column("site", "Site", width=78),
        text_column("role", "Role", width=108),
        text_column("hardware", "Hardware", flex=2, minWidth=140),
        mono_column("version", "Version", width=110),
        {"field": "ports", "headerName": "Interfaces", "cellRenderer": "PortsCell", "width": 112},
        {
            "field": "alerts",
            "headerName": "Alerts",
            "cellRenderer": "AlertCountsCell",
            "cellDataType": False,
            "width": 120,
            "sortable": False,
        },
        {"field": "cpu", "headerName": "CPU", "cellRenderer": "BarCell", "width": 118},
        {"field": "memory", "headerName": "Memory", "cellRenderer": "BarCell", "width": 118},
        number_column("uptime", "Uptime", width=104, valueFormatter={"function": "nocDuration(params.value)"}),
    ]


def _form() -> Component:
    box: Component = form_modal(
        FORM,
        "Add device",
        [
            text_field(
                f"{FORM}-name",
                "Name",
                description="The value of the label device on its samples",
                **attrs({"data-autofocus": "true"}),
            ),
            html.Div(
                [
                    text_field(f"{FORM}-address", "Address", description="IP address or host name"),
                    text_field(f"{FORM}-port", "Port", value="161", description="UDP"),
                ],
                className="inventory-pair",
            ),
            select_field(f"{FORM}-credential", "Credential", []),
            text_field(
                f"{FORM}-community",
                "or a new SNMP community",
                description="Stored sealed under the device's name; never shown again",
                autoComplete="off",
            ),
            html.Div(
                [select_field(f"{FORM}-site", "Site", []), text_field(f"{FORM}-role", "Role")],
                className="inventory-pair even",
            ),
            text_field(f"{FORM}-interval", "Poll every (seconds)", value="60"),
        ],
        submit="Add and discover",
    )
    return box
