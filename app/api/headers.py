"""The security headers of every answer."""

from __future__ import annotations

from collections.abc import Sequence
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
    response.headers["Content-Security-Policy"] = POLICY.format(
        hashes=current_app.config["SCRIPT_HASHES"], push=_push_origins()
    )
    if current_app.config["IS_HTTPS"]:
        response.headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store"
    return response


def _push_origins() -> str:
    port = current_app.config["PUSH_PORT"]
    if port is None:
        return ""
    name = urlsplit(request.host_url).hostname or ""
    if not all(letter.isalnum() or letter in ".-" for letter in name):
        return ""
    return f"ws://{name}:{port} http://{name}:{port}"
