"""Admin: the sections that a viewer may see, each with what it is for."""

from __future__ import annotations

from typing import Final

from dash import dcc, html
from dash.development.base_component import Component

from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.tenancy import READ
from app.ui.components.admin import sections_of
from app.ui.components.marks import icon

PATH: Final = "/admin"
TITLE: Final = "Admin"
SUBTITLE: Final = "Who may, what raises alerts, who is told"


@guarded(READ, "rules")
def layout(**_url: str) -> Component:
    """A card for each section."""
    cards = [
        dcc.Link(
            [icon(section.icon), html.Span([html.B(section.title), html.Span(section.about, className="t2")])],
            href=section.path,
            className="panel admin-card",
        )
        for section in sections_of(current_viewer())
    ]
    return html.Div(html.Div(cards, className="admin-cards"), className="page admin")
