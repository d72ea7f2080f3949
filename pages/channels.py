"""Admin, section channels."""

from __future__ import annotations

from typing import Final

from dash.development.base_component import Component

from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.tenancy import READ, WRITE, may
from app.ui.components.admin import admin_frame

PATH: Final = "/admin/channels"
TITLE: Final = "Channels"


@guarded(READ, "channels")
def layout(**_url: str) -> Component:
    """The frame; callbacks/channels.py fills it."""
    viewer = current_viewer()
    return admin_frame(viewer, "channels", can_make=may(viewer, WRITE, "channels"))
