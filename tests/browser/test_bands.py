"""The key B: what lines were expected to be, in Explore and on the page of a device; and what a short past says."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from app.clock import now_ms
from app.valkey import valkey
from tests.browser.conftest import Screen, Site
from tests.browser.seed import STEP_MS
from tests.factories.questions import answer_next
from tests.factories.samples import store

Make = Callable[..., Screen]
DAY_MS = 86_400_000
# Of the seeded network's devices the one whose processor gets a longer past than two days, and one that does not.
LONG, SHORT = "par3-fir-06", "fra1-cor-01"
BANDS = """(id) => {
    const gd = document.querySelector(`#${id} .js-plotly-plot`);
    return gd && gd._fullData ? gd._fullData.filter((trace) => trace.meta === 'band').length : -1;
}"""


@pytest.fixture
def with_past(connected: Site) -> Site:
    """Nine days of the processor of LONG."""
    end_ms = now_ms() - 2 * DAY_MS
    ts_ms = np.arange(end_ms - 7 * DAY_MS, end_ms, STEP_MS)
    load = 0.35 + 0.1 * np.sin((ts_ms / 3_600_000 - 8) * np.pi / 12)
    labels = {"__name__": "cpu_utilisation_ratio", "cpu": "0", "device": LONG, "site": "PAR3", "role": "firewall"}
    store(connected.cast.acme, labels, list(zip(ts_ms.tolist(), load.tolist(), strict=True)))
    return connected


def until(screen: Screen, is_there: Callable[[], bool], complaint: str) -> None:
    """Answer what the page asks, and have it drawn again until something is there."""

    def is_drawn() -> bool:
        while answer_next(valkey(), wait_s=0.05):
            pass
        if is_there():
            return True
        if screen.page.evaluate("() => watchfloor.idle()"):
            screen.page.keyboard.press("r")
        return False

    screen.until(is_drawn, complaint)


def gone(page: Page, graph: str) -> bool:
    return bool(page.evaluate(BANDS, graph) == 0)


@pytest.mark.parametrize(
    ("path", "graph"),
    [
        (f"/explore?metric=cpu_utilisation_ratio&f=device={LONG}&t=24h", "explore-graph"),
        (f"/inventory/{LONG}?t=24h", "device-cpu-chart"),
    ],
)
def test_bands_come_and_go_with_a_key(screen_of: Make, with_past: Site, path: str, graph: str) -> None:
    screen = screen_of(with_past.cast.vera).open(path)
    page = screen.page
    screen.until(lambda: gone(page, graph)).settle()
    page.keyboard.press("b")
    page.wait_for_url("**b=1**")
    until(screen, lambda: page.evaluate(BANDS, graph) > 0, "no bands")
    note = page.locator(".noted", has=page.locator(f"#{graph}")).locator(".chart-note")
    expect(note).to_contain_text("80 and 95 % of values are expected inside")
    page.keyboard.press("b")
    screen.until(lambda: gone(page, graph))
    expect(note).to_have_count(0)
    assert "b=1" not in page.url


def test_a_short_past_says_how_much_is_lacking(screen_of: Make, with_past: Site) -> None:
    path = f"/explore?metric=cpu_utilisation_ratio&f=device={SHORT}&t=24h"
    screen = screen_of(with_past.cast.vera).open(path)
    page = screen.page
    page.get_by_role("button", name="Forecast").click()
    page.wait_for_url("**b=1**")
    note = page.locator(".chart-note")
    until(screen, lambda: "history needed" in " ".join(note.all_inner_texts()), "nothing is said")
    expect(note).to_contain_text("no forecast yet")
    assert gone(page, "explore-graph")
