"""Admin, section rules."""

from __future__ import annotations

from typing import Final

from dash.development.base_component import Component

from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.tenancy import READ, WRITE, may
from app.ui.components.admin import action, admin_frame

PATH: Final = "/admin/rules"
TITLE: Final = "Rules"


@guarded(READ, "rules")
def layout(**_url: str) -> Component:
    """The frame; callbacks/rules.py fills it."""
    viewer = current_viewer()
    can_make = may(viewer, WRITE, "rules")
    tools = [action("rules", "import", "Import")] if can_make else []
    return admin_frame(viewer, "rules", tools=tools, can_make=can_make)
