"""Admin, credentials: write-only."""

from __future__ import annotations

import pytest
from redis import Redis

from app.auth.sealing import open_keyring
from app.errors import WatchfloorError
from app.queries import credentials as queries
from callbacks import credentials
from callbacks.admin import Command
from tests.factories.cast import Cast
from tests.factories.screens import acting, attributes, words
from tests.factories.servers import SECRET_KEY

FORM = {"name": "core", "kind": "snmp_v2c", "community": "n0t-public"}


@pytest.fixture(autouse=True)
def keyring(cast: Cast, valkey: Redis) -> None:
    """What devices ask for is sealed."""
    open_keyring(SECRET_KEY)


def test_a_credential_is_made_replaced_and_deleted_and_never_shown(cast: Cast) -> None:
    with acting(cast.alice):
        credentials.run(Command("create", form=FORM))
        listed = credentials.show("", 0, 0)
        assert "core" in words(listed) and "sealed" in words(listed)
        edit = credentials.run(Command("edit", "core")).body
        assert "n0t-public" not in words(listed) + words(edit) + str(attributes(edit, "value"))
        credentials.run(Command("change", "core", {"community": "an0ther-one"}))
        credentials.run(Command("delete", "core"))
    assert queries.credentials(cast.alice) == []


def test_charlie_of_globex_sees_and_changes_none_of_acme(cast: Cast) -> None:
    with acting(cast.alice):
        credentials.run(Command("create", form=FORM))
    with acting(cast.charlie):
        assert "core" not in words(credentials.show("", 0, 0))
        for verb in ("change", "delete"):
            with pytest.raises(WatchfloorError):
                credentials.run(Command(verb, "core", {"community": "stolen-one"}))
    assert [each.name for each in queries.credentials(cast.alice)] == ["core"]
