"""Finding a device, looking at it, adding one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from app.actions import events
from app.clock import utc_now
from app.domain.alerting.alert import Severity
from app.domain.events import Event
from app.domain.tenancy import Scope
from app.queries.devices import devices
from tests.browser.conftest import Screen, Site
from tests.factories.cast import token_viewer

Make = Callable[..., Screen]
ROWS = "#inventory-grid .ag-center-cols-container .ag-row"


def test_from_the_list_to_a_device_with_keys(screen_of: Make, site: Site) -> None:
    screen = screen_of(site.cast.vera).open("/inventory?f=site:FRA1")
    page = screen.page
    screen.until(lambda: page.locator(ROWS).count() == 6)
    for key in ("j", "j", "Enter"):
        page.keyboard.press(key)
    screen.until(lambda: page.url.split("?")[0].endswith("/inventory/fra1-acc-04")).settle()
    screen.until(lambda: page.title() == "fra1-acc-04 · Watchfloor")
    expect(page.get_by_role("region", name="Traffic", exact=True).locator(".js-plotly-plot")).to_be_visible()
    page.keyboard.press("2")
    screen.until(lambda: "tab=interfaces" in page.url).settle()
    screen.until(lambda: page.locator("#device-ports .ag-center-cols-container .ag-row").count() == 6)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Traffic of the interface")).to_contain_text("xe-0/0/", timeout=20_000)
    assert not page.get_by_role("button", name="Maintenance").count()


def test_a_device_is_added_and_a_mistake_stands_in_the_form(screen_of: Make, site: Site) -> None:
    screen = screen_of(site.cast.alice).open("/inventory")
    page = screen.page
    page.keyboard.press("n")
    dialog = page.get_by_role("dialog", name="Add device")
    expect(dialog).to_be_visible(timeout=20_000)
    screen.settle()
    dialog.get_by_label("Name").fill("fra1-acc-03")
    dialog.get_by_label("Address").fill("127.0.0.1")
    dialog.get_by_role("button", name="Add and discover").click()
    expect(dialog.get_by_role("alert")).to_contain_text("fra1-acc-03", timeout=20_000)
    dialog.get_by_label("Name").fill("lab1")
    dialog.get_by_role("button", name="Add and discover").click()
    expect(dialog).to_be_hidden(timeout=20_000)
    screen.settle()
    assert "lab1" in {each.name for each in devices(site.cast.vera)}


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("tab", ["summary", "interfaces", "metrics"])
def test_nobody_is_shut_out_of_a_device(screen_of: Make, site: Site, tab: str, theme: str) -> None:
    screen = screen_of(site.cast.alice, theme=theme).open(f"/inventory/fra1-cor-01?tab={tab}")
    assert screen.findings() == []


def test_on_a_phone_the_device_scrolls_down_only(screen_of: Make, site: Site) -> None:
    page = screen_of(site.cast.alice, width=390).open("/inventory/fra1-cor-01").page
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


def test_charlie_of_globex_finds_no_device_of_acme(screen_of: Make, site: Site) -> None:
    page = screen_of(site.cast.charlie).open("/inventory/fra1-cor-01").page
    expect(page.get_by_text("There is no device fra1-cor-01").first).to_be_visible()
    assert "Juniper" not in page.locator("body").inner_text()


def test_events_are_marked_on_the_charts_and_hidden_with_v(screen_of: Make, site: Site) -> None:
    now = utc_now()
    told = [
        Event(now - timedelta(hours=4), "deploy", "firmware 22.4 installed", device="fra1-cor-01"),
        Event(now - timedelta(hours=1), "trap", "linkDown", device="fra1-cor-01", severity=Severity.MAJOR),
    ]
    events.add(token_viewer(site.cast.alice, Scope.INGEST), told, agent="edge")
    screen = screen_of(site.cast.vera).open("/inventory/fra1-cor-01?t=6h")
    page = screen.page
    marks = page.get_by_role("region", name="Processors", exact=True).locator(".js-plotly-plot path.point")
    screen.until(lambda: marks.count() == 2).settle()
    page.keyboard.press("v")
    screen.until(lambda: "ev=0" in page.url and marks.count() == 0).settle()
    page.keyboard.press("v")
    screen.until(lambda: "ev=0" not in page.url and marks.count() == 2)
    screen.open("/inventory/fra1-cor-01?t=6h&tab=alerts")
    expect(page.get_by_role("region", name="Events", exact=True)).to_contain_text("firmware 22.4 installed")
