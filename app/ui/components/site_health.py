"""The site health strip: one row per site, 36 cells of 5 minutes, availability at the right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dash import html
from dash.development.base_component import Component

from app.ui.components.attributes import attrs

CELLS = 36
COLOURS = {
    "ok": "var(--ok-area)",
    "none": "var(--no-data)",
    "unknown": "var(--unknown)",
    **{name: f"var(--{name})" for name in ("critical", "major", "minor", "warning")},
}


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
                className="cells",
                role="img",
                style={"background": _picture(site.cells)},
                **attrs({"aria-label": words}),
            ),
            html.Span(_pct(site.availability_pct), className=f"value {_tone(site.availability_pct)}".strip()),
        ]
    return html.Div(children, className="strip")


def _picture(cells: Sequence[str]) -> str:
    """All cells of a row as one background, which the style sheet cuts into cells: an element each costs far more."""
    ends = [index for index in range(1, len(cells) + 1) if index == len(cells) or cells[index] != cells[index - 1]]
    stops, start = [], 0
    for end in ends:
        stops.append(f"{COLOURS[cells[start]]} {start / len(cells):.3%} {end / len(cells):.3%}")
        start = end
    return f"linear-gradient(90deg,{','.join(stops)})" if stops else "none"


def _pct(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _tone(value: float | None) -> str:
    if value is None:
        return "t3"
    return "c-critical" if value < 99 else ""
