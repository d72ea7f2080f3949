"""Admin: API tokens."""

from __future__ import annotations

from datetime import datetime, timedelta

from dash import Dash, html
from dash.development.base_component import Component
from flask import request

from app.actions import tokens as actions
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.clock import now_ms, utc_now
from app.domain.access import ApiToken
from app.domain.tenancy import READ, WRITE, Scope, may
from app.domain.units import format_age
from app.errors import InvalidInput
from app.queries import tokens
from app.ui.components.admin import action, area, choice, confirm, field, form, row_actions, secret_box, tick, ticks
from app.ui.components.marks import tag
from app.ui.components.states import nothing
from app.ui.components.table import Column, table
from callbacks.admin import Command, Reply, bind, done, opened, told

COLUMNS = [
    Column("Name"),
    Column("Begins with", "mono"),
    Column("Scopes"),
    Column("Last used"),
    Column("Expires"),
    Column("Made by"),
    Column(""),
]
LIVES = (("", "never"), ("30", "in 30 days"), ("90", "in 90 days"), ("365", "in a year"))


@guarded(READ, "tokens")
def show(_search: str, _version: int, _refresh: int) -> Component:
    """The tokens that still work, then those that do not."""
    viewer, now = current_viewer(), utc_now()
    found = tokens.tokens(viewer)
    if not found:
        return nothing("No tokens yet", "Agents, Prometheus and scripts come in with a token.", icon_name="key-round")
    can_change = may(viewer, WRITE, "tokens")
    found.sort(key=lambda token: not _works(token, now))
    return table(COLUMNS, [_row(token, now, can_change=can_change) for token in found], label="Tokens")


@guarded(WRITE, "tokens")
def run(command: Command) -> Reply:
    """Do what a button or form asks."""
    viewer = current_viewer()
    match command.verb:
        case "new":
            return opened("New token", _new_form())
        case "create":
            life = command.text("life")
            made = actions.create(
                viewer,
                name=command.text("name"),
                scopes=command.many("scopes"),
                expires_at=utc_now() + timedelta(days=int(life)) if life in dict(LIVES) and life else None,
                source_ranges=command.text("ranges").split(),
            )
            return told(
                "Token created", secret_box("The secret, shown this once:", made.secret, notes=_examples(command))
            )
        case "ask-revoke":
            text = "Whoever uses this token gets in no more, within a second. This cannot be taken back."
            return opened("Revoke token", confirm("tokens", "revoke", text, submit="Revoke", id=command.id))
        case "revoke":
            actions.revoke(viewer, command.number)
            return done("Revoked.")
    raise InvalidInput("verb", f"{command.verb!r} is not something that can be done to a token")


def register(dash_app: Dash) -> None:
    """Bind the section."""
    bind(dash_app, "tokens", show=show, run=run)


def _works(token: ApiToken, now: datetime) -> bool:
    return token.revoked_at is None and (token.expires_at is None or token.expires_at > now)


def _row(token: ApiToken, now: datetime, *, can_change: bool) -> tuple[object, ...]:
    used = f"{format_age(token.last_used_at, now)} ago" if token.last_used_at else "never"
    expires = f"{token.expires_at:%d %b %Y}" if token.expires_at else "never"
    if token.revoked_at:
        expires = "revoked"
    elif not _works(token, now):
        expires = "expired"
    buttons = []
    if can_change and token.revoked_at is None:
        buttons = [action("tokens", "ask-revoke", "Revoke", id=token.id, kind="danger", label=f"Revoke {token.name}")]
    scopes = html.Span([tag(str(scope)) for scope in token.scopes], className="row")
    return token.name, f"{token.prefix}…", scopes, used, expires, token.created_by, row_actions(*buttons)


def _new_form() -> Component:
    scopes = [tick("scopes", str(scope), value=str(scope), on=scope is Scope.INGEST) for scope in Scope]
    fields = [
        field("name", "Name", about="Who or what will use it", required=True),
        ticks("May", scopes),
        choice("life", "Expires", LIVES),
        area("ranges", "Only from these networks", about="CIDR ranges, one a line; empty means from anywhere", rows=2),
    ]
    return form("tokens", "create", fields, submit="Create token")


def _examples(command: Command) -> list[Component]:
    """What to paste where, for the scopes that were asked."""
    base = request.host_url.rstrip("/")
    if str(Scope.INGEST) in command.many("scopes"):
        now = now_ms()
        sample = f'{{"metric":"room_celsius","labels":{{"room":"1"}},"ts":{now},"value":21.5}}'
        headers = "-H 'Authorization: Bearer TOKEN' -H 'Content-Type: application/json'"
        curl = f"curl {headers} \\\n  -d '{{\"samples\":[{sample}]}}' {base}/api/v1/ingest"
        prometheus = f"remote_write:\n  - url: {base}/api/v1/write\n    authorization:\n      credentials: TOKEN"
        return [
            html.Div(["Send a sample", html.Code(curl, className="admin-code")]),
            html.Div(["Or from Prometheus", html.Code(prometheus, className="admin-code")]),
        ]
    curl = f"curl -H 'Authorization: Bearer TOKEN' '{base}/api/v1/query?query=snmp_up'"
    return [html.Div(["Try it", html.Code(curl, className="admin-code")])]
