"""The tables of the device page: its interfaces, alerts, neighbours and metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

import numpy as np
from dash import dcc, html
from dash.development.base_component import Component

from app.domain.alerting.alert import Alert
from app.domain.inventory import Interface, Link
from app.domain.units import format_age, format_number, scale_for
from app.queries.device import PortRates
from app.ui.components.marks import severity
from app.ui.components.table import Column, table


def alert_table(found: Sequence[Alert], label: str, now: datetime) -> Component:
    """Alerts of one device, each a way into triage."""
    rows = [
        (
            severity(str(each.severity)),
            dcc.Link(each.summary or each.name, href=f"/alerts?view=all&sel={each.id}"),
            each.interface,
            format_age(each.since, now),
            each.assigned_name or each.acknowledged_by or "—",
        )
        for each in found
    ]
    return table(
        [Column("Sev"), Column("Summary"), Column("Interface", "mono"), Column("Age", "num"), Column("Owner")],
        rows,
        label=label,
    )


def neighbour_table(name: str, found: Sequence[Link], now: datetime) -> Component:
    """What stands at the other end of the links of `name`."""
    rows = []
    for link in found:
        is_a = link.a_device == name
        own, other, port = (
            (link.a_interface, link.b_device, link.b_interface)
            if is_a
            else (link.b_interface, link.a_device, link.a_interface)
        )
        is_watched = link.is_b_watched or not is_a
        rows.append(
            (
                own,
                dcc.Link(other, href=f"/inventory/{quote(other, safe='')}") if is_watched else other,
                port,
                link.protocol.upper(),
                "both sides" if link.is_confirmed else "one side",
                f"{format_age(link.seen_at, now)} ago",
            )
        )
    columns = [
        Column("Interface", "mono"),
        Column("Neighbour", "mono"),
        Column("Its interface", "mono"),
        Column("Protocol"),
        Column("Told by"),
        Column("Seen"),
    ]
    return table(columns, rows, label="Neighbours")


def metric_list(name: str, found: Mapping[str, int]) -> Component:
    """Every metric with its number of series, each a way into Explore."""
    items = [
        html.Li(
            dcc.Link(
                [html.Span(metric, className="mono grow cut"), html.Span(f"{count} series", className="t3 num")],
                href="/explore?" + urlencode({"metric": metric, "f": f"device={name}"}),
            )
        )
        for metric, count in found.items()
    ]
    return html.Ul(items, className="device-metrics")


def port_row(port: Interface, rates: Mapping[str, PortRates], now: datetime) -> dict[str, Any]:
    """The row of one interface in the grid."""
    rate = rates.get(port.name, PortRates())
    fuller = max(_or_zero(rate.in_bps), _or_zero(rate.out_bps))
    return {
        "id": port.id,
        "name": port.name,
        "alias": port.alias or port.description,
        "site": f"{_rate(rate.in_bps)} in, {_rate(rate.out_bps)} out",
        "hardware": port.alias or port.description,
        "status": _port_state(port),
        "speed": port.speed_bps,
        "in_bps": _or_none(rate.in_bps),
        "out_bps": _or_none(rate.out_bps),
        "use": fuller / port.speed_bps if port.speed_bps and fuller else None,
        "errors": _or_none(rate.errors),
        "changed": format_age(port.changed_at, now) if port.changed_at else "",
    }


def _rate(bps: float) -> str:
    if not np.isfinite(bps):
        return "–"
    scale = scale_for(bps, "bps")
    return f"{format_number(bps * scale.factor)} {scale.unit}"


def _port_state(port: Interface) -> str:
    if port.missing_since is not None:
        return "missing"
    if port.admin_status != "up":
        return "off"
    return {"up": "up", "down": "down", "lowerLayerDown": "down", "notPresent": "missing"}.get(
        port.oper_status, "unknown"
    )


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _or_zero(value: float) -> float:
    return float(value) if np.isfinite(value) else 0.0
