"""What fills the inventory, and how a device gets into it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from dash import Dash, Input, Output, State, html, no_update
from dash.development.base_component import Component
from msgspec import UNSET

from app.actions import credentials as credential_actions
from app.actions import devices as actions
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.clock import utc_now
from app.domain.inventory import DeviceFields, DeviceHealth
from app.domain.tenancy import READ, WRITE, Viewer, may
from app.errors import InvalidInput, WatchfloorError
from app.queries import credentials, inventory, sites
from app.queries.devices import DeviceFilter, device_health, facets
from app.queries.inventory import Load
from app.ui import shell
from app.ui.clientside import in_browser
from app.ui.components.attributes import attrs
from app.ui.components.marks import icon
from app.ui.components.notices import notify
from app.ui.components.states import no_match, nothing
from app.ui.errors import explain, shown
from app.ui.urlstate import Query
from pages import inventory as ids

STATES: Final = (
    ("", "All"),
    ("down", "Down"),
    ("up", "Up"),
    ("maintenance", "Maintenance"),
    ("unknown", "Not polled"),
    ("agent", "By agent"),
    ("silent", "Agent silent"),
)
FACETS: Final = ("site", "role", "vendor")


@shown
@guarded(READ, "devices")
def show_devices(
    search: str, _tick: Any, _live: Any, _refresh: int, _opened: Any
) -> tuple[list[dict[str, Any]], list[Component], str, Component | None]:
    """The rows, the chips, the total, and what to say when there is no row."""
    viewer, query = current_viewer(), Query.parse(search)
    chosen = dict(part.split(":", 1) for part in query.all("f") if ":" in part)
    filters = DeviceFilter(
        text=query.get("q"), site=chosen.get("site"), role=chosen.get("role"), vendor=chosen.get("vendor")
    )
    found = device_health(viewer, filters)
    agents, load, now = inventory.reporting(viewer), inventory.load(viewer), utc_now()
    statuses = [inventory.status(each, agents) for each in found]
    wanted = query.get("state")
    rows = [
        _row(each, status, load, now)
        for each, status in zip(found, statuses, strict=True)
        if not wanted or status == wanted
    ]
    total = f"{len(rows):,} devices" if len(rows) == len(found) else f"{len(rows):,} of {len(found):,} devices"
    return rows, _chips(viewer, query, chosen, statuses), total, None if rows else _empty(viewer, query)


@shown
@guarded(WRITE, "devices")
def open_form(clicks: int) -> tuple[Any, ...]:
    """Open the form with the sites and credentials there are."""
    if not clicks:
        return (no_update,) * 4
    viewer = current_viewer()
    places = [{"value": each.name, "label": f"{each.name} {each.title}".strip()} for each in sites.sites(viewer)]
    known = _credentials(viewer)
    return True, places, [{"value": name, "label": name} for name in known], ""


@shown
@guarded(WRITE, "devices")
def add_device(clicks: int, community: str, *values: str) -> tuple[Any, Any]:
    """Create the device of the form and have it discovered; what is wrong stands in the form."""
    if not clicks:
        return no_update, no_update
    viewer = current_viewer()
    form = dict(zip(ids.FIELDS, values, strict=True))
    try:
        fields = _fields(viewer, form, community=community or "")
        device = actions.create_device(viewer, fields)
        if device.credential:
            actions.request_discovery(viewer, device.name)
    except WatchfloorError as error:
        return no_update, explain(error)
    notify(f"{device.name} is added; the first poll follows within {device.poll_interval_s} s.", kind="done")
    return False, ""


def register(dash_app: Dash) -> None:
    """Bind the callbacks of the inventory."""
    dash_app.callback(
        Output(ids.GRID, "rowData"),
        Output(ids.CHIPS, "children"),
        Output(ids.TOTAL, "children"),
        Output(ids.EMPTY, "children"),
        Input(shell.URL, "search"),
        Input(shell.TICK, "data"),
        Input(shell.LIVE, "data"),
        Input(shell.REFRESH, "data"),
        Input(ids.FORM, "opened", allow_optional=True),
    )(show_devices)
    dash_app.callback(
        Output(ids.FORM, "opened"),
        Output(f"{ids.FORM}-site", "data"),
        Output(f"{ids.FORM}-credential", "data"),
        Output(f"{ids.FORM}-error", "children"),
        Input(ids.ADD, "n_clicks"),
        prevent_initial_call=True,
    )(open_form)
    dash_app.callback(
        Output(ids.FORM, "opened", allow_duplicate=True),
        Output(f"{ids.FORM}-error", "children", allow_duplicate=True),
        Input(f"{ids.FORM}-submit", "n_clicks"),
        State(f"{ids.FORM}-community", "value"),
        *[State(f"{ids.FORM}-{name}", "value") for name in ids.FIELDS],
        prevent_initial_call=True,
    )(add_device)
    in_browser(dash_app, "inventory.filter", Input(ids.FILTER, "value"), prevent_initial_call=True)
    in_browser(dash_app, "inventory.fit", Input(ids.GRID, "rowData"), Input(ids.GRID, "columnState"))


def _fields(viewer: Viewer, form: dict[str, str], *, community: str) -> DeviceFields:
    credential = form["credential"] or ""
    if community:
        name = (form["name"] or "").strip()
        credential_actions.create_credential(viewer, name, kind="snmp_v2c", community=community)
        credential = name
    return DeviceFields(
        name=form["name"] or "",
        address=form["address"] or "",
        port=_number("port", form["port"]),
        credential=credential or UNSET,
        site=form["site"] or UNSET,
        role=form["role"] or "",
        poll_interval_s=_number("interval", form["interval"]),
    )


def _number(field: str, text: str) -> int:
    try:
        return int(text)
    except (TypeError, ValueError):
        raise InvalidInput(field, "is not a whole number") from None


def _credentials(viewer: Viewer) -> list[str]:
    """The names one may choose from; whoever may not see credentials gives a community or none."""
    if not may(viewer, READ, "credentials"):
        return []
    return [each.name for each in credentials.credentials(viewer)]


def _row(health: DeviceHealth, status: str, load: Load, now: datetime) -> dict[str, Any]:
    device = health.device
    up_for = (now - device.booted_at).total_seconds() if device.booted_at and device.is_reachable else None
    return {
        "id": device.id,
        "name": device.name,
        "href": f"/inventory/{device.name}",
        "status": status,
        "site": device.site,
        "role": device.role,
        "hardware": f"{device.vendor} {device.model}".strip(),
        "version": device.os_version,
        "ports": health.interfaces_up if device.address else None,
        "down": health.interfaces_down,
        "alerts": health.alerts,
        "cpu": load.cpu.get(device.name),
        "memory": load.memory.get(device.name),
        "uptime": up_for,
    }


def _chips(viewer: Viewer, query: Query, chosen: dict[str, str], statuses: Sequence[str]) -> list[Component]:
    chips = [
        _chip(words, f"{statuses.count(key):,}" if key else "", query.get("state") == key, {"data-state": key})
        for key, words in STATES
        if not key or key in ("down", "up") or key in statuses or query.get("state") == key
    ]
    choices = facets(viewer)
    for name in FACETS:
        if name in chosen:
            chips.append(
                _chip([f"{name} ", html.B(chosen[name]), icon("x")], "", True, {"data-drop": f"{name}:{chosen[name]}"})
            )
        elif choices.get(name):
            chips.append(_menu(name, choices[name]))
    return chips


def _chip(words: Any, value: str, is_on: bool, extra: dict[str, str]) -> Component:
    number = [html.Span(value, className="value")] if value else []
    more = {"data-action": "inventory-chip", "aria-pressed": "true" if is_on else "false", **extra}
    return html.Button(
        [*(words if isinstance(words, list) else [words]), *number], className="chip", type="button", **attrs(more)
    )


def _menu(name: str, values: Sequence[str]) -> Component:
    """A chip that opens the values one can filter by; plain details, so that it works with the keyboard."""
    items = [
        html.Button(
            value,
            className="menu-item",
            type="button",
            **attrs({"data-action": "inventory-chip", "data-add": f"{name}:{value}"}),
        )
        for value in values
    ]
    summary = html.Summary([icon("plus"), name.capitalize()], className="chip")
    return html.Details([summary, html.Div(items, className="menu inventory-menu")], className="inventory-facet")


def _empty(viewer: Viewer, query: Query) -> Component:
    applied = [part.replace(":", " ", 1) for part in query.all("f")]
    applied += [f"“{query.get('q')}”"] if query.get("q") else []
    applied += [f"state {query.get('state')}"] if query.get("state") else []
    if applied:
        clear = html.Button(
            "Clear filters", className="btn", type="button", **attrs({"data-action": "inventory-clear"})
        )
        return no_match("devices", applied, clear=clear)
    how = (
        "Add the first one, and its interfaces and neighbours are found by SNMP."
        if may(viewer, WRITE, "devices")
        else ""
    )
    return nothing("No devices yet", how, icon_name="server")
