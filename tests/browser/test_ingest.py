"""Admin, ingest: an admin sees what was refused and sends a dead letter through again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from app.domain.samples import TOO_OLD, Rejection
from app.tsdb.refused import Sender, record_rejected
from tests.browser.conftest import Screen, Site
from tests.factories.dead_letters import bury

Make = Callable[..., Screen]


@pytest.fixture
def refusals(connected: Site) -> None:
    for agent, source in (("edge-1", "influx"), ("prometheus-lon", "remote_write")):
        rejected = [
            Rejection(3, TOO_OLD, 12),
            Rejection(9, "value is not a number"),
            Rejection(11, "more than 64 labels"),
        ]
        record_rejected(connected.cast.acme, rejected, Sender(agent, source, "1f2e3d4c5b6a7988"))
    for number in range(3):
        bury(connected.cast.acme, f"177000000000{number}-1")


@pytest.mark.parametrize(("theme", "width"), [("dark", 1366), ("light", 390)])
def test_the_page_shuts_nobody_out(screen_of: Make, site: Site, refusals: None, theme: str, width: int) -> None:
    screen = screen_of(site.cast.alice, theme=theme, width=width).open("/admin/ingest")
    expect(screen.page.get_by_role("region", name="Newest refusals", exact=False).first).to_be_visible()
    screen.settle()
    assert screen.findings() == []


def test_a_dead_letter_is_sent_again(screen_of: Make, site: Site, refusals: None) -> None:
    screen = screen_of(site.cast.alice).open("/admin/ingest")
    screen.page.get_by_role("button", name="Replay dead letter 1:1770000000000-1").click()
    expect(screen.page.get_by_role("button", name="Replay dead letter 1:1770000000000-1")).to_have_count(0)
    screen.settle()
