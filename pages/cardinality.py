"""Admin, section cardinality."""

from __future__ import annotations

from typing import Final

from dash.development.base_component import Component

from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.tenancy import READ
from app.ui.components.admin import admin_frame

PATH: Final = "/admin/cardinality"
TITLE: Final = "Cardinality"


@guarded(READ, "cardinality")
def layout(**_url: str) -> Component:
    """The frame; callbacks/cardinality.py fills it."""
    return admin_frame(current_viewer(), "cardinality", class_name="cardinality-page")
