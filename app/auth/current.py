"""Who the current request acts for. The guard (app/api/guard.py) sets it; everything else asks."""

from __future__ import annotations

from flask import g, has_app_context

from app.domain.tenancy import Viewer
from app.errors import Unauthenticated


def current_viewer() -> Viewer:
    """The person or program of this request; raises Unauthenticated when there is none."""
    viewer: Viewer | None = g.get("viewer") if has_app_context() else None
    if viewer is None:
        raise Unauthenticated("Sign in, or send a valid API token.")
    return viewer


def set_current_viewer(viewer: Viewer, *, csrf_token: str = "") -> None:
    """Make `viewer` the one of this request; for the guard and for tests of callbacks."""
    g.viewer = viewer
    g.csrf_token = csrf_token


def current_csrf_token() -> str:
    """The token that a form or script of this session must send back; empty without a browser session."""
    token: str = g.get("csrf_token", "") if has_app_context() else ""
    return token


def current_request_id() -> str:
    """The id of this request as X-Request-Id tells it; empty outside a request."""
    request_id: str = g.get("request_id", "") if has_app_context() else ""
    return request_id
