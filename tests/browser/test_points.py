"""A point of a line in Explore: clicked, judged, taken back; by pointer, by keys and by a finger."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from app.queries import feedback
from tests.browser.conftest import Screen, Site

Make = Callable[..., Screen]
PATH = "/explore?metric=cpu_utilisation_ratio&f=device=fra1-cor-01&t=6h"
# Where the middle of the first line is on the screen.
MIDDLE = """() => {
    const gd = document.querySelector('#explore-graph .js-plotly-plot'), box = gd.getBoundingClientRect();
    const line = gd._fullData.find((trace) => trace.meta === 0), at = Math.floor(line.x.length / 2);
    const { xaxis, yaxis } = gd._fullLayout;
    return [box.left + xaxis._offset + xaxis.d2p(line.x[at]), box.top + yaxis._offset + yaxis.d2p(line.y[at])];
}"""


def drawn(screen: Screen, path: str) -> Page:
    screen.open(path)
    expect(screen.page.locator("#explore-graph .scatterlayer .trace").first).to_be_visible()
    screen.settle()
    return screen.page


def menu(page: Page) -> Locator:
    return page.get_by_role("dialog", name="This point")


def test_a_point_is_judged_and_the_verdict_taken_back(screen_of: Make, site: Site) -> None:
    screen = screen_of(site.cast.bob)
    page = drawn(screen, PATH)
    before = len(feedback.marks(site.cast.bob))
    x, y = page.evaluate(MIDDLE)
    page.mouse.move(x, y)
    page.mouse.click(x, y)
    expect(menu(page)).to_contain_text("fra1-cor-01")
    expect(menu(page).get_by_role("button", name="Expected")).to_be_focused()
    assert screen.settle().findings() == []
    menu(page).get_by_role("button", name="Real").click()
    expect(menu(page)).to_be_hidden()
    expect(page.locator("#point-undo")).to_contain_text("real")
    assert len(feedback.marks(site.cast.bob)) == before + 1
    screen.settle()
    page.keyboard.press("u")
    expect(page.locator("#point-undo")).to_contain_text("taken back")
    assert feedback.marks(site.cast.bob)[0].undone_by == "Bob"


def test_keys_alone_reach_every_point(screen_of: Make, site: Site) -> None:
    screen = screen_of(site.cast.bob)
    page = drawn(screen, PATH)
    page.keyboard.press("m")
    expect(menu(page).get_by_role("button", name="Expected")).to_be_focused()
    moment = menu(page).locator("p.mono").inner_text()
    page.keyboard.press("ArrowLeft")
    expect(menu(page).locator("p.mono")).not_to_have_text(moment)
    screen.settle()
    page.keyboard.press("Escape")
    expect(menu(page)).to_be_hidden()
    drawn(screen, PATH + "&by=site")
    page.keyboard.press("m")
    expect(menu(page)).to_contain_text("made of several series")
    assert not menu(page).get_by_role("button", name="Expected").count()


def test_on_a_phone_a_tap_opens_it(screen_of: Make, site: Site) -> None:
    page = drawn(screen_of(site.cast.bob, width=390, has_touch=True), PATH)
    page.touchscreen.tap(*page.evaluate(MIDDLE))
    expect(menu(page).get_by_role("button", name="Expected")).to_be_in_viewport()
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    menu(page).get_by_role("button", name="Close").tap()
    expect(menu(page)).to_be_hidden()


def test_a_viewer_is_offered_nothing(screen_of: Make, site: Site) -> None:
    screen = screen_of(site.cast.vera)
    page = drawn(screen, PATH)
    page.mouse.click(*page.evaluate(MIDDLE))
    page.keyboard.press("m")
    screen.settle()
    expect(menu(page)).to_be_hidden()
