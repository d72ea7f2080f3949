"""create_dash(server): the Dash application on a Flask server, with its pages, callbacks and static files.

Pages are matched here and not by Dash's own router: that one builds the whole page anew whenever the query string
changes, and takes the path from the browser without asking who may see it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from dash import Dash, Input, Output, State, html
from dash.development.base_component import Component
from flask import Flask, g, request

from app.auth.current import current_csrf_token, current_viewer
from app.domain.tenancy import READ
from app.errors import NotFound
from app.queries import account
from app.ui import shell
from app.ui.clientside import in_browser
from app.ui.errors import shown_as_page
from app.ui.login import install_plain_pages
from app.ui.static import ASSETS, Statics, install_static
from app.ui.urlstate import ZONE_COOKIE, Query

THEME_COOKIE: Final = "watchfloor_theme"
FONT: Final = "/assets/fonts/inter-5.3.0-latin.woff2"
# The scripts of AG Grid are 2 MB: they are left out of the page and loaded where a page has a grid.
GRID_SCRIPT: Final = re.compile(r'<script src="([^"]*/dash_ag_grid/[^"]*)"></script>\n?')
# Dash's own table, which no page uses.
TABLE_SCRIPT: Final = re.compile(r'<script src="[^"]*/dash_table/[^"]*"></script>\n?')
# Pages that begin with charts: their library comes beside the other scripts, not after the first answer.
CHART_PATHS: Final = ("/", "/explore")
PLOTLY: Final = "vendor/plotly-charts-4.1.1.min.js"
# For browsers of before 2018: a tenth of a second of scripts. What Dash does need of it is one small library.
POLYFILL: Final = re.compile(r'<script src="[^"]*/deps/polyfill@[^"]*"></script>')
REGENERATOR: Final = "vendor/regenerator-runtime-0.14.1.js"
# Dash loads it when the first chart appears.
GRAPH_SCRIPT: Final = "/_dash-component-suites/dash/dcc/async-graph.js"
# What Dash asks for once its scripts have run; the server answers while they load.
EARLY: Final = ("/_dash-layout", "/_dash-dependencies")
INDEX: Final = """<!DOCTYPE html>
<html lang="en">
<head>
{%metas%}
<title>{%title%}</title>
{%favicon%}
{%css%}
</head>
<body>
{%app_entry%}
<footer>
{%config%}
{%scripts%}
{%renderer%}
</footer>
</body>
</html>
"""


@dataclass(frozen=True)
class Page:
    """A page as PAGES lists it: its path (with `<name>` parts), title and layout."""

    path: str
    pattern: re.Pattern[str]
    title: str
    subtitle: str
    layout: Callable[..., Any]
    needs_grid: bool
    names_itself: str = ""  # the variable part of the path that is the page's title

    @classmethod
    def of(cls, module: ModuleType) -> Page:
        """The page a module describes."""
        path: str = module.PATH
        pattern = re.sub(r"<(\w+)>", r"(?P<\1>[^/]+)", path)
        return cls(
            path=path,
            pattern=re.compile(pattern),
            title=module.TITLE,
            subtitle=getattr(module, "SUBTITLE", ""),
            layout=module.layout,
            needs_grid=getattr(module, "NEEDS_GRID", False),
            names_itself=getattr(module, "TITLE_FROM", ""),
        )


class Screens(Dash):
    """Dash with our page around it: language, theme before the first paint, and only the scripts a page needs."""

    def prepare(self, pages: Sequence[Page], statics: Statics) -> None:
        """Give it what it shows; once, before the first request."""
        self.pages = tuple(pages)
        self.statics = statics
        self.layout = self.frame

    def frame(self) -> Any:
        """The shell for whoever asks, with the page that the browser is at; later pages come by callback.

        The browser's address is in the referrer, which our policy sends whole to ourselves.
        """
        if g.get("viewer") is None:
            # Dash looks at the layout once at the first request of the process, which may be that of nobody.
            return html.Div()
        viewer = current_viewer()
        return shell.shell(
            viewer,
            paths=[page.path for page in self.pages],
            tenants=account.tenants(viewer),
            theme=_theme(),
            csrf=current_csrf_token(),
            shown=self._shown(),
        )

    def _shown(self) -> shell.Shown:
        """The page at the address that this layout is asked from."""
        came_from = urlsplit(request.referrer or "")
        if came_from.netloc != request.host:
            return shell.Shown()
        search = f"?{came_from.query}" if came_from.query else ""
        content, title, subtitle = _show_page(self, came_from.path, search)
        return shell.Shown(content, title, subtitle, came_from.path, search)

    def interpolate_index(self, **parts: Any) -> str:  # type: ignore[override]  # Dash calls it by keyword
        """Dash's page with the theme set on <html>, our settings for the scripts, and no grid script."""
        grid = GRID_SCRIPT.findall(parts["scripts"])
        has_charts = request.path in CHART_PATHS
        settings = {
            "data-charts-first": "yes" if has_charts else "",
            "data-plotly": self.statics.url(PLOTLY),
            "data-worker": self.statics.url("vendor/feed-worker.js"),
            "data-push-port": str(self.server.config.get("PUSH_PORT") or ""),
            "data-grid": " ".join(grid),
            "data-grid-paths": " ".join(page.path for page in self.pages if page.needs_grid),
        }
        attributes = " ".join(f'{name}="{value}"' for name, value in settings.items())
        if not self._is_grid_page(request.path):
            parts["scripts"] = GRID_SCRIPT.sub("", parts["scripts"])
        parts["scripts"] = TABLE_SCRIPT.sub("", parts["scripts"])
        parts["scripts"] = POLYFILL.sub(f'<script src="{self.statics.url(REGENERATOR)}"></script>', parts["scripts"])
        parts["scripts"] = f'<script src="{self.statics.bundle_url("js")}"></script>\n{parts["scripts"]}'
        parts["css"] += f'<link rel="stylesheet" href="{self.statics.bundle_url("css")}">'
        parts["metas"] += "".join(f"\n{line}" for line in self._head(attributes, has_charts))
        parts["favicon"] = f'<link rel="icon" type="image/svg+xml" href="{self.statics.url("vendor/icon.svg")}">'
        html_page: str = super().interpolate_index(**parts)  # type: ignore[no-untyped-call]  # Dash has no types here
        if g.get("viewer") is not None:
            dialogs = shell.dialogs(current_viewer(), paths=[page.path for page in self.pages])
            html_page = html_page.replace("<footer>", f"{dialogs}\n<footer>", 1)
        return html_page.replace('<html lang="en">', f'<html lang="en" data-mantine-color-scheme="{_theme()}">', 1)

    def _head(self, attributes: str, has_charts: bool) -> Iterator[str]:
        """The lines of <head> that are ours; what scripts will ask for is asked for beforehand."""
        yield f'<meta name="watchfloor" content="screens" {attributes}>'
        if not {THEME_COOKIE, ZONE_COOKIE} <= request.cookies.keys():
            yield f'<script src="{self.statics.url("vendor/theme.js")}"></script>'
        yield f'<link rel="preload" as="font" type="font/woff2" crossorigin href="{FONT}">'
        for path in EARLY:
            yield f'<link rel="preload" as="fetch" crossorigin href="{path}">'
        for script in (self.statics.url(PLOTLY), GRAPH_SCRIPT) if has_charts else ():
            yield f'<link rel="preload" as="script" href="{script}">'

    def _is_grid_page(self, path: str) -> bool:
        return any(page.needs_grid and page.pattern.fullmatch(path.rstrip("/") or "/") for page in self.pages)

    def page_at(self, pathname: str) -> tuple[Page, dict[str, str]]:
        """The page of a path and the variable parts of the path; raises NotFound."""
        path = "/" + (pathname or "/").strip("/")
        for page in self.pages:
            match = page.pattern.fullmatch(path)
            if match:
                return page, match.groupdict()
        raise NotFound(f"There is no page {path}.")


