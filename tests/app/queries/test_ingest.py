"""What was refused, as its tenant sees it; and the dead letters, which another tenant neither sees nor touches."""

from __future__ import annotations

from datetime import timedelta

import pytest
from redis import Redis

from app.actions import dead_letters as actions
from app.clock import utc_now
from app.domain.refusals import Refusal
from app.domain.samples import TOO_OLD, Rejection
from app.errors import Forbidden, NotFound
from app.queries import audit, ingest
from app.queries.ingest import RejectedFilter
from app.tsdb.refused import Sender, forget, record_refused, record_rejected
from ingest import stream
from tests.factories.cast import Cast
from tests.factories.dead_letters import bury

EDGE = Sender("edge-1", "influx", "request-1")


def test_refusals_are_kept_with_sentences_and_counted_by_word(cast: Cast) -> None:
    rejected = [Rejection(0, TOO_OLD, 3), Rejection(7, "value is not a number"), Rejection(9, TOO_OLD)]
    for _ in range(2):
        record_rejected(cast.acme, rejected, EDGE)
    record_refused(cast.acme, EDGE, word=Refusal.OVER_RATE, sentence="over its rate", samples=50, requests=4)
    newest = ingest.rejected(cast.vera, limit=2)
    assert [(each.reason, each.count, each.position) for each in newest] == [
        ("over its rate", 50, -1),
        ("value is not a number", 1, 7),
    ]
    assert len(ingest.rejected(cast.vera, before=newest[0].id)) == 4
    assert ingest.rejected(cast.vera, RejectedFilter(agent="edge-2")) == []
    totals = ingest.totals(cast.vera, since=utc_now() - timedelta(hours=1))
    assert [(each.word, each.samples, each.requests) for each in totals] == [
        ("over_rate", 50, 4),
        ("too_old", 8, 2),
        ("malformed", 2, 2),
    ]
    assert {word: sum(b.values()) for word, b in ingest.course(cast.vera, since=utc_now()).items()} == {
        "over_rate": 50,
        "too_old": 8,
        "malformed": 2,
    }


def test_charlie_of_globex_sees_none_of_acmes(cast: Cast, valkey: Redis) -> None:
    record_rejected(cast.acme, [Rejection(0, TOO_OLD)], EDGE)
    bury(cast.acme, "1770000000000-1")
    assert ingest.rejected(cast.charlie) == []
    assert ingest.totals(cast.charlie, since=utc_now() - timedelta(hours=1)) == []
    assert ingest.course(cast.charlie, since=utc_now() - timedelta(hours=1)) == {}
    assert ingest.usage(cast.charlie).series == 0
    assert ingest.ever(cast.globex) == []
    assert ingest.dead_letters(cast.charlie) == []
    (letter,) = ingest.dead_letters(cast.vera)
    for act in (actions.replay, actions.discard):
        with pytest.raises(NotFound):
            act(cast.charlie, [letter.id])
    assert ingest.dead_letters(cast.vera) == [letter]


def test_counts_of_all_time_outlive_the_buckets(cast: Cast) -> None:
    record_rejected(cast.acme, [Rejection(0, TOO_OLD, 3)], EDGE)
    assert forget(cast.acme, now=utc_now() + timedelta(days=31)) == 1
    assert ingest.totals(cast.vera, since=utc_now() - timedelta(days=30)) == []
    assert ingest.ever(cast.acme) == [("edge-1", "influx", "too_old", 3, 1)]


def test_a_dead_letter_is_replayed_as_it_came(cast: Cast, valkey: Redis) -> None:
    bury(cast.acme, "1770000000000-1")
    (letter,) = ingest.dead_letters(cast.vera)
    assert (letter.source, letter.samples, letter.reason) == ("influx", 2, "no such thing")
    assert actions.replay(cast.alice, [letter.id]) == 1
    assert ingest.dead_letters(cast.vera) == []
    (entry,) = stream.read({1: stream.START}, count=10, block_ms=1)
    assert stream.columns(entry).values.tolist() == [256.0, 257.0]
    assert audit.entries(cast.alice)[0].action == "replay"
    with pytest.raises(NotFound):
        actions.replay(cast.alice, [letter.id])


def test_a_dead_letter_is_discarded(cast: Cast, valkey: Redis) -> None:
    bury(cast.acme, "1770000000000-1")
    actions.discard(cast.alice, ["1:1770000000000-1"])
    assert ingest.dead_letters(cast.vera) == []
    assert stream.waiting(1) == 0


@pytest.mark.parametrize("letter_id", ["", "1", "1:", "x:1-1", "99:1-1", "1:1-1-1", "1:+-1", "²:1-1"])
def test_what_is_no_dead_letter(cast: Cast, valkey: Redis, letter_id: str) -> None:
    with pytest.raises(NotFound):
        actions.discard(cast.alice, [letter_id])


def test_only_admins_act_on_dead_letters(cast: Cast, valkey: Redis) -> None:
    with pytest.raises(Forbidden):
        actions.replay(cast.vera, [])
    with pytest.raises(Forbidden):
        actions.discard(cast.bob, [])
