"""Admin, ingest: what was refused and the dead letters, of one's own tenant."""

from __future__ import annotations

import pytest
from redis import Redis

from app.domain.samples import TOO_OLD, Rejection
from app.errors import Forbidden
from app.tsdb.refused import Sender, record_rejected
from callbacks import ingest
from callbacks.admin import Command
from tests.factories.cast import Cast
from tests.factories.dead_letters import bury
from tests.factories.screens import acting, words


def test_refusals_are_shown_by_agent_and_reason(cast: Cast, valkey: Redis) -> None:
    record_rejected(cast.acme, [Rejection(3, TOO_OLD, 12)], Sender("edge-1", "influx", "request-1"))
    with acting(cast.vera):
        shown = words(ingest.show("", 0, 0))
        assert "Too old" in shown and TOO_OLD in shown and "edge-1" in shown
        assert "edge-1" in words(ingest.show("?agent=edge-1&before=x", 0, 0))


def test_charlie_of_globex_is_shown_nothing_of_acmes(cast: Cast, valkey: Redis) -> None:
    record_rejected(cast.acme, [Rejection(3, TOO_OLD, 12)], Sender("edge-1", "influx", "request-1"))
    bury(cast.acme, "1770000000000-1")
    with acting(cast.charlie):
        shown = words(ingest.show("?agent=edge-1", 0, 0))
    assert "Nothing was refused" in shown
    assert "edge-1" not in shown and "no such thing" not in shown


def test_dead_letters_are_replayed_and_discarded(cast: Cast, valkey: Redis) -> None:
    for number in (1, 2, 3):
        bury(cast.acme, f"177000000000{number}-1")
    with acting(cast.alice):
        assert "no such thing" in words(ingest.show("", 0, 0))
        assert ingest.run(Command("ask-discard", "1:1770000000001-1")).body is not None
        ingest.run(Command("discard", "1:1770000000001-1"))
        ingest.run(Command("replay", "1:1770000000002-1"))
        assert "1 are" in ingest.run(Command("replay-all")).notice
        assert "no such thing" not in words(ingest.show("", 0, 0))
    with acting(cast.vera), pytest.raises(Forbidden):
        ingest.run(Command("replay", "1:1770000000003-1"))
