"""Buttons of a page's toolbar: an icon, and words where there is room."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from app.ui.components.attributes import attrs
from app.ui.components.marks import icon


def tool(
    icon_name: str, words: str, about: str, *, id: str = "", action: str = "", is_on: bool | None = None
) -> Component:
    """One button. `about` is said on hover; `is_on` is of one that stays pressed; `action` is done in the browser."""
    names = {"data-action": action} if action else {}
    if is_on is not None:
        names["aria-pressed"] = "true" if is_on else "false"
    if id:
        names["id"] = id
    label = [icon(icon_name), html.Span(words, className="wide-only")]
    return html.Button(label, className="btn", type="button", title=about, **attrs(names))


def copy_link() -> Component:
    """Copies the address of what is shown."""
    return tool("link", "Copy link", "Copy link", action="copy-link")
