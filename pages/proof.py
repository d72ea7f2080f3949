"""Admin, section proof: what was injected on purpose beside what was found."""

from __future__ import annotations

from typing import Final

from dash.development.base_component import Component

from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.tenancy import READ
from app.ui.components.admin import admin_frame

PATH: Final = "/admin/models/proof"
TITLE: Final = "Proof"


@guarded(READ, "proof")
def layout(**_url: str) -> Component:
    """The frame; callbacks/proof.py fills it."""
    return admin_frame(current_viewer(), "proof", class_name="proof-page")
