"""The view of a request: its address and the zone of the browser that asks."""

from __future__ import annotations

from urllib.parse import unquote

from flask import has_request_context, request

from app.clock import now_ms
from app.ui.urlstate import DEFAULT_RANGE, ZONE_COOKIE, View, view_of


def current_view(search: str | None, *, default: str = DEFAULT_RANGE) -> View:
    """The time range, zone and query of `search`, seen from the browser of this request."""
    cookie = request.cookies.get(ZONE_COOKIE, "") if has_request_context() else ""
    return view_of(search, now_ms=now_ms(), default=default, browser_zone=unquote(cookie)[:64] or None)
