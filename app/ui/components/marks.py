"""The smallest parts: icons, key caps, severity marks, tags, chips, bars."""

from __future__ import annotations

from typing import Any

from dash import html
from dash.development.base_component import Component

from app.ui.components.attributes import attrs

SEVERITY_WORDS = {
    "critical": "Critical",
    "major": "Major",
    "minor": "Minor",
    "warning": "Warning",
    "unknown": "Unknown",
    "ok": "Ok",
}


def icon(name: str, *, label: str = "") -> Component:
    """An icon of the set in assets/05-icons.css; decorative unless it has a label."""
    if label:
        return html.Span(className=f"i i-{name}", role="img", **attrs({"aria-label": label}))
    return html.Span(className=f"i i-{name}", **attrs({"aria-hidden": "true"}))


def key_cap(key: str) -> Component:
    """A key as a cap: `A`, `Ctrl K`."""
    return html.Span(key, className="key", **attrs({"aria-hidden": "true"}))


def severity_mark(severity: str) -> Component:
    """The shape of a severity without its word; put the word beside it or use severity()."""
    return html.Span(
        className=f"mark {severity if severity in SEVERITY_WORDS else 'unknown'}", **attrs({"aria-hidden": "true"})
    )


def severity(name: str) -> Component:
    """Shape and word."""
    return html.Span([severity_mark(name), SEVERITY_WORDS.get(name, "Unknown")], className="sev")


def tag(text: str) -> Component:
    """A small grey tag."""
    return html.Span(text, className="tag")


def chip(name: str, value: str = "", *, id: Any = None, active: bool = False, mark: str = "") -> Component:
    """A filter chip: grey name, value in the text colour. A button; `active` is aria-pressed."""
    children: list[Component] = []
    if mark:
        children.append(severity_mark(mark))
    children.append(html.Span(name, className="name" if value and not mark else ""))
    if value:
        children.append(html.Span(value, className="value"))
    extra: dict[str, Any] = {"aria-pressed": "true" if active else "false"}
    if id is not None:
        extra["id"] = id
    return html.Button(children, className="chip", type="button", **extra)


def bar(ratio: float, *, severity: str = "") -> Component:
    """A bar in a cell: 4 px track, coloured by severity only past a threshold."""
    width = f"{min(max(ratio, 0.0), 1.0) * 100:.1f}%"
    return html.Span(
        html.I(className=severity, style={"width": width}), className="bar", **attrs({"aria-hidden": "true"})
    )


def hints(*keys: tuple[str, str], right: Component | str | None = None) -> Component:
    """The line of keys below a list: `hints(("J", "down"), ("[ ]", "shift range"))`; hidden on touch."""
    children: list[Component] = [
        html.Span([*[key_cap(cap) for cap in caps.split()], html.Span(words)]) for caps, words in keys
    ]
    children.append(html.Span(className="grow"))
    if right is not None:
        children.append(html.Span(right))
    return html.Div(children, className="hints")
