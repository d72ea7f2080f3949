"""The site health strip: one row per site, 36 cells of 5 minutes, availability at the right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dash import html
from dash.development.base_component import Component

from app.ui.components.attributes import attrs

CELLS = 36


@dataclass(frozen=True)
class SiteHealth:
    """One site: the worst severity of each cell, oldest first ("ok", a severity, or "none" without data)."""

    site: str
    cells: Sequence[str]
    availability_pct: float | None


def site_health_strip(sites: Sequence[SiteHealth]) -> Component:
    """The strip; read aloud as one sentence per site."""
    children: list[Component] = []
    for site in sites:
        troubled = sum(cell not in ("ok", "none") for cell in site.cells)
        words = f"{site.site}: {troubled} of {len(site.cells)} intervals with trouble"
        children += [
            html.Span(site.site, className="site", title=site.site),
            html.Div(
                [html.I(className=cell) for cell in site.cells],
                className="cells",
                role="img",
                **attrs({"aria-label": words}),
            ),
            html.Span(_pct(site.availability_pct), className=f"value {_tone(site.availability_pct)}".strip()),
        ]
    return html.Div(children, className="strip")


def _pct(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _tone(value: float | None) -> str:
    if value is None:
        return "t3"
    return "c-critical" if value < 99 else ""
