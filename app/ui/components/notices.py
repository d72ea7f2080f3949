"""Notices (toasts): what a person should see once, in the corner, without stopping their work."""

from __future__ import annotations

from typing import Any, Literal

import dash_mantine_components as dmc
from dash import set_props

from app.ui.components.marks import icon

NOTICES = "shell-notices"
_ICONS = {
    "info": ("info", "var(--acc)"),
    "done": ("circle-check", "var(--ok)"),
    "error": ("circle-alert", "var(--major)"),
}


def notices() -> Any:
    """The place where notices appear; once, in the shell."""
    return dmc.NotificationContainer(id=NOTICES, position="bottom-right", autoClose=6000, limit=4)


def notify(text: str, *, kind: Literal["info", "done", "error"] = "info", title: str = "") -> None:
    """Show a notice from inside a callback; needs no Output."""
    name, colour = _ICONS[kind]
    message = {
        "action": "show",
        "title": title,
        "message": text,
        "icon": icon(name),
        "color": colour,
        "autoClose": 10_000 if kind == "error" else 5_000,
    }
    set_props(NOTICES, {"sendNotifications": [message]})
