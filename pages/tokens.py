"""Admin, section tokens."""

from __future__ import annotations

from typing import Final

from dash.development.base_component import Component

from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.tenancy import READ, WRITE, may
from app.ui.components.admin import admin_frame

PATH: Final = "/admin/tokens"
TITLE: Final = "Tokens"


@guarded(READ, "tokens")
def layout(**_url: str) -> Component:
    """The frame; callbacks/tokens.py fills it."""
    viewer = current_viewer()
    return admin_frame(viewer, "tokens", can_make=may(viewer, WRITE, "tokens"))
