"""What fills Account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dash import Dash, Input, Output, State, html, no_update
from dash.development.base_component import Component

from app.actions import account as actions
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.clock import utc_now
from app.domain.tenancy import READ
from app.domain.units import format_age
from app.errors import InvalidInput, WatchfloorError
from app.queries import account
from app.ui import shell
from app.ui.components.admin import action, command_id, row_actions, version_id
from app.ui.components.attributes import attrs
from app.ui.components.marks import icon, tag
from app.ui.components.notices import notify
from app.ui.components.table import Column, table
from app.ui.errors import explain, shown, shown_in_panel
from pages import account as ids

COLUMNS: Final = [
    Column("Browser"),
    Column("Address", "mono"),
    Column("Tenant"),
    Column("Signed in"),
    Column("Last used"),
    Column(""),
]


@shown_in_panel("Could not load your account")
@guarded(READ, "account")
def show_who(_version: int, _refresh: int) -> Component:
    """Name, role, tenants."""
    viewer = current_viewer()
    titles = [title or name for name, title in account.tenants(viewer)]
    role = "platform admin" if viewer.is_platform_admin else viewer.role
    rows = (
        ("Name", viewer.name),
        ("E-mail", viewer.email or ""),
        ("Role", f"{role} in {viewer.tenant_name}"),
        ("Tenants", ", ".join(titles)),
    )
    return html.Dl([part for name, value in rows for part in (html.Dt(name), html.Dd(value))], className="facts")


@shown_in_panel("Could not load your preferences")
@guarded(READ, "account")
def show_likes(_version: int, _refresh: int) -> Component:
    """Theme, zone, shortcuts."""
    themes = [
        _button(words, "account-theme", {"data-value": value}, icon_name)
        for value, words, icon_name in (("dark", "Dark", "moon"), ("light", "Light", "sun"))
    ]
    zones = [
        _button(words, "", {"data-zone": value}) for value, words in (("utc", "UTC"), ("browser", "This browser's"))
    ]
    keys = _button("Keyboard shortcuts on or off", "shortcuts", {}, "keyboard")
    rows = (("Theme", themes), ("Time zone", zones), ("Keys", [keys]))
    return html.Dl(
        [part for name, buttons in rows for part in (html.Dt(name), html.Dd(html.Div(buttons, className="row wrap")))],
        className="facts",
    )


@shown_in_panel("Could not load your sessions")
@guarded(READ, "account")
def show_sessions(_version: int, _refresh: int) -> Component:
    """Where one is signed in."""
    now = utc_now()
    rows = [
        (
            [_browser(each.user_agent), " ", tag("this one") if each.is_current else ""],
            each.address,
            each.tenant_name,
            f"{format_age(each.created_at, now)} ago",
            f"{format_age(each.seen_at, now)} ago",
            row_actions(*([] if each.is_current else [action(ids.NOUN, "end", "Sign out", id=each.id, kind="danger")])),
        )
        for each in account.sessions(current_viewer())
    ]
    return table(COLUMNS, rows, label="Your sessions")


@shown
@guarded(READ, "account")
def run(data: Mapping[str, Any] | None, version: int) -> Any:
    """End one of one's own sessions."""
    if not data:
        return no_update
    try:
        if data.get("verb") != "end" or not str(data.get("id")).isdigit():
            raise InvalidInput("verb", "is not something that can be done here")
        actions.end_session(current_viewer(), int(data["id"]))
    except WatchfloorError as error:
        notify(explain(error), kind="error")
        return no_update
    notify("That browser is signed out.", kind="done")
    return (version or 0) + 1


def register(dash_app: Dash) -> None:
    """Bind the callbacks of Account."""
    changes = (Input(version_id(ids.NOUN), "data"), Input(shell.REFRESH, "data"))
    dash_app.callback(Output(ids.WHO, "children"), *changes)(show_who)
    dash_app.callback(Output(ids.LIKES, "children"), *changes)(show_likes)
    dash_app.callback(Output(ids.SESSIONS, "children"), *changes)(show_sessions)
    dash_app.callback(
        Output(version_id(ids.NOUN), "data"),
        Input(command_id(ids.NOUN), "data"),
        State(version_id(ids.NOUN), "data"),
        prevent_initial_call=True,
    )(run)


def _button(words: str, name: str, extra: Mapping[str, str], icon_name: str = "") -> Component:
    names = {**({"data-action": name} if name else {}), **extra}
    return html.Button(
        [*([icon(icon_name)] if icon_name else []), words], className="btn", type="button", **attrs(names)
    )


def _browser(user_agent: str) -> str:
    """`Chrome on Linux`, in few words; the whole text when it is none that we know."""
    name = next((each for each in ("Firefox", "Edg", "OPR", "Chrome", "Safari") if each in user_agent), "")
    system = next(
        (each for each in ("Windows", "Android", "iPhone", "iPad", "Mac OS X", "Linux") if each in user_agent), ""
    )
    name = {"Edg": "Edge", "OPR": "Opera"}.get(name, name)
    return f"{name} on {system}" if name and system else user_agent[:60] or "unknown"
