"""What fills the page of a device."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from dash import Dash, Input, Output, State, html, no_update
from dash.development.base_component import Component

from app.actions import devices as actions
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.clock import utc_now
from app.domain.alerting.state import State as AlertState
from app.domain.forecast.families import Family
from app.domain.inventory import DeviceFields, DeviceHealth
from app.domain.tenancy import READ, WRITE, Viewer, may
from app.domain.units import format_number, scale_for
from app.errors import NotFound
from app.figures.theme import series_colour
from app.figures.timeseries import Band, Line, lines
from app.queries import alerts, device, events, inventory, links
from app.queries.alerts import AlertFilter
from app.queries.device import Curves
from app.queries.devices import DeviceFilter, device_health
from app.queries.interfaces import interfaces
from app.ui import shell
from app.ui.clientside import in_browser
from app.ui.components import event_marks, expected, strip
from app.ui.components.chart import chart
from app.ui.components.device_parts import device_head, device_tabs, ports_grid
from app.ui.components.device_tables import alert_table, metric_list, neighbour_table, port_row
from app.ui.components.notices import notify
from app.ui.components.panel import panel
from app.ui.components.states import nothing
from app.ui.errors import shown, shown_in_panel
from app.ui.urlstate import View
from app.ui.zone import current_view
from pages import device as ids

MOST_BANDS: Final = 6
MOST_EVENTS: Final = 100


@shown_in_panel("Could not open the device")
@guarded(READ, "devices")
def show_head(name: str, search: str, _live: Any, _tick: Any, _refresh: int) -> list[Component] | Component:
    """Name, state, facts and buttons."""
    viewer = current_viewer()
    health = _health(viewer, name)
    return device_head(
        health,
        availability_pct=device.availability(viewer, name, current_view(search).window),
        can_change=may(viewer, WRITE, "devices"),
        now=utc_now(),
        status=inventory.status(health, inventory.reporting(viewer)),
    )


@shown
@guarded(READ, "devices")
def show_tabs(name: str, search: str) -> tuple[list[Component], Component | list[Component]]:
    """The tabs, and the frame of the one that is open."""
    view, viewer = current_view(search), current_viewer()
    tab = _tab(view)
    health = _health(viewer, name)
    counts = {
        "interfaces": len(interfaces(viewer, name)),
        "alerts": sum(health.alerts.values()),
        "neighbours": len(links.links(viewer, device=name)),
    }
    return device_tabs(ids.SECTIONS, tab, counts), _frame(tab, name, view)


@shown_in_panel("Could not load traffic")
@guarded(READ, "metrics")
def show_traffic(name: str, search: str, _tick: Any, _refresh: int) -> Component:
    """Bit/s in and out of the whole device."""
    view = current_view(search)
    return _traffic_chart(name, view, interface="", id="device-traffic-chart")


@shown_in_panel("Could not load the processors")
@guarded(READ, "metrics")
def show_cpu(name: str, search: str, _tick: Any, _refresh: int) -> Component:
    """Utilisation of the processors."""
    view = current_view(search)
    curves = device.processors(current_viewer(), name, view.window)
    label, why_not = f"Processor load of {name} in percent", "It tells of no processor."
    expr, wanted = expected.named(device.processor_exprs(name))
    its = expected.of_lines(current_viewer(), expr, wanted, view, family=Family.CPU)
    return _percent_chart(
        curves, view, "device-cpu-chart", label, why_not, name=name, metrics=strip.PROCESSORS, its=its
    )


@shown_in_panel("Could not load memory")
@guarded(READ, "metrics")
def show_memory(name: str, search: str, _tick: Any, _refresh: int) -> Component:
    """Use of memory and storage."""
    view = current_view(search)
    curves = device.memory(current_viewer(), name, view.window)
    label, why_not = f"Memory and storage of {name} in percent", "It tells of no memory."
    expr, wanted = expected.grouped(device.memory_exprs(name), [(each.label, each.name) for each in curves.curves])
    its = expected.of_lines(current_viewer(), expr, wanted, view, family=Family.MEMORY)
    return _percent_chart(curves, view, "device-memory-chart", label, why_not, name=name, metrics=strip.MEMORY, its=its)


@shown_in_panel("Could not load alerts")
@guarded(READ, "alerts")
def show_alerts(name: str, _live: Any, _refresh: int) -> Component:
    """The open alerts of the device."""
    found = alerts.open_alerts(current_viewer(), AlertFilter(device=name, limit=50))
    if not found:
        return nothing("No open alert", "All rules are quiet for this device.")
    return alert_table(found, "Open alerts of the device", utc_now())


@shown_in_panel("Could not load past alerts")
@guarded(READ, "alerts")
def show_past(name: str, _live: Any, _refresh: int) -> Component:
    """What ended."""
    found = alerts.open_alerts(
        current_viewer(), AlertFilter(device=name, states=frozenset({AlertState.RESOLVED}), order="newest", limit=100)
    )
    if not found:
        return nothing("Nothing has ended yet", "Resolved alerts of this device stay here.")
    return alert_table(found, "Resolved alerts of the device", utc_now())


@shown_in_panel("Could not load events")
@guarded(READ, "events")
def show_events(name: str, search: str, _live: Any, _refresh: int) -> Component:
    """What agents told of the device in the range."""
    view = current_view(search)
    found = events.around(current_viewer(), view.window, devices=[name], limit=MOST_EVENTS)
    if not found:
        return nothing("No event in this range", "Changes, deploys, log lines and traps that agents send stand here.")
    return event_marks.event_table(found, "Events of the device", view.zone)


@shown
@guarded(READ, "interfaces")
def show_ports(name: str, _tick: Any, _live: Any, _refresh: int) -> list[dict[str, Any]]:
    """The interfaces with their rates now."""
    return _port_rows(current_viewer(), name)


@shown_in_panel("Could not load the interface")
@guarded(READ, "metrics")
def show_port(name: str, search: str, _tick: Any, _refresh: int) -> Component:
    """The traffic of the interface that is chosen."""
    view = current_view(search)
    chosen = view.query.get("if")
    if not chosen:
        return nothing("No interface chosen", "Click a row, or move with J and K and press Enter.", icon_name="network")
    return _traffic_chart(name, view, interface=chosen, id="device-port-chart")


@shown_in_panel("Could not load neighbours")
@guarded(READ, "links")
def show_neighbours(name: str, _live: Any, _refresh: int) -> Component:
    """What stands at the other end of its links."""
    found = links.links(current_viewer(), device=name)
    if not found:
        return nothing("No neighbours found", "The device tells of none by LLDP.", icon_name="share-2")
    return neighbour_table(name, found, utc_now())


@shown_in_panel("Could not load metrics")
@guarded(READ, "metrics")
def show_metrics(name: str, search: str, _refresh: int) -> Component:
    """Every metric of the device, each a way into Explore."""
    found = device.metric_names(current_viewer(), name, current_view(search).window)
    if not found:
        return nothing(
            "No metric in the last hour", "Nothing has been received from this device.", icon_name="chart-line"
        )
    return metric_list(name, found)


@shown
@guarded(WRITE, "devices")
def discover(clicks: int, name: str) -> Any:
    """Have it read whole, now."""
    if clicks:
        actions.request_discovery(current_viewer(), name)
        notify(f"{name} is being discovered; what is found shows here within a minute.", kind="done")
    return no_update


@shown
@guarded(WRITE, "devices")
def toggle_maintenance(clicks: int, name: str, refreshes: int) -> Any:
    """Into maintenance, or back to active."""
    if not clicks:
        return no_update
    viewer = current_viewer()
    is_kept = _health(viewer, name).device.state == "maintenance"
    actions.change_device(viewer, name, DeviceFields(state="active" if is_kept else "maintenance"))
    notify(f"{name} is {'active again' if is_kept else 'in maintenance'}.", kind="done")
    return (refreshes or 0) + 1


def register(dash_app: Dash) -> None:
    """Bind the callbacks of the device page."""
    name, search = Input(ids.NAME, "data"), Input(shell.URL, "search")
    tick, live, refresh = Input(shell.TICK, "data"), Input(shell.LIVE, "data"), Input(shell.REFRESH, "data")
    dash_app.callback(Output(ids.HEAD, "children"), name, search, live, tick, refresh)(show_head)
    dash_app.callback(Output(ids.TABS, "children"), Output(ids.BODY, "children"), name, search)(show_tabs)
    dash_app.callback(Output(ids.TRAFFIC, "children"), name, search, tick, refresh)(show_traffic)
    dash_app.callback(Output(ids.CPU, "children"), name, search, tick, refresh)(show_cpu)
    dash_app.callback(Output(ids.MEMORY, "children"), name, search, tick, refresh)(show_memory)
    dash_app.callback(Output(ids.ALERTS, "children"), name, live, refresh)(show_alerts)
    dash_app.callback(Output(ids.PAST, "children"), name, live, refresh)(show_past)
    dash_app.callback(Output(ids.EVENTS, "children"), name, search, live, refresh)(show_events)
    dash_app.callback(Output(ids.PORTS, "rowData"), name, tick, live, refresh)(show_ports)
    dash_app.callback(Output(ids.PORT, "children"), name, search, tick, refresh)(show_port)
    dash_app.callback(Output(ids.NEIGHBOURS, "children"), name, live, refresh)(show_neighbours)
    dash_app.callback(Output(ids.METRICS, "children"), name, search, refresh)(show_metrics)
    dash_app.callback(
        Output("device-discover", "title"),
        Input("device-discover", "n_clicks"),
        State(ids.NAME, "data"),
        prevent_initial_call=True,
    )(discover)
    dash_app.callback(
        Output(shell.REFRESH, "data", allow_duplicate=True),
        Input("device-maintenance", "n_clicks"),
        State(ids.NAME, "data"),
        State(shell.REFRESH, "data"),
        prevent_initial_call=True,
    )(toggle_maintenance)
    in_browser(dash_app, "device.fit", Input(ids.PORTS, "rowData"), Input(ids.PORTS, "columnState"))


def _health(viewer: Viewer, name: str) -> DeviceHealth:
    for health in device_health(viewer, DeviceFilter(text=name)):
        if health.device.name == name:
            return health
    raise NotFound(f"There is no device {name}.")


def _tab(view: View) -> str:
    wanted = view.query.get("tab", "summary")
    return wanted if wanted in dict(ids.SECTIONS) else "summary"


def _frame(tab: str, name: str, view: View) -> Component | list[Component]:
    words = view.window.words().lower()
    match tab:
        case "interfaces":
            return [
                html.Div(
                    panel("Traffic of the interface", id=ids.PORT, scope=view.query.get("if")), className="device-port"
                ),
                ports_grid(ids.PORTS, _port_rows(current_viewer(), name)),
            ]
        case "alerts":
            return [
                panel("Open alerts", id=ids.ALERTS, class_name="tall"),
                panel("Ended", id=ids.PAST, scope="newest first", class_name="tall"),
                panel("Events", id=ids.EVENTS, scope=words, class_name="tall"),
            ]
        case "neighbours":
            return panel("Neighbours", id=ids.NEIGHBOURS)
        case "metrics":
            return panel("Metrics", id=ids.METRICS, scope="with samples in the last hour", padded=True)
    return html.Div(
        [
            panel("Traffic", id=ids.TRAFFIC, scope=f"all interfaces, {words}"),
            panel("Processors", id=ids.CPU, scope=f"%, {words}"),
            panel("Memory and storage", id=ids.MEMORY, scope=f"%, {words}"),
            panel("Open alerts", id=ids.ALERTS),
        ],
        className="device-charts",
    )


def _traffic_chart(name: str, view: View, *, interface: str, id: str) -> Component:
    viewer = current_viewer()
    curves = device.traffic(viewer, name, view.window, interface=interface)
    if not curves.curves:
        return nothing(
            "No traffic in this range", "Choose a longer range, or wait for two polls.", icon_name="activity"
        )
    peak = max(
        (float(np.nanmax(curve.values)) for curve in curves.curves if np.isfinite(curve.values).any()), default=0.0
    )
    scale = scale_for(peak, "bps")
    series = [
        Line(curve.name, curves.ts_ms, curve.values * scale.factor, colour=series_colour(index), fill=index == 0)
        for index, curve in enumerate(curves.curves)
    ]
    bands = _bands(viewer, name, view, interface)
    figure = lines(series, window=view.window, zone=view.zone, unit=scale.unit, bands=bands, legend=True)
    expr, wanted = expected.named(device.traffic_exprs(name, interface))
    its = expected.of_lines(viewer, expr, wanted, view, family=Family.TRAFFIC, factor=scale.factor)
    expected.add_to(figure, its, view, unit=scale.unit)
    figure.update_yaxes(title={"text": scale.unit, "font": {"size": 11}})
    figure.update_layout(margin={"l": 56})
    strip.add_to(figure, strip.of_device(viewer, name, strip.TRAFFIC, view, interface=interface), view)
    subject = f"{name} {interface}".strip()
    label = f"Traffic of {subject}, at most {format_number(peak * scale.factor)} {scale.unit}"
    event_marks.add_to(figure, viewer, view, devices=[name], interface=interface)
    return expected.under(its, chart(id, figure, label=label))


def _port_rows(viewer: Viewer, name: str) -> list[dict[str, Any]]:
    rates, now = device.port_rates(viewer, name), utc_now()
    return [port_row(port, rates, now) for port in interfaces(viewer, name)]


def _bands(viewer: Viewer, name: str, view: View, interface: str) -> list[Band]:
    found = alerts.open_alerts(
        viewer,
        AlertFilter(
            device=name,
            interface=interface,
            states=frozenset({AlertState.FIRING, AlertState.RESOLVED}),
            order="newest",
            limit=MOST_BANDS,
        ),
    )
    return [
        Band(
            int(each.since.timestamp() * 1000),
            int(each.resolved_at.timestamp() * 1000) if each.resolved_at else view.window.end_ms,
            str(each.severity),
            f"A-{each.id} {each.name}",
        )
        for each in found
    ]


def _percent_chart(
    curves: Curves,
    view: View,
    id: str,
    label: str,
    why_not: str,
    *,
    name: str,
    metrics: str,
    its: expected.Bands | None,
) -> Component:
    if not curves.curves:
        return nothing("No samples in this range", why_not, icon_name="cpu")
    series = [
        Line(curve.name, curves.ts_ms, curve.values, colour=series_colour(index))
        for index, curve in enumerate(curves.curves[:8])
    ]
    figure = lines(series, window=view.window, zone=view.zone, unit="%", legend=len(series) > 1)
    figure.update_yaxes(range=[0, 100])
    expected.add_to(figure, its, view, unit="%")
    strip.add_to(figure, strip.of_device(current_viewer(), name, metrics, view), view)
    event_marks.add_to(figure, current_viewer(), view, devices=[name])
    return expected.under(its, chart(id, figure, label=label))
