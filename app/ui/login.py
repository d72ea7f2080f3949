"""The pages without Dash: sign-in, and what a person sees when a page cannot be shown. Plain HTML, no script needed."""

from __future__ import annotations

from html import escape
from typing import Final

import msgspec
from flask import Flask, Response, request

from app.auth.current import current_request_id

STYLES: Final = ("/assets/10-tokens.css", "/assets/20-base.css", "/assets/vendor/plain.css")
TITLES: Final = {
    400: "This request could not be read",
    401: "Sign in to go on",
    403: "You may not open this",
    404: "There is no such page",
    429: "Too many tries",
    500: "Something went wrong on our side",
    503: "Not available at the moment",
}
_LOGO: Final = '<span class="logo" aria-hidden="true"></span><span>Watchfloor</span>'


def sign_in_page(*, next_path: str = "", email: str = "", error: str = "", version: str = "") -> str:
    """The sign-in form. `next_path` is where to go then (checked by the view), `error` one sentence."""
    alert = f'<p class="alert" role="alert">{escape(error)}</p>' if error else ""
    hidden = f'<input type="hidden" name="next" value="{escape(next_path)}">' if next_path else ""
    focus_email, focus_password = ("", " autofocus") if email else (" autofocus", "")
    foot = f'<p class="foot">{escape(version)}</p>' if version else ""
    return _document(
        "Sign in",
        f"""<main class="card">
<h1 class="brand">{_LOGO}</h1>
<h2>Sign in</h2>
{alert}
<form method="post" action="/login" autocomplete="on">
{hidden}
<label for="email">E-mail</label>
<input id="email" type="email" name="email" value="{escape(email)}" autocomplete="username" required{focus_email}>
<label for="password">Password</label>
<input id="password" type="password" name="password" autocomplete="current-password" required{focus_password}>
<button type="submit" class="btn primary">Sign in</button>
</form>
</main>
{foot}""",
    )


def plain_page(status: int, detail: str = "", *, request_id: str = "") -> str:
    """A page for an error: what happened, the request id, and the way back."""
    title = TITLES.get(status, "This did not work")
    why = f"<p>{escape(detail)}</p>" if detail else ""
    request = f'<p class="t3">Request <span class="mono">{escape(request_id)}</span></p>' if request_id else ""
    return _document(
        title,
        f"""<main class="card">
<h1 class="brand">{_LOGO}</h1>
<h2><span class="t3 mono">{status}</span> {escape(title)}</h2>
{why}
{request}
<p><a class="btn" href="/">Go to the overview</a></p>
</main>""",
    )


def install_plain_pages(server: Flask) -> None:
    """Give `server` the sign-in page, and answer people (not programs) with a page where it would send a document."""
    server.config["LOGIN_PAGE"] = sign_in_page
    server.after_request(_as_page)


def _as_page(response: Response) -> Response:
    """A problem document as a page, for a browser that asked for one."""
    is_problem = response.mimetype == "application/problem+json"
    if not is_problem or request.path.startswith("/api/") or "text/html" not in request.headers.get("Accept", ""):
        return response
    detail = str(msgspec.json.decode(response.get_data()).get("detail", ""))
    response.set_data(plain_page(response.status_code, detail, request_id=current_request_id()))
    response.content_type = "text/html; charset=utf-8"
    return response


def _document(title: str, body: str) -> str:
    styles = "\n".join(f'<link rel="stylesheet" href="{href}">' for href in STYLES)
    return f"""<!DOCTYPE html>
<html lang="en" data-mantine-color-scheme="dark">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="dark light">
<script src="/assets/vendor/theme.js"></script>
<title>{escape(title)} · Watchfloor</title>
<link rel="icon" type="image/svg+xml" href="/assets/vendor/icon.svg">
{styles}
</head>
<body class="plain">
{body}
</body>
</html>
"""
