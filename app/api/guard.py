"""The guard before every request: who is this, and is the request really theirs? Denies by default.

Open without signing in: the sign-in page, health (as InfluxDB's clients ask for it, too), and static files by exact
prefix. What a viewer may do is decided behind it, by @guarded and require().
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from urllib.parse import quote, urlsplit

import structlog
from flask import Flask, Response, abort, current_app, g, redirect, request, session
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response as BaseResponse

from app.auth.current import set_current_viewer
from app.auth.sessions import session_for
from app.auth.tokens import PREFIX as TOKEN_PREFIX
from app.auth.tokens import secret_in, viewer_for_token
from app.errors import Forbidden, InvalidInput, Unauthenticated
from app.settings import Settings

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OPEN_PATHS = frozenset({"/healthz", "/readyz", "/ping", "/_favicon.ico", "/favicon.ico"})
SIGN_IN_PATH = "/login"
# Files that are the same for everybody; Dash and we put a fingerprint into their addresses.
STATIC_PREFIXES = ("/assets/", "/_dash-component-suites/")
# Programs ask here: a refusal is a status, never a redirect to the sign-in page.
PROGRAM_PREFIXES = ("/api/", "/v1/", "/write", "/metrics", "/federate", "/_dash", "/_reload-hash", "/stream")
DOCS_PATH = "/api/docs"
# API tokens are good for these and for nothing that draws a page.
TOKEN_PREFIXES = ("/api/", "/v1/", "/write", "/metrics", "/federate")
CALLBACK_PATH = "/_dash-update-component"
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
TOKEN_PARAMETERS = frozenset({"token", "access_token", "api_key", "apikey", "auth_token"})
# What a body may weigh outside the ingest routes, which have limits of their own.
MOST_BODY_BYTES = 2 * 1024 * 1024
# And the sign-in form: small enough to arrive whole before it gets a thread (app/runtime/web_worker.py).
MOST_FORM_BYTES = 16 * 1024


@dataclass(frozen=True)
class Cookies:
    """The names and flags of our cookies, decided once by the address that people use.

    With https the session's cookie is `__Host-…; Secure`. Plain http (a loopback address, for trying things out) cannot
    have that everywhere: Chromium and Firefox take Secure cookies from loopback, Safari and the cookie jars of programs
    do not. There it is `HttpOnly; SameSite=Lax`, named with the port so that two instances do not share it.
    """

    is_secure: bool
    session: str
    device: str
    csrf: str = "_csrf_token"

    @classmethod
    def of(cls, settings: Settings) -> Cookies:
        """The cookies of this installation."""
        if settings.base_url().startswith("https://"):
            return cls(True, "__Host-watchfloor", "__Host-watchfloor-device")
        port = urlsplit(settings.base_url()).port or settings.port
        return cls(False, f"watchfloor-{port}", f"watchfloor-device-{port}", f"_csrf_token_{port}")

    def set_session(self, response: BaseResponse, secret: str, csrf_token: str) -> None:
        """Give the browser its session; the second cookie is what scripts send back as proof of origin."""
        response.set_cookie(self.session, secret, secure=self.is_secure, httponly=True, samesite="Lax", path="/")
        self.set_csrf(response, csrf_token)

    def set_csrf(self, response: BaseResponse, csrf_token: str) -> None:
        """Give the browser what its scripts must send back; readable for them, useless without the session."""
        response.set_cookie(self.csrf, csrf_token, secure=self.is_secure, samesite="Lax", path="/")

    def clear(self, response: BaseResponse) -> None:
        """Take the session from the browser."""
        for name in (self.session, self.csrf):
            response.delete_cookie(name, path="/", secure=self.is_secure, samesite="Lax")


def install_guard(server: Flask, settings: Settings) -> None:
    """Put the guard before every request of `server`; must come before anything else that does so."""
    server.config["COOKIES"] = Cookies.of(settings)
    server.config["BASE_URL"] = settings.base_url()
    server.config["TRUSTED_PROXIES"] = [
        ip_network(each.strip()) for each in settings.trusted_proxies.split(",") if each
    ]
    server.before_request(_begin)
    server.before_request(guard)
    server.after_request(_end)


def guard() -> ResponseReturnValue | None:
    """Let the request pass with its viewer set, or answer instead of it."""
    _refuse_secrets_in_address()
    if request.blueprint != "ingest":
        request.max_content_length = MOST_BODY_BYTES
    if request.path == SIGN_IN_PATH:
        _check_form()
        _check_origin()
        return None
    if _is_open():
        return None
    secret = secret_in(request.authorization)
    if secret is not None and request.path.startswith(TOKEN_PREFIXES):
        set_current_viewer(viewer_for_token(secret, client_address()))
    elif not _sign_in_by_cookie():
        return _ask_to_sign_in()
    structlog.contextvars.bind_contextvars(tenant=g.viewer.tenant_name)
    return None


def client_address() -> str:
    """The address of the caller: the peer, or what a trusted proxy says about it."""
    address = request.remote_addr or ""
    forwarded = [each.strip() for each in request.headers.get("X-Forwarded-For", "").split(",") if each.strip()]
    while forwarded and _is_trusted_proxy(address):
        address = forwarded.pop()
    return address


def is_same_origin_path(path: str) -> bool:
    """Whether `path` (where to go after signing in) stays on this site."""
    # A browser reads a backslash as a slash and skips control characters, so that "/\evil" is another site.
    return path.startswith("/") and not path.startswith("//") and re.search(r"[\\\x00-\x20\x7f]", path) is None


def _begin() -> None:
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _end(response: Response) -> Response:
    response.headers["X-Request-Id"] = g.get("request_id", "")
    # The browser may have lost it, or keep that of an earlier session.
    cookies: Cookies = current_app.config["COOKIES"]
    if g.get("csrf_token") and request.cookies.get(cookies.csrf) != g.csrf_token and not g.get("leaves"):
        cookies.set_csrf(response, g.csrf_token)
    return response


def _refuse_secrets_in_address() -> None:
    """A secret in an address ends in logs, histories and referrers; refuse it so that nobody gets used to it."""
    for name, value in request.args.items(multi=True):
        if name.lower() in TOKEN_PARAMETERS or value.startswith(TOKEN_PREFIX):
            raise InvalidInput(name, "send the token in the Authorization header, never in the address")


def _check_form() -> None:
    """Whoever has not signed in may not keep a thread busy with a long or endless body."""
    request.max_content_length = MOST_FORM_BYTES
    if request.method not in SAFE_METHODS and request.content_length is None:
        abort(411)


def _is_open() -> bool:
    if request.method not in SAFE_METHODS:
        return False
    if request.path in OPEN_PATHS or request.path.startswith(STATIC_PREFIXES):
        return True
    return request.path == "/metrics" and _is_from_this_machine()


def _is_from_this_machine() -> bool:
    """Whether the request came straight from a program on this machine, through no proxy."""
    if "X-Forwarded-For" in request.headers or "Forwarded" in request.headers:
        return False
    try:
        return ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False


def _is_trusted_proxy(address: str) -> bool:
    try:
        return any(ip_address(address) in each for each in current_app.config["TRUSTED_PROXIES"])
    except ValueError:
        return False


def _sign_in_by_cookie() -> bool:
    secret = request.cookies.get(current_app.config["COOKIES"].session)
    signed_in = session_for(secret) if secret else None
    if signed_in is None:
        return False
    if request.method not in SAFE_METHODS:
        _check_origin()
        _check_csrf(signed_in.csrf_token)
    set_current_viewer(signed_in.viewer, csrf_token=signed_in.csrf_token)
    # What the group helpers of dash-auth read; never stored, see app/auth/dash_guard.py.
    session["user"] = {"email": signed_in.viewer.email, "groups": [signed_in.viewer.role]}
    return True


def _ask_to_sign_in() -> ResponseReturnValue:
    is_program = request.path.startswith(PROGRAM_PREFIXES) and request.path != DOCS_PATH
    if is_program or request.method not in SAFE_METHODS:
        raise Unauthenticated("Sign in, or send a valid API token.")
    wanted = request.full_path.rstrip("?") if request.path != "/" or request.query_string else ""
    if wanted and is_same_origin_path(wanted):
        return redirect(f"{SIGN_IN_PATH}?next={quote(wanted, safe='/')}")
    return redirect(SIGN_IN_PATH)


def _check_origin() -> None:
    """Refuse unsafe requests that another site sent: browsers say where a request comes from."""
    if request.method in SAFE_METHODS:
        return
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    own = {f"{request.scheme}://{request.host}", current_app.config["BASE_URL"]}
    if site != "same-origin" or request.headers.get("Origin", request.host_url.rstrip("/")) not in own:
        raise Forbidden("This request came from another site.")


def _check_csrf(expected: str) -> None:
    """The proof that a script or form of ours made the request: a value that other sites cannot read."""
    if request.path == CALLBACK_PATH and request.mimetype != "application/json":
        raise Forbidden("Callbacks take JSON only.")
    given = request.headers.get("X-CSRFToken") or request.headers.get("X-CSRF-Token")
    if given is None and request.mimetype in ("application/x-www-form-urlencoded", "multipart/form-data"):
        given = request.form.get("csrf_token")
    if not secrets.compare_digest((given or "").encode(), expected.encode()):
        raise Forbidden("The page is out of date. Load it again and repeat what you did.")
