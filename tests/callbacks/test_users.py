"""Admin, users: made with a password that is shown once, changed, disabled, removed."""

from __future__ import annotations

import pytest
from redis import Redis

from app.domain.tenancy import Viewer
from app.errors import InvalidInput, NotFound, WatchfloorError
from app.queries import users as queries
from callbacks import users
from callbacks.admin import Command
from tests.factories.cast import Cast
from tests.factories.screens import acting, attributes, words

NEW = {"email": "nora@acme.example", "name": "Nora", "role": "viewer"}


def nora(viewer: Viewer) -> int:
    """Make Nora; answers her id."""
    with acting(viewer):
        reply = users.run(Command("create", form=NEW))
    assert "nora@acme.example" in words(reply.body)
    assert len(attributes(reply.body, "data-copy")[0]) >= 12
    return next(each.id for each in queries.users(viewer) if each.email == NEW["email"])


def test_a_user_is_made_changed_disabled_and_removed(cast: Cast, valkey: Redis) -> None:
    number = str(nora(cast.alice))
    with acting(cast.alice):
        assert users.run(Command("edit", number)).title == "Nora"
        assert users.run(Command("change", number, {"name": "Nora B", "role": "analyst"})).changed
        assert queries.user(cast.alice, int(number)).role == "analyst"
        assert "signed out everywhere" in words(users.run(Command("ask-disable", number)).body)
        users.run(Command("disable", number))
        assert "disabled" in words(users.show("", 0, 0))
        users.run(Command("enable", number))
        assert attributes(users.run(Command("reset", number)).body, "data-copy")
        users.run(Command("remove", number))
        assert "Nora" not in words(users.show("", 0, 0))


def test_the_list_marks_oneself_and_offers_a_viewer_nothing(cast: Cast) -> None:
    with acting(cast.alice):
        found = users.show("", 0, 0)
    assert "Alice   you" in words(found)
    assert "Charlie" not in words(found)
    assert "Disable Bob" in attributes(found, "aria-label")


@pytest.mark.parametrize("form", [{**NEW, "email": "no"}, {**NEW, "role": "king"}, {**NEW, "name": ""}])
def test_what_is_wrong_is_said(cast: Cast, form: dict[str, str]) -> None:
    with acting(cast.alice), pytest.raises((InvalidInput, NotFound)):
        users.run(Command("create", form=form))


def test_charlie_of_globex_touches_nobody_of_acme(cast: Cast, valkey: Redis) -> None:
    number = str(cast.bob.user_id)
    with acting(cast.charlie):
        assert "Bob" not in words(users.show("", 0, 0))
        for verb in ("edit", "change", "reset", "disable", "enable", "remove", "ask-remove"):
            with pytest.raises(WatchfloorError):
                users.run(Command(verb, number, {"name": "x", "role": "admin"}))
    assert queries.user(cast.alice, int(number)).name == "Bob"
