"""dash-auth on our session.

Its own guard reads the request's body to find public routes and can be talked out of checking once any are set, so
our guard (app/api/guard.py) decides and `public_routes` is never used. Its group helpers (check_groups,
protected_callback) work: they read `flask.session["user"]["groups"]`, which our guard fills from the server's session
for the length of one request.
"""

from __future__ import annotations

from typing import Any

from dash_auth.auth import Auth
from flask import Flask, Request, Response, abort, g
from flask.sessions import SessionInterface, SessionMixin


class RequestSession(dict[str, Any], SessionMixin):
    """What `flask.session` is here: lives for one request, never sent to the browser."""


class NoCookieSessions(SessionInterface):
    """Keeps Flask from having a session of its own in a signed cookie."""

    def open_session(self, app: Flask, request: Request) -> RequestSession:
        """An empty one; the guard fills in who this is."""
        return RequestSession()

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Nothing is kept."""


class GuardedDash(Auth):  # type: ignore[misc]  # dash-auth has no types
    """dash-auth's Auth whose answer is the guard's; takes no public routes."""

    def __init__(self, dash_app: Any) -> None:
        super().__init__(dash_app)

    def _protect(self) -> None:
        """Install no guard: ours stands before every request already, and the package's own has a bypass."""

    def is_authorized(self) -> bool:
        """Whether the guard let this request in as somebody."""
        return g.get("viewer") is not None

    def login_request(self) -> Any:
        """Refuse; the guard has sent people to the sign-in page before it comes to this."""
        abort(401)
