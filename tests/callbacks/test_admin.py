"""How every section of Admin answers a command: dialogs, notices, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from dash import Dash, no_update

from app.errors import Forbidden, InvalidInput
from callbacks import admin, audit, channels, credentials, roles, rules, tenants, tokens, users
from callbacks.admin import Command, Reply, done, opened, told
from tests.factories.cast import Cast
from tests.factories.screens import acting, words

SECTIONS = (users, roles, tokens, rules, channels, credentials, audit, tenants)


def answer(reply: Reply | Exception, data: dict[str, Any] | None, version: int = 3) -> Any:
    """What a section's callback gives for a command that `reply` is the answer to."""

    def run(_command: Command) -> Reply:
        if isinstance(reply, Exception):
            raise reply
        return reply

    return admin._answering("users", run)(data, version)


def test_a_command_reads_what_the_browser_sends() -> None:
    command = Command("save", "12", {"name": " x ", "grant": ["a", "b"], "one": "c"})
    assert (command.text("name"), command.text("absent"), command.number) == ("x", "", 12)
    assert (command.many("grant"), command.many("one"), command.many("absent")) == (["a", "b"], ["c"], [])
    assert Command("save", "²").number == 0


def test_the_answers_open_close_and_count(cast: Cast) -> None:
    with acting(cast.alice) as shown:
        assert answer(done("Saved."), {"verb": "x"})[0] is False
        assert answer(done("Saved."), {"verb": "x"})[3] == 4
        assert shown.notice == "Saved."
        assert answer(opened("New", "body"), {"verb": "x"}) == (True, "New", "body", no_update)  # type: ignore[arg-type]
        assert answer(told("Made", "secret"), {"verb": "x"}) == (True, "Made", "secret", 4)  # type: ignore[arg-type]
        assert answer(admin.KEPT, {"verb": "x"}) == (no_update,) * 4
        assert answer(done(""), None) == (no_update,) * 4
        assert answer(done(""), {"verb": "close"})[:3] == (False, no_update, None)


def test_an_error_stands_in_the_form_or_in_a_notice(cast: Cast) -> None:
    wrong = InvalidInput("name", "is empty")
    with acting(cast.alice) as shown:
        assert answer(wrong, {"verb": "x", "form": {"name": ""}}) == (no_update,) * 4
        assert "is empty" in shown["users-error"]["children"]
        assert not shown.notice
        answer(wrong, {"verb": "x"})
        assert "is empty" in shown.notice


@pytest.mark.parametrize("section", SECTIONS, ids=lambda each: each.__name__)
def test_each_section_refuses_what_it_does_not_know(cast: Cast, section: Any) -> None:
    with acting(cast.paula), pytest.raises(InvalidInput, match="not something that can be done"):
        section.run(Command("explode", "1"))


@pytest.mark.parametrize(
    "section", [users, roles, tokens, channels, credentials, audit, tenants], ids=lambda e: e.__name__
)
def test_a_viewer_of_acme_is_shown_none_of_it_and_does_nothing(cast: Cast, section: Any) -> None:
    with acting(cast.vera):
        with pytest.raises(Forbidden):
            section.show("", 0, 0)
        with pytest.raises(Forbidden):
            section.run(Command("new"))


@pytest.mark.parametrize("section", [*SECTIONS[:6]], ids=lambda each: each.__name__)
def test_the_form_for_a_new_one_opens(cast: Cast, section: Any) -> None:
    with acting(cast.alice):
        reply = section.run(Command("new"))
    assert reply.title.startswith("New ")
    assert "Cancel" in words(reply.body)


def test_binding_needs_nothing_else() -> None:
    assert admin.register(Dash("test")) is None  # type: ignore[func-returns-value]
