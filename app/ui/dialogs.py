"""The two dialogs of the frame: the command menu and the sheet of shortcuts."""

from __future__ import annotations

from collections.abc import Sequence

from dash import dcc, html
from dash.development.base_component import Component

from app.ui.components.attributes import attrs
from app.ui.components.marks import icon, key_cap
from app.ui.navigation import NAVIGATION, SHORTCUTS, Entry


def command_menu(entries: Sequence[Entry]) -> Component:
    """The command menu; what it finds is filled in by assets/34-commands.js."""
    items = [
        html.Li(
            [icon(entry.icon), html.Span(f"Go to {entry.title}"), key_cap(f"G {entry.key}")],
            role="option",
            **attrs({"data-href": entry.path}),
        )
        for entry in entries
    ] + [
        html.Li([icon(name), html.Span(words), key_cap(key)], role="option", **attrs({"data-action": action}))
        for name, words, action, key in (
            ("sun-moon", "Switch between dark and light", "theme", "D T"),
            ("clock", "Choose the time range", "range", "T"),
            ("refresh-cw", "Refresh", "refresh", "R"),
            ("maximize", "Kiosk on or off", "kiosk", "D K"),
            ("link", "Copy link to this view", "copy-link", ""),
            ("keyboard", "Keyboard shortcuts", "help", "?"),
        )
    ]
    box = html.Div(
        dcc.Input(
            id="shell-command",
            type="text",
            placeholder="Search pages, devices, alerts, or run a command",
            autoComplete="off",
        ),
        className="command-box",
    )
    return html.Dialog(
        [
            html.Label("Search or run a command", htmlFor="shell-command", className="sr"),
            box,
            html.Ul(items, id="shell-command-list", role="listbox", **attrs({"aria-label": "Commands"})),
            html.Div([key_cap("Enter"), " open ", key_cap("Esc"), " close"], className="hints"),
        ],
        id="shell-commands",
        className="commands",
        **attrs({"aria-label": "Search or run a command"}),
    )


def shortcut_sheet(paths: set[str]) -> Component:
    """All shortcuts, those of the open page behind them (filled in when it opens); without pages that are not there."""
    names = {f"G {entry.key}" for entry in NAVIGATION if entry.path not in paths}
    columns = [
        html.Div(
            [
                html.H3(title),
                html.Dl(
                    [
                        part
                        for keys, words in rows
                        if keys not in names
                        for part in (html.Dt([key_cap(key) for key in keys.split()]), html.Dd(words))
                    ]
                ),
            ]
        )
        for title, rows in SHORTCUTS
    ]
    toggle = html.Button(
        "Turn shortcuts off",
        type="button",
        className="btn",
        id="shell-shortcuts-toggle",
        **attrs({"data-action": "shortcuts"}),
    )
    close = html.Button(
        icon("x"),
        type="button",
        className="btn icon quiet",
        **attrs({"data-action": "close-dialog", "aria-label": "Close"}),
    )
    return html.Dialog(
        [
            html.Div([html.H2("Keyboard shortcuts"), html.Span(className="grow"), toggle, close], className="row"),
            html.Div(columns, className="sheet"),
            html.Div(id="shell-page-keys", className="sheet"),
        ],
        id="shell-help",
        className="help",
        **attrs({"aria-label": "Keyboard shortcuts"}),
    )
