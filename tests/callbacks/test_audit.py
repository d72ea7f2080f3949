"""Admin, audit: who changed what, filtered by the address, and whether the chain holds."""

from __future__ import annotations

from redis import Redis

from callbacks import audit, users
from callbacks.admin import Command
from tests.factories.cast import Cast
from tests.factories.screens import acting, words


def test_entries_are_listed_filtered_and_verified(cast: Cast, valkey: Redis) -> None:
    with acting(cast.alice):
        users.run(Command("change", str(cast.bob.user_id), {"name": "Robert", "role": "analyst"}))
        listed = words(audit.show("", 0, 0))
        assert "name: Bob → Robert" in listed
        assert "No entries match" in words(audit.show("?action=nothing", 0, 0))
        assert "Robert" in words(audit.show("?noun=users&before=x", 0, 0))
        assert audit.run(Command("verify")).title == "The chain is intact"


def test_charlie_of_globex_reads_nothing_of_acme(cast: Cast, valkey: Redis) -> None:
    with acting(cast.alice):
        users.run(Command("change", str(cast.bob.user_id), {"name": "Robert", "role": "analyst"}))
    with acting(cast.charlie):
        assert "Robert" not in words(audit.show("", 0, 0))
