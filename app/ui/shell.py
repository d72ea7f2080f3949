"""The frame around every page: sidebar, header, bottom bar, command menu, shortcut sheet; and which page is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from app.domain.tenancy import Viewer, may
from app.domain.timerange import PRESETS
from app.ui.components.attributes import attrs
from app.ui.components.marks import icon, key_cap
from app.ui.components.notices import notices
from app.ui.dialogs import command_menu, shortcut_sheet
from app.ui.markup import markup
from app.ui.navigation import NAVIGATION, Entry

URL = "url"  # dcc.Location: pathname and search are the state of every page
CONTENT = "shell-content"
TITLE = "shell-title"
SUBTITLE = "shell-subtitle"
RELOAD = "shell-reload"  # counts up when the address changed under an open page (back, forward)
REFRESH = "shell-refresh"  # counts up on R, on Retry and, while the feed is away, every 15 s
LIVE = "shell-live"  # what changed since the last time: {"alerts": [{"id", "state"}, ...], "counts": {...}, "resync"?}
TICK = "shell-tick"  # there are newer samples: {"n", "until_ms"}; as often as the page's data-tick-ms allows
MANTINE = "shell-mantine"
BADGE = "shell-alerts-badge"


@dataclass(frozen=True)
class Shown:
    """The page inside the frame, and the address it belongs to; without one the browser asks for it."""

    content: Any = None
    title: str = ""
    subtitle: str = ""
    pathname: str | None = None
    search: str | None = None


def shell(
    viewer: Viewer,
    *,
    paths: Sequence[str],
    tenants: Sequence[tuple[str, str]],
    theme: str,
    csrf: str,
    shown: Shown,
) -> Any:
    """The frame for `viewer`. `paths` are the pages that exist, `tenants` (name, title) those to switch to."""
    entries = _entries(viewer, paths)
    frame = html.Div(
        [
            html.A("Skip to content", href="#shell-content", className="skip"),
            _sidebar(viewer, entries, csrf),
            _header(viewer, tenants, csrf, shown),
            html.Main(shown.content, id=CONTENT, tabIndex="-1", **attrs({"aria-label": "Content"})),
            _bottom_bar(entries),
        ],
        id="shell",
        className="shell",
    )
    stores = [
        _location(shown),
        dcc.Store(id=RELOAD, data=0),
        dcc.Store(id=REFRESH, data=0),
        dcc.Store(id=LIVE, data={}),
        dcc.Store(id=TICK, data={}),
    ]
    return dmc.MantineProvider(
        [*stores, frame, notices()],
        id=MANTINE,
        forceColorScheme=theme,
        theme=MANTINE_THEME,
    )


def _location(shown: Shown) -> Component:
    """Where we are: taken from the browser's address unless the page came with the frame."""
    if shown.pathname is None:
        return dcc.Location(id=URL, refresh=False)
    return dcc.Location(id=URL, refresh=False, pathname=shown.pathname, search=shown.search)


def dialogs(viewer: Viewer, *, paths: Sequence[str]) -> str:
    """The HTML of the dialogs of the frame, which stand beside it in the page."""
    entries = _entries(viewer, paths)
    return markup([command_menu(entries), shortcut_sheet({entry.path for entry in entries})])


def _entries(viewer: Viewer, paths: Sequence[str]) -> list[Entry]:
    return [entry for entry in NAVIGATION if entry.path in paths and may(viewer, entry.verb, entry.noun)]


MANTINE_THEME: Final[Mapping[str, Any]] = {
    "fontFamily": "Inter, system-ui, sans-serif",
    "fontFamilyMonospace": "JetBrains Mono, ui-monospace, monospace",
    "fontSizes": {"xs": "11.5px", "sm": "13px", "md": "13px", "lg": "15px", "xl": "18px"},
    "radius": {"xs": "4px", "sm": "6px", "md": "8px", "lg": "8px", "xl": "8px"},
    "defaultRadius": "sm",
    "focusRing": "auto",
    "respectReducedMotion": True,
}


def _sidebar(viewer: Viewer, entries: Sequence[Entry], csrf: str) -> Component:
    groups: dict[str, list[Component]] = {}
    for entry in entries:
        groups.setdefault(entry.group, []).append(_nav_link(entry))
    sections = [
        html.Div([html.Div(name, className="group"), *links], className="nav-group") for name, links in groups.items()
    ]
    brand = dcc.Link(
        [html.Span(className="logo", **attrs({"aria-hidden": "true"})), html.Span("Watchfloor", className="word")],
        href="/",
        className="brand",
        title="Watchfloor",
    )
    return html.Div(
        [
            brand,
            html.Nav(sections, **attrs({"aria-label": "Main"})),
            html.Div(className="grow"),
            _account(viewer, csrf),
        ],
        className="sidebar",
        id="shell-sidebar",
    )


def _nav_link(entry: Entry) -> Component:
    children: list[Component] = [icon(entry.icon), html.Span(entry.title, className="word")]
    if entry.path == "/alerts":
        children.append(html.Span(id=BADGE, className="badge hidden", title="Open critical alerts"))
    link = dcc.Link(children, href=entry.path, className="nav-link", title=f"{entry.title} (G {entry.key})")
    return html.Div(link, **attrs({"data-nav": entry.path, "data-chord": entry.key.lower()}))


