"""Triage with the keyboard and on a phone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from app.actions.alerts import acknowledge, unacknowledge
from app.queries.alerts import AlertFilter, open_alerts
from tests.browser.conftest import Screen, Site

Make = Callable[..., Screen]
ROWS = "#alerts-grid .ag-center-cols-container .ag-row"


def summaries(page: Page) -> list[str]:
    return [text.strip() for text in page.locator(f"{ROWS} [col-id=summary]").all_inner_texts()]


def test_keys_act_at_once_and_can_be_taken_back(screen_of: Make, site: Site) -> None:
    screen = screen_of(site.cast.bob).open("/alerts")
    page = screen.page
    screen.until(lambda: "sel=" in page.url).settle()
    before = summaries(page)
    # Without a pause: the key acts on the row of the cursor, not on the one that the address still names.
    page.keyboard.press("j")
    page.keyboard.press("a")
    screen.until(lambda: summaries(page) == [before[0], *before[2:]])
    expect(page.locator("#alerts-undo")).to_contain_text("acknowledged")
    screen.settle()
    assert summaries(page) == [before[0], *before[2:]]
    page.keyboard.press("u")
    screen.until(lambda: sorted(summaries(page)) == sorted(before)).settle()


def test_several_are_marked_and_snoozed_together(screen_of: Make, site: Site) -> None:
    screen = screen_of(site.cast.bob).open("/alerts")
    page = screen.page
    screen.until(lambda: "sel=" in page.url).settle()
    before = summaries(page)
    for key in ("x", "j", "x"):
        page.keyboard.press(key)
    expect(page.locator("#alerts-marked")).to_have_text("2 selected")
    page.keyboard.press("s")
    expect(page.get_by_role("dialog", name="Snooze for")).to_be_visible()
    page.keyboard.press("2")
    screen.until(lambda: summaries(page) == before[2:]).settle()
    page.keyboard.press("u")
    screen.until(lambda: sorted(summaries(page)) == sorted(before)).settle()


def test_what_another_did_first_is_told_and_taken_back(screen_of: Make, site: Site) -> None:
    screen = screen_of(site.cast.bob).open("/alerts?f=device:par3-fir-06")
    page = screen.page
    screen.until(lambda: "sel=" in page.url).settle()
    [alert] = open_alerts(site.cast.alice, AlertFilter(device="par3-fir-06"))
    page.route("**/alerts/stream**", lambda route: route.abort())
    acknowledge(site.cast.alice, [alert.id])
    try:
        page.keyboard.press("a")
        expect(page.get_by_role("alert").filter(has_text="Alice")).to_be_visible(timeout=20_000)
    finally:
        unacknowledge(site.cast.alice, [alert.id])


def test_the_detail_takes_comments_and_people(screen_of: Make, site: Site) -> None:
    screen = screen_of(site.cast.bob).open("/alerts?f=device:mad1-acc-03")
    page = screen.page
    detail = page.get_by_role("complementary", name="Alert detail")
    expect(detail).to_contain_text("No data from mad1-acc-03", timeout=20_000)
    page.fill("#alerts-comment", "asked the site")
    page.evaluate("() => watchfloor.actions.refresh()")  # news must not take the text away
    screen.settle()
    page.keyboard.press("Enter")
    expect(detail).to_contain_text("Comment: asked the site", timeout=20_000)
    screen.settle()
    page.evaluate("() => document.activeElement.blur()")
    page.keyboard.press("m")
    dialog = page.get_by_role("dialog", name="Assign to")
    assert "Charlie" not in dialog.inner_text()
    dialog.get_by_role("button", name="Bob (me)").click()
    screen.until(lambda: not summaries(page)).settle()
    page.keyboard.press("u")
    screen.until(lambda: summaries(page) == ["No data from mad1-acc-03"]).settle()
    page.keyboard.press("f")
    page.get_by_role("button", name="Critical").click()
    expect(page.get_by_text("No alerts match 2 filters")).to_be_visible(timeout=20_000)
    page.get_by_role("button", name="Clear filters").click()
    screen.until(lambda: len(summaries(page)) > 1).settle()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_nobody_is_shut_out_of_an_open_alert(screen_of: Make, site: Site, theme: str) -> None:
    screen = screen_of(site.cast.alice, theme=theme).open("/alerts?view=open&f=device:lon1-acc-04")
    expect(screen.page.locator("#alerts-detail h2")).to_contain_text("lon1-acc-04", timeout=20_000)
    screen.settle()
    assert screen.findings() == []


def test_on_a_phone_an_alert_opens_and_closes(screen_of: Make, site: Site) -> None:
    screen = screen_of(site.cast.vera, width=390, has_touch=True).open("/alerts?view=open")
    page = screen.page
    row = page.locator(ROWS).filter(has_text="lon1-acc-04")
    expect(row).to_be_visible(timeout=20_000)
    row.tap()
    detail = page.get_by_role("complementary", name="Alert detail")
    expect(detail.get_by_role("heading", name="Device lon1-acc-04")).to_be_visible(timeout=20_000)
    assert not detail.get_by_role("button", name="Acknowledge").count()
    detail.get_by_role("button", name="Close").tap()
    expect(detail).to_be_hidden()
