"""What fills the floor."""

from __future__ import annotations

from dash import Dash


def register(dash_app: Dash) -> None:
    """Bind the callbacks of the floor."""
