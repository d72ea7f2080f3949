"""Admin, section credentials."""

from __future__ import annotations

from typing import Final

from dash.development.base_component import Component

from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.tenancy import READ, WRITE, may
from app.ui.components.admin import admin_frame

PATH: Final = "/admin/credentials"
TITLE: Final = "Credentials"


@guarded(READ, "credentials")
def layout(**_url: str) -> Component:
    """The frame; callbacks/credentials.py fills it."""
    viewer = current_viewer()
    return admin_frame(viewer, "credentials", can_make=may(viewer, WRITE, "credentials"))
