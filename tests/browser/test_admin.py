"""Admin and Account: people, tokens, rules, and what a viewer is not shown."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import Screen, Site
from tests.browser.seed import PASSWORD

Make = Callable[..., Screen]


def dialog_of(screen: Screen) -> Locator:
    """The open dialog, drawn."""
    dialog = screen.page.get_by_role("dialog")
    expect(dialog).to_be_visible(timeout=20_000)
    screen.settle()
    return dialog


def test_a_person_is_made_given_a_role_and_disabled(screen_of: Make, site: Site) -> None:
    screen = screen_of(site.cast.alice).open("/admin/users")
    page = screen.page
    page.keyboard.press("n")
    dialog = dialog_of(screen)
    expect(dialog.get_by_label("E-mail")).to_be_focused()
    dialog.get_by_label("E-mail").fill("nora@acme.example")
    dialog.get_by_label("Name").fill("Nora")
    dialog.get_by_role("button", name="Create user").click()
    expect(dialog.get_by_test_id("secret")).to_be_visible(timeout=20_000)
    dialog.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Edit Nora").click()
    dialog_of(screen).get_by_label("Role").select_option("viewer")
    page.get_by_role("button", name="Save").click()
    row = page.get_by_role("row").filter(has_text="nora@acme.example")
    expect(row).to_contain_text("viewer", timeout=20_000)
    page.get_by_role("button", name="Disable Nora").click()
    dialog_of(screen).get_by_role("button", name="Disable").click()
    expect(row).to_contain_text("disabled", timeout=20_000)
    screen.settle()


def test_a_token_shows_its_secret_once(screen_of: Make, site: Site) -> None:
    screen = screen_of(site.cast.alice).open("/admin/tokens")
    page = screen.page
    page.keyboard.press("n")
    dialog = dialog_of(screen)
    dialog.get_by_label("Name").fill("edge one")
    dialog.get_by_role("button", name="Create token").click()
    secret = dialog.get_by_test_id("secret")
    expect(secret).to_contain_text("wf_", timeout=20_000)
    text = secret.inner_text()
    dialog.get_by_role("button", name="Close").click()
    expect(page.get_by_role("region", name="Tokens", exact=True)).to_contain_text("edge one", timeout=20_000)
    assert text not in page.content()


def test_a_rule_with_a_mistake_says_so_in_the_form(screen_of: Make, site: Site) -> None:
    screen = screen_of(site.cast.alice).open("/admin/rules")
    page = screen.page
    page.keyboard.press("n")
    dialog = dialog_of(screen)
    dialog.get_by_label("Name").fill("Busy")
    dialog.get_by_label("Expression").fill("avg by ((")
    dialog.get_by_role("button", name="Save rule").click()
    expect(dialog.get_by_role("alert")).to_contain_text("parse error", timeout=20_000)
    dialog.get_by_label("Expression").fill("cpu_utilisation_ratio > 2")
    dialog.get_by_role("button", name="How often would it have fired?").click()
    expect(dialog.get_by_role("status")).to_contain_text("It would not have fired", timeout=30_000)
    dialog.get_by_role("button", name="Save rule").click()
    expect(page.get_by_role("row").filter(has_text="Busy")).to_be_visible(timeout=20_000)
    screen.settle()


def test_a_private_address_is_refused_with_a_reason(screen_of: Make, site: Site) -> None:
    screen = screen_of(site.cast.alice).open("/admin/channels")
    screen.page.keyboard.press("n")
    dialog = dialog_of(screen)
    dialog.get_by_label("Name").fill("ops")
    dialog.get_by_label("URL").fill("http://10.0.0.1/hook")
    dialog.get_by_role("button", name="Save channel").click()
    expect(dialog.get_by_role("alert")).not_to_be_empty(timeout=20_000)


def test_the_chain_of_the_audit_log_is_checked(screen_of: Make, site: Site) -> None:
    screen = screen_of(site.cast.alice).open("/admin/audit")
    screen.page.get_by_role("button", name="Verify chain").click()
    expect(screen.page.get_by_role("dialog", name="The chain is intact")).to_be_visible(timeout=20_000)


def test_a_viewer_is_told_which_role_is_missing(screen_of: Make, site: Site) -> None:
    page = screen_of(site.cast.vera).open("/admin/users").page
    expect(page.get_by_text("The role viewer does not allow to read users")).to_be_visible()
    assert "bob@acme.example" not in page.content()


def test_another_session_is_signed_out(screen_of: Make, site: Site) -> None:
    other = screen_of(site.cast.paula).open("/account").page
    other.close()  # an open page would notice by itself, at any moment of this test
    screen = screen_of(site.cast.paula).open("/account")
    screen.page.get_by_role("button", name="Sign out").first.click()
    screen.until(lambda: "/login" in other.context.request.get(site.url + "/account").url)
    screen.settle()


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("section", ["users", "tokens", "rules", "channels", "credentials"])
def test_nobody_is_shut_out_of_a_dialog(screen_of: Make, site: Site, section: str, theme: str) -> None:
    screen = screen_of(site.cast.alice, theme=theme).open(f"/admin/{section}")
    screen.page.keyboard.press("n")
    dialog_of(screen)
    assert screen.findings() == []


def test_a_password_is_changed_and_a_wrong_one_is_said_in_the_form(screen_of: Make, site: Site) -> None:
    screen = screen_of(site.cast.vera).open("/account")
    page = screen.page
    for current, new, says in (
        ("not this one", "a brand new passphrase", "is not right"),
        (PASSWORD, "short", "needs at least 12"),
        (PASSWORD, "a brand new passphrase", "is changed"),
        ("a brand new passphrase", PASSWORD, "is changed"),
    ):
        page.get_by_label("Present password").fill(current)
        page.get_by_label("New password").fill(new)
        page.get_by_role("button", name="Change password").click()
        expect(page.get_by_role("alert").filter(has_text=says)).to_be_visible(timeout=20_000)
        screen.settle()
