"""The colours of the screens and the two chart templates.

Figures are built in the dark tokens; `in_theme()` and its twin in assets/15-charts.js swap every token for the
light one, so that a change of theme needs no round trip. tests/app/figures/test_theme.py compares with the CSS.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

import plotly.graph_objects as go

Theme = Literal["dark", "light"]

# token -> (dark, light); the same as assets/10-tokens.css.
TOKENS: Final[Mapping[str, tuple[str, str]]] = {
    "bg0": ("#0B0E14", "#F4F6F9"),
    "bg1": ("#12161F", "#FFFFFF"),
    "bg2": ("#1A1F2B", "#EEF1F6"),
    "bg3": ("#232A38", "#E2E7EF"),
    "line": ("#222938", "#E1E6EE"),
    "line2": ("#343D50", "#C6CEDA"),
    "t1": ("#E6EAF2", "#131722"),
    "t2": ("#A7B0C2", "#475063"),
    "t3": ("#7F8AA0", "#626C80"),
    "acc": ("#5195F9", "#1E62C2"),
    "critical": ("#F03A5C", "#BB002C"),
    "major": ("#F8963A", "#B75900"),
    "minor": ("#FFF498", "#604A08"),
    "warning": ("#3C95EB", "#154E88"),
    "unknown": ("#828E9F", "#68758D"),
    "ok": ("#1FDCC0", "#0A846D"),
}
SERIES_DARK: Final = ("#5195F9", "#EAA81B", "#1CCFA6", "#D768A7", "#784FDF", "#DAE994", "#BCEBF4", "#C74B24")
SERIES_LIGHT: Final = ("#1E62C2", "#B58711", "#1B5748", "#C82C75", "#2708B6", "#596B13", "#1598C5", "#612713")
SEVERITIES: Final = ("critical", "major", "minor", "warning", "unknown")

SANS: Final = "Inter, system-ui, sans-serif"
MONO: Final = "JetBrains Mono, ui-monospace, monospace"


def token(name: str, opacity: float = 1.0) -> str:
    """A token's colour in the dark theme, for figures: `#RRGGBB`, or `rgba()` below full opacity."""
    return faded(TOKENS[name][0], opacity)


def series_colour(index: int) -> str | None:
    """The colour of the n-th highlighted series; None after eight: the rest is grey."""
    return SERIES_DARK[index] if index < len(SERIES_DARK) else None


def faded(colour: str, opacity: float) -> str:
    """`#RRGGBB` at an opacity of 0 to 1."""
    if opacity >= 1:
        return colour
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"


def swaps() -> dict[str, str]:
    """What a change from dark to light replaces: `#rrggbb` and `r,g,b` of each token, lower case."""
    pairs = [*TOKENS.values(), *zip(SERIES_DARK, SERIES_LIGHT, strict=True)]
    table = {dark.lower(): light.lower() for dark, light in pairs}
    table.update({_triple(dark): _triple(light) for dark, light in pairs})
    return table


def in_theme(figure: go.Figure, theme: Theme) -> go.Figure:
    """The figure in a theme; dark is what figures are built in."""
    if theme == "dark":
        return figure
    return go.Figure(_swapped(figure.to_plotly_json(), swaps()), skip_invalid=False)


def noc_template(theme: Theme = "dark") -> go.layout.Template:
    """The chart template `noc_dark` or `noc_light`: look/README.md, section Charts."""
    axis = {
        "showline": False,
        "zeroline": False,
        "ticks": "",
        "ticklabelstandoff": 5,
        "automargin": False,
        "gridcolor": token("line"),
        "tickfont": {"size": 11, "color": token("t3")},
        "title": {"font": {"size": 11, "color": token("t3")}},
    }
    layout = {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": SANS, "size": 11, "color": token("t2")},
        "colorway": list(SERIES_DARK),
        "margin": {"l": 44, "r": 10, "t": 8, "b": 36, "pad": 0},
        "xaxis": {**axis, "showgrid": False, "spikecolor": token("line2"), "spikethickness": 1, "spikedash": "solid"},
        "yaxis": {**axis, "nticks": 5, "rangemode": "tozero"},
        "hovermode": "x unified",
        "hoverlabel": {
            "bgcolor": token("bg2"),
            "bordercolor": token("line2"),
            "font": {"family": MONO, "size": 11.5, "color": token("t1")},
        },
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1,
            "yref": "container",
            "yanchor": "top",
            "font": {"size": 11.5, "color": token("t2")},
        },
        "dragmode": "zoom",
        "bargap": 0.15,
    }
    return go.layout.Template(layout=_swapped(layout, swaps()) if theme == "light" else layout)


def base_figure() -> go.Figure:
    """An empty figure in the product's template."""
    figure = go.Figure()
    figure.update_layout(template=noc_template())
    return figure


_COLOUR = re.compile(r"#[0-9a-f]{6}|(?<=rgba\()\d+,\d+,\d+", re.IGNORECASE)


def _swapped(value: Any, table: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _COLOUR.sub(lambda match: table.get(match[0].lower(), match[0]), value)
    if isinstance(value, dict):
        return {key: _swapped(item, table) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_swapped(item, table) for item in value]
    return value


def _triple(colour: str) -> str:
    return ",".join(str(int(colour[at : at + 2], 16)) for at in (1, 3, 5))
