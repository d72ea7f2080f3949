"""Admin, section storage."""

from __future__ import annotations

from typing import Final

from dash.development.base_component import Component

from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.tenancy import READ
from app.ui.components.admin import admin_frame

PATH: Final = "/admin/storage"
TITLE: Final = "Storage"


@guarded(READ, "storage")
def layout(**_url: str) -> Component:
    """The frame; callbacks/storage.py fills it."""
    return admin_frame(current_viewer(), "storage", class_name="storage-page")
