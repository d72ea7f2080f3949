"""Admin, tenants: for platform admins alone."""

from __future__ import annotations

import pytest
from redis import Redis

from app.errors import Forbidden, InvalidInput
from app.queries import tenants as queries
from callbacks import tenants
from callbacks.admin import Command
from tests.factories.cast import Cast
from tests.factories.screens import acting, attributes, words


def test_a_tenant_is_made_changed_and_closed(cast: Cast, valkey: Redis) -> None:
    with acting(cast.paula):
        reply = tenants.run(Command("create", form={"name": "initech", "title": "Initech", "from": "2026-01-01"}))
        assert "initech is made" in reply.notice
        body = tenants.run(Command("edit", "initech")).body
        form = dict(zip(attributes(body, "name"), attributes(body, "value"), strict=False))
        assert form["title"] == "Initech"
        tenants.run(Command("change", "initech", {**form, "title": "Initech Ltd"}))
        assert queries.tenant(cast.paula, "initech").title == "Initech Ltd"
        with pytest.raises(InvalidInput, match="whole number"):
            tenants.run(Command("change", "initech", {"title": "x"}))
        with pytest.raises(InvalidInput, match="typed"):
            tenants.run(Command("close-it", "initech", {"typed": "init"}))
        tenants.run(Command("close-it", "initech", {"typed": "initech"}))
        assert "closed" in words(tenants.show("", 0, 0))


@pytest.mark.parametrize("name", ["alice", "charlie"])
def test_an_admin_of_one_tenant_sees_no_tenants(cast: Cast, name: str) -> None:
    with acting(getattr(cast, name)), pytest.raises(Forbidden):
        tenants.show("", 0, 0)
