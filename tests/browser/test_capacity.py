"""Capacity: the list, one thing of it, another threshold, and what if it grew faster."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from redis import Redis

from app.actions import capacity
from app.valkey import use_valkey
from models.session import close_database, open_database
from tests.browser.conftest import Screen, Site
from tests.factories.capacity import DAYS, FIRST, GIGABIT, NOW, START
from tests.factories.rolled_history import growing, store_hours, use_of
from tests.factories.servers import SECRET_KEY, Servers

Make = Callable[..., Screen]
PORT = {"device": "glx-1", "ifName": "ge-0"}


@pytest.fixture(scope="module")
def planned(site: Site, servers: Servers) -> Site:
    """Globex, of which nothing else is known: a port that fills up, and one that stands still."""
    open_database(site.database_url, role="worker", secret_key=SECRET_KEY)
    use_valkey(Redis.from_url(servers.redis_url))
    flat = np.full(DAYS * 24, 40.0) + growing(0.0, 0.0, DAYS, seed=2)
    rows = [
        *use_of("link", PORT, growing(START, 0.16, DAYS), size=GIGABIT),
        *use_of("link", PORT | {"ifName": "ge-1"}, flat, size=GIGABIT),
    ]
    store_hours(site.cast.globex, rows, first_day=FIRST)
    capacity.keep_up(site.cast.globex, now=NOW)
    close_database()
    return site


def pick(page: Page, name: str, option: str) -> None:
    page.locator(f"#capacity-{name}").click()
    page.get_by_role("option", name=option, exact=True).click()


def test_one_of_the_list_is_chosen_and_asked_what_if(planned: Site, screen_of: Make) -> None:
    screen = screen_of(planned.cast.charlie).open("/capacity")
    page = screen.page
    title, says = page.locator("#capacity-chart-title"), page.locator(".capacity-says").first
    expect(title).to_have_text("glx-1 ge-0")
    rows = page.locator("#capacity-table tbody tr")
    expect(rows).to_have_count(2)
    screen.settle()
    page.keyboard.press("j")
    expect(title).to_have_text("glx-1 ge-1")
    expect(says).to_contain_text("No trend")
    rows.first.click()
    expect(title).to_have_text("glx-1 ge-0")
    expect(says).to_contain_text("Likely full on")
    as_it_is = says.inner_text()
    pick(page, "growth", "2 times")
    expect(page.get_by_text("What if: 2 times the growth.")).to_be_visible()
    expect(says).not_to_have_text(as_it_is)
    expect(says).to_contain_text("Likely full on")
    pick(page, "growth", "as now")
    expect(says).to_have_text(as_it_is)
    pick(page, "threshold", "80 %")
    expect(page.get_by_text("What if: a threshold of 80 % instead of 90 %.")).to_be_visible()
    expect(says).not_to_have_text(as_it_is)
    page.get_by_role("button", name="Set this threshold").click()
    expect(page.get_by_text("glx-1 ge-0 counts as full at 80 % from now on.")).to_be_visible()
    expect(page.get_by_role("button", name="Set this threshold")).to_be_hidden()


def test_nothing_of_it_is_there_for_another_tenant(planned: Site, screen_of: Make) -> None:
    page = screen_of(planned.cast.vera).open("/capacity").page
    expect(page.locator("#capacity-list")).not_to_be_empty()
    assert "glx-1" not in page.locator("body").inner_text()
