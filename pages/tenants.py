"""Admin, section tenants."""

from __future__ import annotations

from typing import Final

from dash.development.base_component import Component

from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.tenancy import ADMIN, may
from app.ui.components.admin import admin_frame

PATH: Final = "/admin/tenants"
TITLE: Final = "Tenants"


@guarded(ADMIN, "tenants")
def layout(**_url: str) -> Component:
    """The frame; callbacks/tenants.py fills it."""
    viewer = current_viewer()
    return admin_frame(viewer, "tenants", can_make=may(viewer, ADMIN, "tenants"))
