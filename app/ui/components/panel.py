"""The panel: a named region with a head and a body that shows data or one of the states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dash import html
from dash.development.base_component import Component

from app.ui.components.attributes import attrs
from app.ui.components.states import loading


def panel(
    title: str,
    children: Any = None,
    *,
    id: str,
    scope: str = "",
    actions: Sequence[Component] = (),
    padded: bool = False,
    class_name: str = "",
) -> Component:
    """A region named `title`. Fill its body with Output(id, "children"); it starts as a skeleton.

    `scope` is the grey text after the title (unit, range). `<id>-title` and `<id>-scope` may be outputs.
    """
    head = html.Header(
        [
            html.H2(title, id=f"{id}-title"),
            html.Span(scope, className="scope", id=f"{id}-scope"),
            *([html.Div(list(actions), className="actions")] if actions else []),
        ]
    )
    body = html.Div(
        loading() if children is None else children,
        id=id,
        className="body pad" if padded else "body",
        **attrs({"data-panel": "true"}),
    )
    return html.Section([head, body], className=f"panel {class_name}".strip(), **attrs({"aria-label": title}))
