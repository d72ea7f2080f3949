"""Admin, roles: what each may do, as a table of ticks."""

from __future__ import annotations

import pytest
from redis import Redis

from app.errors import WatchfloorError
from app.queries import roles as queries
from callbacks import roles
from callbacks.admin import Command
from tests.factories.cast import Cast
from tests.factories.screens import acting, attributes, words

FORM = {"name": "nightshift", "title": "Night shift", "grant": ["*|read", "alerts|write", "nonsense"]}


def test_a_role_is_made_changed_and_removed(cast: Cast, valkey: Redis) -> None:
    with acting(cast.alice):
        roles.run(Command("save", form=FORM))
        assert "Night shift" in words(roles.show("", 0, 0))
        assert ("alerts", "write") in queries.role(cast.alice, "nightshift").grants
        body = roles.run(Command("edit", "nightshift")).body
        assert "write alerts" in attributes(body, "aria-label")
        roles.run(Command("save", "nightshift", {**FORM, "grant": ["*|read"]}))
        assert ("alerts", "write") not in queries.role(cast.alice, "nightshift").grants
        roles.run(Command("remove", "nightshift"))
        assert "Night shift" not in words(roles.show("", 0, 0))


def test_charlie_of_globex_sees_none_of_acmes_roles(cast: Cast, valkey: Redis) -> None:
    with acting(cast.alice):
        roles.run(Command("save", form=FORM))
    with acting(cast.charlie):
        assert "Night shift" not in words(roles.show("", 0, 0))
        with pytest.raises(WatchfloorError):
            roles.run(Command("remove", "nightshift"))
    assert queries.role(cast.alice, "nightshift").title == "Night shift"
