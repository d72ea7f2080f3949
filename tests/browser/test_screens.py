"""What a person sees and does: signing in, going about, themes, addresses, live changes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from app import live
from pages import PAGES
from tests.browser.conftest import Screen, Site
from tests.browser.seed import PASSWORD

Make = Callable[..., Screen]
PATHS = [page.PATH for page in PAGES if "<" not in page.PATH]


def test_signing_in_works_without_scripts(screen_of: Make, site: Site) -> None:
    screen = screen_of(java_script_enabled=False)
    page = screen.page
    page.goto(site.url + "/explore?t=6h")
    page.fill("input[name=email]", "alice@acme.example")
    page.fill("input[name=password]", "wrong")
    page.click("button[type=submit]")
    assert page.get_by_role("alert").inner_text()
    screen.complaints.clear()
    assert page.input_value("input[name=email]") == "alice@acme.example"
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit]")
    assert page.url == site.url + "/explore?t=6h"


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("path", ["/login", *PATHS])
def test_nobody_is_shut_out(screen_of: Make, site: Site, path: str, theme: str) -> None:
    screen = screen_of(None if path == "/login" else site.cast.alice, theme=theme)
    if path == "/login":
        screen.page.goto(site.url + path)
    else:
        screen.open(path)
    assert screen.theme() == theme
    assert screen.findings() == []


@pytest.mark.parametrize("path", PATHS)
def test_a_phone_scrolls_down_only(screen_of: Make, site: Site, path: str) -> None:
    screen = screen_of(site.cast.alice, width=390).open(path)
    assert screen.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    assert screen.page.evaluate(
        "() => { const main = document.getElementById('shell-content'); return main.scrollWidth <= main.clientWidth }"
    )


def test_the_floor_shows_the_network(screen_of: Make, site: Site) -> None:
    page = screen_of(site.cast.vera).open("/").page
    expect(page.get_by_text("1 unreachable in LON1")).to_be_visible()
    expect(
        page.get_by_role("region", name="Open alerts").get_by_text("Device lon1-acc-04 does not answer")
    ).to_be_visible()
    expect(page.get_by_role("region", name="Site health").get_by_text("LON1", exact=True)).to_be_visible()
    assert page.evaluate("() => window.Plotly.version") == "4.1.1"
    assert not page.evaluate("() => 'scattergl' in window.Plotly.PlotSchema.get().traces")
    assert page.title() == "Overview · Watchfloor"
    page.keyboard.press("1")
    page.wait_for_url("**/inventory?f=state:down")


def test_another_tenant_sees_none_of_it(screen_of: Make, site: Site) -> None:
    page = screen_of(site.cast.charlie).open("/").page
    expect(page.get_by_role("region", name="First steps")).to_be_visible()
    assert "LON1" not in page.locator("body").inner_text()
    assert "lon1" not in screen_of(site.cast.charlie).open("/explore").page.locator("body").inner_text()


def test_the_theme_changes_at_once_and_stays(screen_of: Make, site: Site) -> None:
    screen = screen_of(site.cast.alice).open("/")
    requests: list[str] = []
    screen.page.on("request", lambda request: requests.append(request.url))
    colour = "() => document.querySelector('#floor-traffic-chart .js-plotly-plot')._fullLayout.xaxis.tickfont.color"
    assert screen.page.evaluate(colour).lower() == "#7f8aa0"
    screen.page.keyboard.press("d")
    screen.page.keyboard.press("t")
    screen.until(lambda: screen.page.evaluate(colour).lower() == "#626c80")
    assert screen.theme() == "light"
    assert not [url for url in requests if "_dash-update-component" in url and "stream" not in url][1:]
    assert screen.open("/explore").theme() == "light"


def test_the_address_is_the_state(screen_of: Make, site: Site) -> None:
    screen = screen_of(site.cast.alice).open("/explore?t=6h&top=5&f=site=LON1&kept=yes")
    page = screen.page
    rows = page.locator("#explore-table tbody tr")
    assert rows.count() == 5
    assert all("lon1" in text for text in rows.locator(".series-name").all_inner_texts())
    expect(page.locator("#shell-range")).to_contain_text("Last 6 h")
    page.keyboard.press("c")
    screen.until(lambda: "cmp=1d" in page.url).settle()
    page.keyboard.press("[")
    screen.until(lambda: "from=" in page.url).settle()
    assert "kept=yes" in page.url
    assert "f=site=LON1" in page.url
    page.go_back()
    screen.until(lambda: "t=6h" in page.url).settle()
    assert rows.count() == 5


def test_what_the_address_says_wrong_is_named(screen_of: Make, site: Site) -> None:
    page = screen_of(site.cast.alice).open("/explore?t=soon&top=many").page
    expect(page.get_by_text("showing the last 24h instead")).to_be_visible()
    expect(page.get_by_text("'many' is not a number")).to_be_visible()


@pytest.mark.parametrize(
    ("search", "says"),
    [
        ("?metric=ifHCOutOctet", "No series of ifHCOutOctet"),
        ("?q=sum(rate(ifHCOutOctets[5m]", "Could not draw this"),
        ("?q=absent_metric", "No series"),
    ],
)
def test_explore_says_why_there_is_nothing(screen_of: Make, site: Site, search: str, says: str) -> None:
    page = screen_of(site.cast.alice).open("/explore" + search).page
    expect(page.get_by_role("region", name="Chart")).to_contain_text(says)


def test_keys_go_everywhere(screen_of: Make, site: Site) -> None:
    screen = screen_of(site.cast.alice).open("/")
    page = screen.page
    page.keyboard.press("g")
    page.keyboard.press("e")
    screen.until(lambda: page.url.endswith("/explore")).settle()
    page.keyboard.press("Control+k")
    page.keyboard.type("over")
    page.keyboard.press("Enter")
    screen.until(lambda: page.url == site.url + "/").settle()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_hidden()
    page.keyboard.press(" ")
    expect(page.locator("#shell-live-state")).to_have_attribute("data-state", "paused")


def test_a_change_arrives_without_a_reload(screen_of: Make, site: Site) -> None:
    screen = screen_of(site.cast.alice).open("/")
    state = screen.page.locator("#shell-live-state")
    expect(state).to_have_attribute("data-state", "live", timeout=15_000)
    asked: list[str] = []
    screen.settle().page.on("request", lambda request: asked.append(request.post_data or ""))
    live.publish(site.cast.acme, "alerts", {"id": 1, "state": "firing"})
    screen.until(lambda: any("floor-open" in body for body in asked))


def test_the_wall_has_no_controls(screen_of: Make, site: Site) -> None:
    page = screen_of(site.cast.alice, width=1920).open("/?kiosk=1").page
    expect(page.locator(".sidebar")).to_be_hidden()
    expect(page.get_by_role("button", name="Search or run a command")).to_be_hidden()
    assert page.evaluate("() => getComputedStyle(document.getElementById('shell-clock')).display") != "none"
