"""A real server with a small network, and a real browser; both for the whole run."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright
from redis import Redis

from app.auth.sessions import start_session
from app.clock import now_ms
from app.domain.tenancy import Viewer
from app.valkey import use_valkey
from models.session import close_database, open_database, platform_session
from tests.browser.seed import seed
from tests.factories.cast import Cast
from tests.factories.committed import Emptied, own_database
from tests.factories.servers import SECRET_KEY, Servers
from tests.factories.serving import serve

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--font-render-hinting=none",
]
AXE = (Path(__file__).parent / "axe.min.js").read_text()
LIMIT_S = 60
# What is expected of a page may take as long as anything else on a busy machine.
expect.set_options(timeout=LIMIT_S * 1000)


@dataclass
class Site:
    """The running server: its address and its people."""

    port: int
    cast: Cast
    database_url: str

    @property
    def url(self) -> str:
        """Where the pages are."""
        return f"http://127.0.0.1:{self.port}"


@dataclass
class Screen:
    """One page of one person in one browser context."""

    site: Site
    page: Page
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> Screen:
        """Go to a path and wait until it is drawn."""
        self.page.goto(self.site.url + path)
        return self.settle()

    def settle(self) -> Screen:
        """Wait until the page says that nothing is in flight.

        Asked from outside: a condition given to the page as text would need `unsafe-eval`.
        """
        return self.until(lambda: self.page.evaluate("() => !!(window.watchfloor && window.watchfloor.idle())"))

    def until(self, is_so: Callable[[], Any], complaint: str = "") -> Screen:
        """Wait for a condition."""
        end = time.monotonic() + LIMIT_S
        while not is_so():
            assert time.monotonic() < end, complaint or f"did not happen on {self.page.url}: {self.complaints}"
            self.page.wait_for_timeout(40)
        return self

    def theme(self) -> str:
        """The theme that is on."""
        return str(self.page.evaluate("() => document.documentElement.dataset.mantineColorScheme"))

    def findings(self) -> list[str]:
        """What axe-core finds serious or critical."""
        self.page.evaluate(AXE)
        found: dict[str, Any] = self.page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{each['impact']} {each['id']}: {json.dumps([node['html'][:160] for node in each['nodes'][:4]])}"
            for each in found["violations"]
            if each["impact"] in ("serious", "critical")
        ]


@pytest.fixture(scope="session")
def site(servers: Servers, migrated_url: str, shared_db: Emptied | None) -> Iterator[Site]:
    """A server on a database of its own, filled once for the run."""
    with own_database(servers, migrated_url, shared_db) as url:
        open_database(url, role="web", secret_key=SECRET_KEY)
        use_valkey(Redis.from_url(servers.redis_url))
        cast = seed(now_ms(), days=2)
        with serve(url, servers.redis_url) as port:
            close_database()
            yield Site(port, cast, url)


@pytest.fixture
def connected(site: Site, servers: Servers) -> Iterator[Site]:
    """The site, with this process connected to its database and Valkey."""
    open_database(site.database_url, role="web", secret_key=SECRET_KEY)
    use_valkey(Redis.from_url(servers.redis_url))
    yield site
    close_database()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def screen_of(connected: Site, browser: Browser) -> Iterator[Callable[..., Screen]]:
    """Makes a screen: screen_of(viewer), signed in, with a theme and a size."""
    contexts: list[BrowserContext] = []
    screens: list[Screen] = []

    def make(viewer: Viewer | None = None, *, theme: str = "dark", width: int = 1366, **options: Any) -> Screen:
        context = browser.new_context(viewport={"width": width, "height": 768 if width > 500 else 844}, **options)
        contexts.append(context)
        cookies = {"watchfloor_theme": theme}
        if viewer is not None:
            assert viewer.user_id is not None
            with platform_session() as session:
                secret, csrf = start_session(
                    session, viewer.user_id, viewer.tenant, address="127.0.0.1", user_agent="test"
                )
            cookies |= {f"watchfloor-{connected.port}": secret, f"_csrf_token_{connected.port}": csrf}
        context.add_cookies([{"name": name, "value": value, "url": connected.url} for name, value in cookies.items()])
        screen = Screen(connected, context.new_page())
        screen.page.on("console", lambda message: _note(screen, message))
        screen.page.on("pageerror", lambda error: screen.complaints.append(str(error)))
        screens.append(screen)
        return screen

    yield make
    for context in contexts:
        context.close()
    assert not [complaint for screen in screens for complaint in screen.complaints]


def _note(screen: Screen, message: ConsoleMessage) -> None:
    if message.type == "error":
        screen.complaints.append(message.text)
