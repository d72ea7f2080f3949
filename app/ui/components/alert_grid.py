"""The list of alerts: one row an alert; on the phone two lines in one cell (assets/53-alerts.js switches)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from dash.development.base_component import Component

from app.domain.alerting.alert import Alert
from app.domain.alerting.state import State
from app.ui.components.grid import grid, mono_column, severity_column, text_column


def alert_grid(id: str) -> Component:
    """The grid, still without rows."""
    age = {"cellRenderer": "AgeCell", "type": "rightAligned", "cellClass": "ag-right-aligned-cell mono"}
    columns = [
        {"field": "phone", "headerName": "Alert", "cellRenderer": "AlertCell", "hide": True, "flex": 1},
        severity_column(width=108),
        text_column("summary", "Summary", flex=3, minWidth=180, tooltipField="summary"),
        mono_column("device", "Device", flex=1, minWidth=120),
        mono_column("interface", "Interface", width=110),
        text_column("site", "Site", width=76),
        {"field": "since", "headerName": "Age", "width": 96, "sort": None, **age},
        text_column("owner", "Owner", width=126, cellRenderer="OwnerCell"),
    ]
    options = {"rowSelection": {"mode": "multiRow", "checkboxes": False, "headerCheckbox": False}}
    return grid(id, columns, label="Alert list", options=options)


def alert_rows(alerts: Sequence[Alert], now: datetime) -> list[dict[str, Any]]:
    """The rows of the grid; `since` in ms since 1970, `status` new, acknowledged, snoozed, pending or resolved."""
    return [_row(alert, now) for alert in alerts]


def status_of(alert: Alert, now: datetime) -> str:
    """Where an alert stands, in one word."""
    if alert.state is not State.FIRING:
        return str(alert.state)
    if alert.is_snoozed(now):
        return "snoozed"
    return "acknowledged" if alert.acknowledged_at is not None else "new"


def _row(alert: Alert, now: datetime) -> dict[str, Any]:
    return {
        "id": alert.id,
        "severity": str(alert.severity),
        "summary": alert.summary or alert.name,
        "device": alert.device,
        "interface": alert.interface,
        "site": alert.site,
        "since": int(alert.since.timestamp() * 1000),
        "owner": alert.assigned_name or alert.acknowledged_by,
        "status": status_of(alert, now),
    }
