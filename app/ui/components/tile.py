"""The figure tile: label, figure with unit, one line of context, a sparkline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from dash import dcc, html
from dash.development.base_component import Component

from app.figures.sparkline import sparkline_svg
from app.ui.components.attributes import attrs

Trend = Literal["good", "bad", "plain"]


@dataclass(frozen=True)
class Figure:
    """What a tile shows. `trend` says whether the sparkline is good, bad or neither; never taste."""

    label: str
    value: str
    unit: str = ""
    context: str = ""
    points: Sequence[float] = ()
    trend: Trend = "plain"
    href: str = ""


def tile(figure: Figure, *, key: str = "") -> Component:
    """A tile; a link when it has somewhere to go. `key` is the digit that opens it."""
    value: Any = [figure.value, html.Small(figure.unit)] if figure.unit else figure.value
    children: list[Any] = [
        html.Div(figure.label, className="label"),
        html.Div(value, className="figure"),
        html.Div(figure.context, className="context"),
    ]
    source = sparkline_svg(figure.points, css_class=figure.trend)
    if source:
        children.append(
            html.Div(className=f"spark {figure.trend}", style={"--p": f'url("data:image/svg+xml,{quote(source)}")'})
        )
    body = html.Div(children, className="panel tile")
    inner = dcc.Link(body, href=figure.href, className="tile-link") if figure.href else body
    return html.Div(inner, className="tile-slot", **attrs({"data-key": key} if key else {}))
