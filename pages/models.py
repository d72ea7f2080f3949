"""Admin, section models."""

from __future__ import annotations

from typing import Final

from dash.development.base_component import Component

from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.tenancy import READ
from app.ui.components.admin import admin_frame

PATH: Final = "/admin/models"
TITLE: Final = "Models"


@guarded(READ, "models")
def layout(**_url: str) -> Component:
    """The frame; callbacks/models.py fills it."""
    return admin_frame(current_viewer(), "models", class_name="models-page")
