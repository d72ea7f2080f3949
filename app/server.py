"""The whole wiring of the web process as one list, read from top to bottom."""

from __future__ import annotations

from flask import Flask

from app.api import health, openapi
from app.api.guard import install_guard
from app.api.headers import install_headers
from app.api.problems import register_problems
from app.api.resources import BLUEPRINTS
from app.auth.dash_guard import NoCookieSessions
from app.settings import Settings
from app.ui.dash_app import create_dash
from callbacks import CALLBACKS
from ingest.routes import blueprint as ingest
from pages import PAGES


def create_server(settings: Settings) -> Flask:
    """The Flask server with everything on it; connections must be open (app/runtime/process.py)."""
    server = Flask("watchfloor", static_folder=None)
    server.config["SECRET_KEY"] = settings.secret_key
    server.session_interface = NoCookieSessions()
    register_problems(server)
    install_guard(server, settings)
    health.measure(server)
    server.register_blueprint(health.blueprint)
    server.register_blueprint(openapi.blueprint)
    server.register_blueprint(ingest)
    for blueprint in BLUEPRINTS:
        server.register_blueprint(blueprint)
    server.config["SESSION_COOKIE_NAME"] = server.config["COOKIES"].session
    dash_app = create_dash(server, pages=PAGES, callbacks=CALLBACKS)
    install_headers(server, settings, dash_app.csp_hashes())
    return server
