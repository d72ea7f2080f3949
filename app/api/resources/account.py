"""Signing in and out, one's own tenants and password: plain forms that work without JavaScript."""

from __future__ import annotations

from html import escape
from typing import Any

from flask import Blueprint, Response, current_app, g, redirect, request
from flask.typing import ResponseReturnValue

from app.actions import account as actions
from app.api.guard import Cookies, client_address, is_same_origin_path
from app.auth.current import current_viewer
from app.auth.sessions import forget, session_for
from app.auth.throttle import device_mark, is_known_device
from app.errors import InvalidInput, Overloaded, Unauthenticated, WatchfloorError

blueprint = Blueprint("account", __name__)

COOKIE_YEAR_S = 365 * 24 * 3600


@blueprint.get("/login")
def login() -> ResponseReturnValue:
    """The sign-in page; who is signed in already goes on."""
    if session_for(request.cookies.get(_cookies().session, "")) is not None:
        return redirect(_next_path())
    return _login_page("", "", 200)


@blueprint.post("/login")
def sign_in() -> ResponseReturnValue:
    """Sign in with e-mail and password; answers a redirect, or the page again with what was wrong."""
    email, password = request.form.get("email", ""), request.form.get("password", "")
    mark = request.cookies.get(_cookies().device, "")
    try:
        signed_in = actions.sign_in(
            email,
            password,
            address=client_address(),
            user_agent=request.headers.get("User-Agent", ""),
            is_known_device=is_known_device(mark, email, _secret_key()),
        )
    except (Unauthenticated, InvalidInput, Overloaded) as error:
        return _refused(email, error)
    response = redirect(_next_path(), 303)
    _cookies().set_session(response, signed_in.secret, signed_in.csrf_token)
    response.set_cookie(
        _cookies().device,
        device_mark(email, _secret_key()),
        max_age=COOKIE_YEAR_S,
        secure=_cookies().is_secure,
        httponly=True,
        samesite="Lax",
        path="/",
    )
    return response


@blueprint.post("/logout")
def sign_out() -> ResponseReturnValue:
    """End this session."""
    actions.sign_out(current_viewer())
    return _leave()


@blueprint.post("/account/tenant")
def switch_tenant() -> ResponseReturnValue:
    """Go on in another tenant of the same person, with a new session."""
    signed_in = actions.switch_tenant(
        current_viewer(),
        request.form.get("tenant", ""),
        address=client_address(),
        user_agent=request.headers.get("User-Agent", ""),
    )
    return _go_on(signed_in)


@blueprint.post("/account/password")
def change_password() -> ResponseReturnValue:
    """Change the own password; ends all other sessions and renews this one. A mistake goes back to the form."""
    try:
        signed_in = actions.change_password(
            current_viewer(),
            current=request.form.get("current", ""),
            new=request.form.get("new", ""),
            address=client_address(),
            user_agent=request.headers.get("User-Agent", ""),
        )
    except InvalidInput as error:
        if not request.accept_mimetypes.accept_html or "next" not in request.form:
            raise
        return redirect(f"/account?password={'current' if error.field == 'current' else 'new'}", code=303)
    return _go_on(signed_in)


def plain_login_page(*, next_path: str, email: str, error: str) -> str:
    """A sign-in form without any design, for a server without screens."""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Sign in</title><main><h1>Watchfloor</h1>'
        f'<p role="alert">{escape(error)}</p><form method="post" action="/login">'
        f'<input type="hidden" name="next" value="{escape(next_path)}">'
        f'<label>E-mail <input name="email" type="email" required value="{escape(email)}"></label>'
        '<label>Password <input name="password" type="password" required></label>'
        '<button type="submit">Sign in</button></form></main></html>'
    )


def _login_page(email: str, error: str, status: int) -> Response:
    draw = current_app.config.get("LOGIN_PAGE", plain_login_page)
    page: str = draw(next_path=_next_path(), email=email, error=error)
    return Response(page, status=status, content_type="text/html; charset=utf-8")


def _refused(email: str, error: WatchfloorError) -> Response:
    response = _login_page(email, str(error), error.status)
    if isinstance(error, Overloaded):
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def _next_path() -> str:
    wanted = request.values.get("next", "/")
    return wanted if is_same_origin_path(wanted) else "/"


def _go_on(signed_in: actions.NewSession) -> ResponseReturnValue:
    forget(request.cookies.get(_cookies().session, ""))
    g.csrf_token = signed_in.csrf_token
    response = redirect(_next_path(), 303)
    _cookies().set_session(response, signed_in.secret, signed_in.csrf_token)
    return response


def _leave() -> ResponseReturnValue:
    forget(request.cookies.get(_cookies().session, ""))
    g.csrf_token = ""
    response = redirect("/login", 303)
    _cookies().clear(response)
    return response


def _cookies() -> Cookies:
    cookies: Any = current_app.config["COOKIES"]
    assert isinstance(cookies, Cookies)
    return cookies


def _secret_key() -> str:
    return str(current_app.config["SECRET_KEY"])
