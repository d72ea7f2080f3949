"""Account: what one likes, one's password, and where one is signed in."""

from __future__ import annotations

from typing import Final

from dash import dcc, html
from dash.development.base_component import Component

from app.auth.current import current_csrf_token
from app.auth.permissions import guarded
from app.domain.tenancy import READ
from app.ui.components.admin import command_id, version_id
from app.ui.components.attributes import attrs
from app.ui.components.panel import panel

PATH: Final = "/account"
TITLE: Final = "Account"

WHO: Final = "account-who"
LIKES: Final = "account-likes"
SESSIONS: Final = "account-sessions"
NOUN: Final = "account"


# What the form says when the server sends the browser back to it.
ANSWERS: Final = {
    "changed": "The password is changed; all other sessions are signed out.",
    "current": "The present password is not right.",
    "new": "The new password needs at least 12 characters, four of them different.",
}


@guarded(READ, "account")
def layout(password: str = "", **_url: str) -> Component:
    """The frame; the password form is plain HTML, because it renews the session's cookie."""
    return html.Div(
        [
            panel("You", id=WHO, padded=True),
            panel("Preferences", id=LIKES, scope="theme and shortcuts belong to this browser", padded=True),
            panel(
                "Password",
                _password_form(password),
                id="account-password",
                scope="ends all other sessions",
                padded=True,
            ),
            panel("Sessions", id=SESSIONS, scope="where you are signed in"),
            dcc.Store(id=command_id(NOUN)),
            dcc.Store(id=version_id(NOUN), data=0),
        ],
        className="page admin account-page",
    )


def _password_form(answer: str) -> Component:
    words = ANSWERS.get(answer, "")
    kind = "t2" if answer == "changed" else "form-error"
    fields = [
        dcc.Input(type="hidden", name="csrf_token", value=current_csrf_token()),
        dcc.Input(type="hidden", name="next", value="/account?password=changed"),
        _password("current", "Present password", "current-password"),
        _password("new", "New password, at least 12 characters", "new-password"),
        *([html.Div(words, className=kind, role="alert")] if words else []),
        html.Button("Change password", className="btn primary", type="submit"),
    ]
    return html.Form(fields, method="POST", action="/account/password", className="form account-password")


def _password(name: str, words: str, complete: str) -> Component:
    box = dcc.Input(type="password", name=name, id=f"account-{name}", autoComplete=complete, required=True)
    return html.Div(
        [html.Label(words, htmlFor=f"account-{name}", className="admin-label"), box], **attrs({"data-field": name})
    )