def create_dash(
    server: Flask,
    *,
    pages: Sequence[ModuleType],
    callbacks: Sequence[ModuleType],
) -> Screens:
    """The Dash application on `server`.

    `pages` and `callbacks` are the modules of PAGES and CALLBACKS (given, because this layer lies below them).
    """
    dash_app = Screens(
        "watchfloor",
        server=server,  # type: ignore[arg-type]  # Dash takes a Flask object as well
        assets_folder=str(ASSETS),
        include_assets_files=False,  # ours come as bundles
        pages_folder="",
        use_pages=False,
        serve_locally=True,
        compress=False,
        update_title=None,  # type: ignore[arg-type]  # None is documented
        title="Watchfloor",
        index_string=INDEX,
        suppress_callback_exceptions=True,
        add_log_handler=False,
        enable_mcp=False,
        csrf_token_name=getattr(server.config.get("COOKIES"), "csrf", "_csrf_token"),
        meta_tags=[{"name": "color-scheme", "content": "dark light"}],
    )
    install_plain_pages(server)
    dash_app.prepare([Page.of(module) for module in pages], install_static(server))
    _register_shell(dash_app)
    for module in callbacks:
        module.register(dash_app)
    return dash_app


def _register_shell(dash_app: Screens) -> None:
    def show_page(pathname: str, _reload: int, search: str) -> tuple[Any, str, str]:
        """The page of the address, its title and subtitle."""
        return _show_page(dash_app, pathname, search)

    # Every layout carries its own guard; here it is enough to be signed in.
    show_page.guarded = (READ, "pages")  # type: ignore[attr-defined]  # functions take attributes; mypy does not know
    dash_app.callback(
        Output(shell.CONTENT, "children"),
        Output(shell.TITLE, "children"),
        Output(shell.SUBTITLE, "children"),
        Input(shell.URL, "pathname"),
        Input(shell.RELOAD, "data"),
        State(shell.URL, "search"),
        prevent_initial_call=True,  # the first page comes with the frame; without one the address changes at once
    )(show_page)
    in_browser(
        dash_app,
        "shell.show_address",
        Input(shell.URL, "pathname"),
        Input(shell.URL, "search"),
        Input(shell.TITLE, "children"),
    )


def _show_page(dash_app: Screens, pathname: str, search: str) -> tuple[Any, str, str]:
    current_viewer()
    try:
        page, variables = dash_app.page_at(pathname)
    except NotFound as error:
        return html.Div(_missing(str(error)), className="page"), "Not found", ""
    url: Mapping[str, str] = {**dict(Query.parse(search).pairs), **variables}
    content = shown_as_page(page.layout)(**{**url, "search": search or ""})
    if page.names_itself:
        return content, unquote(variables[page.names_itself]), page.title
    return content, page.title, page.subtitle


def _missing(why: str) -> Component:
    return html.Div([html.H3("No such page"), html.P(why)], className="state")


def _theme() -> str:
    return "light" if request.cookies.get(THEME_COOKIE) == "light" else "dark"
