"""Admin, storage and cardinality: terms by way of their preview, archives that come back, a tenant that is erased."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from app.actions import tenants
from app.auth.operator import operator
from models.archives import ArchiveRow
from models.session import close_database, open_database, tenant_session
from tests.browser.conftest import Screen, Site
from tests.factories.servers import SECRET_KEY

Make = Callable[..., Screen]


@pytest.fixture
def archived(connected: Site) -> Iterator[None]:
    """Some archives, which workers alone list."""
    close_database()
    open_database(connected.database_url, role="worker", secret_key=SECRET_KEY)
    tenant = connected.cast.acme
    first = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=20)
    with tenant_session(tenant) as session:
        for number in range(23):
            at = first + timedelta(hours=6 * number)
            values = {"series": 1_204, "samples": 1_730_000, "bytes": 4_300_000 + number, "checksum": "0"}
            session.add(ArchiveRow(tenant_id=tenant, bucket=at, path=f"x/{number}", first_ts=at, last_ts=at, **values))
    close_database()
    open_database(connected.database_url, role="web", secret_key=SECRET_KEY)
    yield
    close_database()
    open_database(connected.database_url, role="worker", secret_key=SECRET_KEY)
    with tenant_session(tenant) as session:
        session.query(ArchiveRow).delete()
    close_database()
    open_database(connected.database_url, role="web", secret_key=SECRET_KEY)


@pytest.mark.parametrize(("theme", "width"), [("dark", 1366), ("light", 390)])
def test_the_pages_shut_nobody_out(screen_of: Make, site: Site, archived: None, theme: str, width: int) -> None:
    screen = screen_of(site.cast.alice, theme=theme, width=width).open("/admin/storage")
    expect(screen.page.get_by_role("table", name="Stored by resolution")).to_be_visible()
    screen.settle()
    assert screen.findings() == []
    screen.open("/admin/cardinality")
    expect(screen.page.get_by_role("table", name="Metrics with most series")).to_be_visible()
    screen.settle()
    assert screen.findings() == []


def test_terms_are_saved_after_their_preview(screen_of: Make, site: Site, archived: None) -> None:
    screen = screen_of(site.cast.alice).open("/admin/storage")
    page = screen.page
    page.get_by_role("button", name="Change terms").click()
    page.get_by_label("Raw (days)").fill("1")
    page.get_by_label("5 minutes (days)").fill("80")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("table", name="What goes")).to_be_visible()
    page.get_by_role("button", name="Save terms").click()
    expect(page.get_by_role("table", name="Stored by resolution").get_by_role("row").nth(2)).to_contain_text("80 d")
    page.get_by_role("button", name="Change terms").click()
    page.get_by_label("Raw (days)").fill("90")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("alert").filter(has_text="at least as long as raw")).to_be_visible()


def test_an_archive_is_brought_back_and_a_viewer_only_looks(screen_of: Make, site: Site, archived: None) -> None:
    screen = screen_of(site.cast.alice).open("/admin/storage")
    screen.page.get_by_role("button", name="Restore ").first.click()
    screen.page.get_by_role("button", name="Restore", exact=True).last.click()
    expect(screen.page.get_by_text("A worker brings the samples back", exact=False)).to_be_visible()
    screen.page.get_by_role("link", name="Older").click()
    expect(screen.page.get_by_role("table", name="Archives").get_by_role("row")).to_have_count(4)
    looks = screen_of(site.cast.vera).open("/admin/storage")
    expect(looks.page.get_by_role("table", name="Archives")).to_be_visible()
    assert looks.page.get_by_role("button", name="Change terms").count() == 0
    assert looks.page.get_by_role("button", name="Restore").count() == 0


def test_a_closed_tenant_is_erased_by_typing_its_name(screen_of: Make, site: Site, connected: Site) -> None:
    tenants.create(operator(), "initech")
    tenants.close(operator(), "initech")
    screen = screen_of(site.cast.paula).open("/admin/tenants")
    page = screen.page
    page.get_by_role("button", name="Erase initech").click()
    expect(page.get_by_role("table", name="What there is of initech")).to_contain_text("rule groups")
    page.get_by_label("Type initech to erase it").fill("initek")
    page.get_by_role("button", name="Erase tenant").click()
    expect(page.get_by_role("alert").filter(has_text="not what you typed")).to_be_visible()
    page.get_by_label("Type initech to erase it").fill("initech")
    page.get_by_role("button", name="Erase tenant").click()
    expect(page.get_by_role("table", name="Erased tenants")).to_contain_text("under way")
