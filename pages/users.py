"""Admin, section users."""

from __future__ import annotations

from typing import Final

from dash.development.base_component import Component

from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.tenancy import READ, WRITE, may
from app.ui.components.admin import admin_frame

PATH: Final = "/admin/users"
TITLE: Final = "Users"


@guarded(READ, "users")
def layout(**_url: str) -> Component:
    """The frame; callbacks/users.py fills it."""
    viewer = current_viewer()
    return admin_frame(viewer, "users", can_make=may(viewer, WRITE, "users"))
