"""How long pages take, as a person feels it: Debian's Chromium on loopback, a warm server with a small network.

    python -m bench.pages [http://127.0.0.1:8050 e-mail password]

Without an address it starts a server of its own. Prints one line for each figure with its budget; asserts nothing.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from redis import Redis

from app.clock import now_ms
from app.valkey import use_valkey
from models.session import close_database, open_database
from tests.browser.conftest import CHROMIUM, FLAGS
from tests.browser.seed import PASSWORD, seed
from tests.factories.servers import SECRET_KEY, Servers, create_database, drop_database, embedded_servers, migrate
from tests.factories.serving import serve

ROUNDS = 5
PATHS = ("/", "/explore")


def main() -> list[dict[str, Any]]:
    """Measure on a server of its own; answers rows of name, value, unit, limit (the budget)."""
    with _own_server() as (url, email, password):
        return measure(url, email, password)


def measure(url: str, email: str, password: str) -> list[dict[str, Any]]:
    """All figures of one running server."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            return list(_measure(browser, url, email, password))
        finally:
            browser.close()


def _measure(browser: Browser, url: str, email: str, password: str) -> Iterator[dict[str, Any]]:
    _visit(_signed_in(browser, url, email, password), url)  # warms the server's caches
    cold, warm, cold_bytes, warm_bytes = [], [], 0, 0
    for _ in range(ROUNDS):
        context = _signed_in(browser, url, email, password)
        seconds, cold_bytes = _visit(context, url)
        cold.append(seconds)
        seconds, warm_bytes = _visit(context, url)
        warm.append(seconds)
        context.close()
    yield _row("first visit, cold cache, drawn", statistics.median(cold) * 1000, "ms", 2000)
    yield _row("first visit, warm cache, drawn", statistics.median(warm) * 1000, "ms", 1000)
    yield _row("transfer, first visit", cold_bytes / 1e3, "kB", 1600)
    yield _row("transfer, warm visit", warm_bytes / 1e3, "kB", 150)
    context = _signed_in(browser, url, email, password)
    page = context.new_page()
    page.goto(url + "/")
    _settle(page)
    switches = {path: [] for path in PATHS}
    for _ in range(ROUNDS):
        for path in reversed(PATHS):
            switches[path].append(
                _timed(page, f"() => document.querySelector('.sidebar [data-nav=\"{path}\"] a').click()", path)
            )
    for path, seconds in switches.items():
        yield _row(f"page switch to {path}, frame drawn", statistics.median(seconds) * 1000, "ms", 400)
    yield _row("key to effect (theme, D T)", _key_to_effect(page), "ms", 100)
    context.close()


def _timed(page: Page, act: str, path: str) -> float:
    """Seconds from the click until the new page's frame stands; then wait until it is filled."""
    title = "Overview" if path == "/" else "Explore"
    started = time.perf_counter()
    page.evaluate(act)
    while page.evaluate("() => document.getElementById('shell-title').textContent") != title:
        pass
    seconds = time.perf_counter() - started
    _settle(page)
    return seconds


def _key_to_effect(page: Page) -> float:
    """Milliseconds from the key to the frame in which the page looks different; median of ten."""
    page.evaluate("""() => { window.effects = []; let at = 0;
      document.addEventListener('keydown', (event) => { if (event.key === 't') at = performance.now(); }, true);
      new MutationObserver(() => requestAnimationFrame(() => { if (at) effects.push(performance.now() - at); at = 0; }))
        .observe(document.documentElement, {attributes: true, attributeFilter: ['data-mantine-color-scheme']}); }""")
    for _ in range(10):
        page.keyboard.press("d")
        page.keyboard.press("t")
        page.wait_for_timeout(150)
    return float(statistics.median(page.evaluate("() => window.effects")))


def _visit(context: BrowserContext, url: str) -> tuple[float, int]:
    """Seconds from the start of the navigation until the last draw ended, and the bytes that came over the wire.

    idle() says so only 120 ms later, to be sure: the page itself knows when the last answer or draw was.
    """
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    received: list[int] = []
    session.on("Network.loadingFinished", lambda event: received.append(int(event["encodedDataLength"])))
    page.goto(url + "/")
    _settle(page)
    seconds = page.evaluate("() => window.watchfloor.busy.touched") / 1000
    page.close()
    return seconds, sum(received)


def _settle(page: Page) -> None:
    end = time.monotonic() + 60
    while not page.evaluate("() => !!(window.watchfloor && window.watchfloor.idle())"):
        assert time.monotonic() < end, f"{page.url} does not come to rest"
        page.wait_for_timeout(10)


def _signed_in(browser: Browser, url: str, email: str, password: str) -> BrowserContext:
    """A fresh browser that has signed in but has no file of ours in its cache."""
    context = browser.new_context(viewport={"width": 1366, "height": 768})
    answer = context.request.post(f"{url}/login", form={"email": email, "password": password}, max_redirects=0)
    assert answer.status == 303, answer.text()
    return context


def _row(name: str, value: float, unit: str, budget: float | None) -> dict[str, Any]:
    return {"name": name, "value": round(value, 1), "unit": unit, "limit": budget}


@contextmanager
def _own_server() -> Iterator[tuple[str, str, str]]:
    """A server on a seeded database of its own; embedded servers unless the test variables name others."""
    database_url, redis_url = (os.environ.get(f"WATCHFLOOR_TEST_{name}_URL") for name in ("DATABASE", "REDIS"))
    if database_url and redis_url:
        with _seeded(Servers(database_url, redis_url)) as found:
            yield found
        return
    with embedded_servers() as servers, _seeded(servers) as found:
        yield found


@contextmanager
def _seeded(servers: Servers) -> Iterator[tuple[str, str, str]]:
    url = create_database(servers)
    migrate(url)
    open_database(url, role="web", secret_key=SECRET_KEY)
    use_valkey(Redis.from_url(servers.redis_url))
    seed(now_ms(), days=8)
    close_database()
    try:
        with serve(url, servers.redis_url) as port:
            yield f"http://127.0.0.1:{port}", "alice@acme.example", PASSWORD
    finally:
        drop_database(servers, url)


if __name__ == "__main__":
    for row in measure(*sys.argv[1:]) if len(sys.argv) == 4 else main():
        print(f"{row['name']:<44} {row['value']:>9} {row['unit']:<4} budget {row['limit']} {row['unit']}")