def _account(viewer: Viewer, csrf: str) -> Any:
    initials = "".join(part[0] for part in viewer.name.split()[:2]).upper() or "?"
    role = "Platform admin" if viewer.is_platform_admin else viewer.role.title()
    button = html.Summary(
        [
            html.Span(initials, className="avatar", **attrs({"aria-hidden": "true"})),
            html.Span([html.Span(viewer.name, className="who"), html.Span(role, className="role")], className="word"),
        ],
        className="account",
        id="shell-account",
        title=f"Account of {viewer.name}",
    )
    sign_out = html.Form(
        [
            dcc.Input(type="hidden", name="csrf_token", value=csrf),
            html.Button([icon("log-out"), "Sign out"], type="submit", className="menu-item", id="shell-sign-out"),
        ],
        action="/logout",
        method="POST",
    )
    menu = [
        html.Div(
            [html.Div(viewer.name, className="who"), html.Div(viewer.email or "", className="t3")],
            className="menu-head",
        ),
        dcc.Link([icon("user"), "Account"], href="/account", className="menu-item"),
        _menu_button("keyboard", "Keyboard shortcuts", "help", "?"),
        _menu_button("sun-moon", "Dark or light", "theme", "D T"),
        sign_out,
    ]
    return html.Details([button, html.Div(menu, className="menu up")], className="pop account-pop")


def _menu_button(icon_name: str, words: str, action: str, key: str = "") -> Component:
    children: list[Component] = [icon(icon_name), html.Span(words, className="grow")]
    if key:
        children.append(key_cap(key))
    return html.Button(children, className="menu-item", type="button", **attrs({"data-action": action}))


def _header(viewer: Viewer, tenants: Sequence[tuple[str, str]], csrf: str, shown: Shown) -> Component:
    search = html.Button(
        [icon("search"), html.Span("Search or run a command", className="grow"), key_cap("Ctrl K")],
        className="search",
        type="button",
        id="shell-search",
        title="Search or run a command (Ctrl K)",
        **attrs({"data-action": "commands"}),
    )
    menu = html.Button(
        icon("menu"),
        className="btn icon phone-only",
        type="button",
        **attrs({"data-action": "menu", "aria-label": "Menu"}),
    )
    theme = html.Button(
        icon("sun-moon"),
        className="btn icon",
        type="button",
        id="shell-theme",
        **attrs({"data-action": "theme", "aria-label": "Dark or light"}),
    )
    names = [html.H1(shown.title, id=TITLE), html.Span(shown.subtitle, id=SUBTITLE, className="subtitle")]
    clock = html.Span(className="clock kiosk-only", id="shell-clock", **attrs({"aria-hidden": "true"}))
    return html.Header(
        [
            menu,
            html.Div(names, className="title"),
            search,
            _tenant(viewer, tenants, csrf),
            _range_picker(),
            clock,
            _live_state(),
            theme,
        ],
        className="topbar",
    )


def _tenant(viewer: Viewer, tenants: Sequence[tuple[str, str]], csrf: str) -> Any:
    titles = dict(tenants)
    shown = titles.get(viewer.tenant_name, viewer.tenant_name)
    others = [(name, title) for name, title in tenants if name != viewer.tenant_name]
    if not others:
        return html.Span([icon("building-2"), shown], className="tenant-name not-phone", title="Tenant")
    button = html.Summary(
        [icon("building-2"), html.Span(shown, className="cut"), icon("chevron-down")],
        className="btn",
        id="shell-tenant",
        title="Switch tenant",
    )
    forms = [
        html.Form(
            [
                dcc.Input(type="hidden", name="csrf_token", value=csrf),
                dcc.Input(type="hidden", name="tenant", value=name),
                html.Button([icon("building-2"), title], type="submit", className="menu-item"),
            ],
            action="/account/tenant",
            method="POST",
        )
        for name, title in others
    ]
    menu = [html.Div("Switch tenant", className="menu-head t3"), *forms]
    return html.Details([button, html.Div(menu, className="menu")], className="pop not-phone")


def _range_picker() -> Any:
    button = html.Summary(
        [
            icon("clock"),
            html.Span("Last 24 h", id="shell-range-words"),
            html.Span("UTC", id="shell-zone", className="tag"),
            icon("chevron-down"),
        ],
        className="btn range",
        id="shell-range",
        title="Time range and zone",
    )
    presets = [
        html.Button(words, className="menu-item", type="button", **attrs({"data-range": name}))
        for name, words in PRESETS
    ]
    fixed = html.Div(
        [
            html.Label("From", htmlFor="shell-from"),
            dcc.Input(id="shell-from", type="text", placeholder="2026-11-23 16:00", autoComplete="off"),
            html.Label("To", htmlFor="shell-to"),
            dcc.Input(id="shell-to", type="text", placeholder="now", autoComplete="off"),
            html.Button("Apply", className="btn primary", type="button", **attrs({"data-action": "apply-range"})),
            html.Div("Zone", className="t3 label"),
            html.Div(
                [
                    html.Button("UTC", className="chip", type="button", **attrs({"data-zone": "utc"})),
                    html.Button("This browser", className="chip", type="button", **attrs({"data-zone": "browser"})),
                ],
                className="row",
            ),
        ],
        className="range-fixed",
    )
    box = html.Div([html.Div(presets, className="range-presets"), fixed], className="menu range-box")
    return html.Details([button, box], className="pop")


def _live_state() -> Component:
    return html.Button(
        [html.Span(className="dot", **attrs({"aria-hidden": "true"})), html.Span("Live", id="shell-live-words")],
        className="live",
        type="button",
        id="shell-live-state",
        title="Live updates; Space pauses",
        **attrs({"data-action": "pause", "data-state": "off"}),
    )


def _bottom_bar(entries: Sequence[Entry]) -> Component:
    links = [
        html.Div(
            dcc.Link([icon(entry.icon), html.Span(entry.title)], href=entry.path), **attrs({"data-nav": entry.path})
        )
        for entry in entries
        if entry.on_phone
    ][:5]
    return html.Nav(links, className="bottombar", **attrs({"aria-label": "Main, short"}))
