"""Explore: any metric, picked or in PromQL."""

from __future__ import annotations

from typing import Final

from dash import html
from dash.development.base_component import Component

from app.auth.permissions import guarded
from app.domain.tenancy import READ

PATH: Final = "/explore"
TITLE: Final = "Explore"


@guarded(READ, "devices")
def layout(**_url: str) -> Component:
    """The frame."""
    return html.Div(className="page")
