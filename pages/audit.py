"""Admin, section audit."""

from __future__ import annotations

from typing import Final

from dash.development.base_component import Component

from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.tenancy import READ
from app.ui.components.admin import action, admin_frame

PATH: Final = "/admin/audit"
TITLE: Final = "Audit"


@guarded(READ, "audit")
def layout(**_url: str) -> Component:
    """The frame; callbacks/audit.py fills it."""
    return admin_frame(current_viewer(), "audit", tools=[action("audit", "verify", "Verify chain")])
