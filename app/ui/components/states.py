"""The six states of a panel: nothing to do, no match, loading, failed, stale, not allowed."""

from __future__ import annotations

from collections.abc import Sequence

from dash import html
from dash.development.base_component import Component

from app.ui.components.attributes import attrs
from app.ui.components.marks import icon, key_cap


def nothing(title: str, text: str = "", *, action: Component | None = None, icon_name: str = "inbox") -> Component:
    """There is nothing here, and that is fine; says why, and offers one action."""
    return _state(icon_name, title, text, action)


def no_match(what: str, filters: Sequence[str], *, clear: Component | None = None) -> Component:
    """Filters hide everything: lists them (`site LON1`, `severity critical`) and offers to clear them."""
    count = "1 filter" if len(filters) == 1 else f"{len(filters)} filters"
    return _state("list-filter", f"No {what} match {count}", ", ".join(filters), clear)


def loading() -> Component:
    """A skeleton; it shows only after 300 ms."""
    lines = [html.I(className="w1"), html.I(className="block"), html.I(className="w2"), html.I(className="w3")]
    return html.Div(lines, className="skeleton late", role="status", **attrs({"aria-label": "Loading"}))


def failed(what: str, why: str, *, request_id: str = "", retry: bool = True) -> Component:
    """Something did not work: what, why, the request id, and the key that tries again."""
    text = f"{why} Request {request_id}." if request_id else why
    button = html.Button(
        [icon("refresh-cw"), "Retry", key_cap("R")],
        className="btn",
        type="button",
        **attrs({"data-action": "refresh"}),
    )
    return _state("triangle-alert", what, text, button if retry else None, kind="failed")


def stale(text: str) -> Component:
    """A banner above the last data: since when it is old, and what happens next."""
    return html.Div([icon("unplug"), html.Span(text)], className="banner", role="status")


def not_allowed(why: str, *, title: str = "You cannot open this") -> Component:
    """The role does not allow it; `why` names what is missing."""
    return _state("users", title, f"{why} Ask an admin in your organisation.", None)


def _state(icon_name: str, title: str, text: str, action: Component | None, *, kind: str = "") -> Component:
    children = [icon(icon_name), html.H3(title)]
    if text:
        children.append(html.P(text))
    if action is not None:
        children.append(action)
    return html.Div(children, className=f"state {kind}".strip())
