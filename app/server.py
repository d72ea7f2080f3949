"""The whole wiring of the web process as one list, read from top to bottom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from flask import Flask, request

from app.api import alertmanager, federate, health, openapi, prometheus, prometheus_status
from app.api.client import watch_clients
from app.api.guard import install_guard
from app.api.headers import install_headers
from app.api.problems import register_problems
from app.api.resources import BLUEPRINTS
from app.auth.dash_guard import GuardedDash, NoCookieSessions
from app.settings import Settings
from app.ui.dash_app import Screens, create_dash
from app.ui.login import install_plain_pages
from callbacks import CALLBACKS
from ingest.routes import blueprint as ingest
from pages import PAGES

# The endpoint under which Dash serves its frame for every path that is no route.
CATCH_ALL: Final = "/<path:path>"


class Server(Flask):
    """Flask, of which each view and each function around a request is a plain one."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Itself: to look each time whether it is a coroutine took a tenth of Flask's share of a request."""
        return func


def create_server(settings: Settings) -> Flask:
    """The Flask server with everything on it; connections must be open (app/runtime/process.py)."""
    server = Server("watchfloor", static_folder=None)
    server.config["SECRET_KEY"] = settings.secret_key
    server.session_interface = NoCookieSessions()
    register_problems(server)
    install_guard(server, settings)
    watch_clients(server)
    health.measure(server)
    server.register_blueprint(health.blueprint)
    server.register_blueprint(openapi.blueprint)
    server.register_blueprint(ingest)
    server.register_blueprint(prometheus.blueprint)
    server.register_blueprint(prometheus_status.blueprint)
    server.register_blueprint(federate.blueprint)
    server.register_blueprint(alertmanager.blueprint)
    for blueprint in BLUEPRINTS:
        server.register_blueprint(blueprint)
    server.config["SESSION_COOKIE_NAME"] = server.config["COOKIES"].session
    install_plain_pages(server)
    dash_app = create_dash(server, pages=PAGES, callbacks=CALLBACKS)
    GuardedDash(dash_app)
    refuse_unknown_paths(server, dash_app)
    server.extensions["watchfloor.dash"] = dash_app
    install_headers(server, settings, _script_hashes(server, dash_app))
    return server


def refuse_unknown_paths(server: Flask, dash_app: Screens) -> None:
    """Answer 404 where there is neither a route nor a page: Dash would serve its frame for any path."""

    def refuse() -> None:
        if request.endpoint == CATCH_ALL:
            dash_app.page_at(request.path)

    server.before_request(refuse)


def _script_hashes(server: Flask, dash_app: Screens) -> Sequence[str]:
    """The hashes of the inline scripts, which are all there only once Dash has set itself up, as a request does."""
    with server.test_request_context("/login"):
        server.preprocess_request()
    hashes: Sequence[str] = dash_app.csp_hashes()
    return hashes
