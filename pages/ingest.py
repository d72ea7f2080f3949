"""Admin, section ingest."""

from __future__ import annotations

from typing import Final

from dash.development.base_component import Component

from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.tenancy import READ
from app.ui.components.admin import admin_frame

PATH: Final = "/admin/ingest"
TITLE: Final = "Ingest"


@guarded(READ, "ingest")
def layout(**_url: str) -> Component:
    """The frame; callbacks/ingest.py fills it."""
    return admin_frame(current_viewer(), "ingest", class_name="ingest-page")
