"""The security headers of every answer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, request

from app.settings import Settings

# Inline styles must stay allowed: AG Grid, Mantine and Plotly set them and lose layout and virtualisation without.
POLICY = (
    "default-src 'self'; script-src 'self' {hashes}; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self' data:; worker-src 'self' blob:; connect-src 'self' {push}; frame-ancestors 'none'; "
    "base-uri 'none'; object-src 'none'; form-action 'self'"
)
FIXED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def install_headers(server: Flask, settings: Settings, script_hashes: Sequence[str]) -> None:
    """Set the headers on every answer of `server`; `script_hashes` allow the inline scripts of the Dash page."""
    server.config["SCRIPT_HASHES"] = " ".join(script_hashes)
    # Behind a load balancer the push process has our own origin; embedded it listens on the next port.
    server.config["PUSH_PORT"] = None if settings.public_url else settings.port + 1
    server.config["IS_HTTPS"] = settings.base_url().startswith("https://")
    server.after_request(_set_headers)


def _set_headers(response: Response) -> Response:
    response.headers.update(FIXED)
    config = current_app.config
    response.headers["Content-Security-Policy"] = _policy(config["SCRIPT_HASHES"], config["PUSH_PORT"], request.host)
    if current_app.config["IS_HTTPS"]:
        response.headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store"
    return response


@lru_cache(maxsize=64)
def _policy(hashes: str, push_port: int | None, host: str) -> str:
    return POLICY.format(hashes=hashes, push=_push_origins(push_port, host))


def _push_origins(port: int | None, host: str) -> str:
    if port is None:
        return ""
    name = urlsplit(f"//{host}").hostname or ""
    if not all(letter.isalnum() or letter in ".-" for letter in name):
        return ""
    return f"ws://{name}:{port} http://{name}:{port}"
