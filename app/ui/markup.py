"""Components as plain HTML, for parts of the page that no callback touches: each one in React costs at every change."""

from __future__ import annotations

import re
from html import escape
from typing import Any, Final

from dash.development.base_component import Component

NAMES: Final = {"className": "class", "htmlFor": "for", "tabIndex": "tabindex", "autoComplete": "autocomplete"}
CAPITAL: Final = re.compile(r"(?=[A-Z])")
VOID: Final = frozenset({"input", "br"})


def markup(part: Any) -> str:
    """The HTML of html components and dcc.Input; texts and values are escaped."""
    if isinstance(part, list | tuple):
        return "".join(map(markup, part))
    if not isinstance(part, Component):
        return "" if part is None else escape(str(part))
    described = part.to_plotly_json()  # type: ignore[no-untyped-call]  # Dash has no types here
    props = dict(described["props"])
    children = props.pop("children", None)
    name = str(described["type"]).lower()
    attributes = "".join(f' {NAMES.get(key, key)}="{escape(_text(value))}"' for key, value in props.items())
    return f"<{name}{attributes}>" + ("" if name in VOID else f"{markup(children)}</{name}>")


def _text(value: Any) -> str:
    """A property as an attribute has it; styles are given as React has them: `{"maxWidth": "10px"}`."""
    if not isinstance(value, dict):
        return str(value)
    return ";".join(f"{CAPITAL.sub('-', name).lower()}:{each}" for name, each in value.items())
