"""Verdicts with the keyboard, and a window of Explore that is asked about."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from app.clock import now_ms
from tests.browser.conftest import Screen, Site
from tests.factories.anomalies import found, found_point

Make = Callable[..., Screen]
VERDICT = "#anomalies-grid .ag-center-cols-container .ag-row-selected [col-id=verdict]"


def test_a_verdict_shows_at_once_and_can_be_taken_back(screen_of: Make, site: Site) -> None:
    at_ms = now_ms() - 3_600_000
    points = [found_point(at_ms - slot * 60_000, 1.5 + slot, slot=slot, interface=f"xe-{slot}") for slot in range(3)]
    found(site.cast.acme, *points)
    screen = screen_of(site.cast.bob, width=1920).open("/anomalies")
    page = screen.page
    screen.until(lambda: "sel=" in page.url).settle()
    page.keyboard.press("j")
    page.keyboard.press("e")
    expect(page.locator(VERDICT)).to_have_text("Expected")
    expect(page.locator("#anomalies-undo")).to_contain_text("ifHCInOctets on core-1: expected")
    screen.settle()
    expect(page.locator("#anomalies-sensitivity")).to_contain_text("from 1 expected")
    expect(page.get_by_role("complementary", name="Anomaly detail")).to_contain_text("Take back")
    page.keyboard.press("u")
    expect(page.locator(VERDICT)).to_have_text("")
    expect(page.locator("#anomalies-sensitivity")).to_contain_text("from 0 expected")
    assert screen.complaints == []


def test_a_window_is_dragged_and_explained(screen_of: Make, site: Site) -> None:
    screen = screen_of(site.cast.vera).open("/explore?t=6h&f=site=LON1&metric=cpu_utilisation_ratio")
    page = screen.page
    page.keyboard.press("w")
    panel = page.get_by_role("region", name="What changed here")
    expect(panel).to_contain_text("series reached the boundary")
    screen.settle()
    box = page.locator("#explore-graph .nsewdrag").first.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.4, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, middle, steps=6)
    page.mouse.up()
    screen.until(lambda: "~" in page.url).settle()
    assert "t=6h" in page.url  # the chart keeps its range
    expect(panel).to_contain_text(" to ")
    page.get_by_role("button", name="Close what changed").click()
    expect(panel).to_be_hidden()
