"""The triage page: its list, its detail, and what its keys do."""

from __future__ import annotations

from typing import Any

import pytest
from redis import Redis

from app.auth.sealing import open_keyring
from app.domain.alerting.state import State
from app.domain.tenancy import Viewer
from app.errors import Forbidden
from app.queries import alerts as queries
from app.ui.urlstate import Query
from callbacks import alerts
from tests.factories.alerting import Rounds, down
from tests.factories.cast import Cast
from tests.factories.screens import acting, words
from tests.factories.servers import SECRET_KEY


@pytest.fixture
def rounds(cast: Cast, valkey: Redis) -> Rounds:
    """Two devices of acme do not answer."""
    open_keyring(SECRET_KEY)
    rounds = Rounds(cast.alice)
    rounds.round(down("r1"), down("r2", site="oslo"))
    return rounds


def rows(viewer: Viewer, search: str = "") -> list[dict[str, Any]]:
    with acting(viewer):
        return alerts.show_rows(search, None, 0, None)[0]


def test_the_list_with_its_chips_and_counts(cast: Cast, rounds: Rounds) -> None:
    with acting(cast.vera):
        found, chips, total, empty, _late = alerts.show_rows("?view=open", None, 0, None)
    assert {row["device"] for row in found} == {"r1", "r2"}
    assert {row["status"] for row in found} == {"new"}
    assert "Critical 2" in words(chips)
    assert total == "2 open, 2 need action"
    assert empty is None


def test_the_address_filters(cast: Cast, rounds: Rounds) -> None:
    assert [row["device"] for row in rows(cast.vera, "?f=site:oslo")] == ["r2"]
    assert [row["device"] for row in rows(cast.vera, "?f=device:r1&f=sev:critical,minor")] == ["r1"]
    assert rows(cast.vera, "?f=sev:minor") == []
    assert rows(cast.vera, "?view=resolved") == []


@pytest.mark.parametrize(
    ("search", "says"),
    [
        ("?f=sev:minor&q=x", "sev minor"),
        ("?view=mine", "Nothing is assigned to you"),
        ("?view=snoozed", "Nothing is snoozed"),
        ("?view=resolved", "Nothing has been resolved yet"),
    ],
)
def test_an_empty_list_says_why(cast: Cast, rounds: Rounds, search: str, says: str) -> None:
    with acting(cast.vera):
        assert says in words(alerts.show_rows(search, None, 0, None)[3])


def test_a_view_is_a_set_of_states() -> None:
    assert alerts.filter_of(Query.parse("?view=all")).states == set(State)
    assert alerts.filter_of(Query.parse("")).needs_action


def test_the_detail_says_what_and_who(cast: Cast, rounds: Rounds) -> None:
    number = rows(cast.bob)[0]["id"]
    with acting(cast.bob):
        detail = words(alerts.show_detail(f"?sel={number}", None, 0, None))
    assert "does not answer" in detail
    assert "Acknowledge" in detail
    with acting(cast.vera):
        assert "Acknowledge" not in words(alerts.show_detail(f"?sel={number}", None, 0, None))
        assert "No alert chosen" in words(alerts.show_detail("?sel=x", None, 0, None))


def test_what_the_keys_do(cast: Cast, rounds: Rounds) -> None:
    number = rows(cast.bob)[0]["id"]
    with acting(cast.bob):
        for index, (verb, extra) in enumerate(
            [
                ("ack", {}),
                ("unack", {}),
                ("snooze", {"for": "1h"}),
                ("unsnooze", {}),
                ("assign", {"user": str(cast.bob.user_id)}),
                ("comment", {"text": "looking"}),
                ("expected", {}),
                ("unjudge", {}),
                ("real", {}),
                ("resolve", {}),
            ]
        ):
            answer = alerts.run_command({"verb": verb, "ids": [number], "n": index, **extra})
            assert answer == {"n": index, "done": [number], "refused": []}, verb
    assert queries.alert(cast.bob, number).state is State.RESOLVED


def test_the_second_is_refused_and_told_why(cast: Cast, rounds: Rounds) -> None:
    number = rows(cast.bob)[0]["id"]
    with acting(cast.alice):
        alerts.run_command({"verb": "ack", "ids": [number], "n": 1})
    with acting(cast.bob) as shown:
        answer = alerts.run_command({"verb": "ack", "ids": [number], "n": 2})
    assert answer["refused"] == [number]
    assert "Alice" in shown.notice


@pytest.mark.parametrize("command", [{"verb": "erase", "ids": [1]}, {"verb": "ack", "ids": []}])
def test_nonsense_is_answered(cast: Cast, db: object, command: dict[str, Any]) -> None:
    with acting(cast.bob) as shown:
        assert alerts.run_command({**command, "n": 1})["done"] == []
    assert "not something that can be done" in shown.notice


def test_a_viewer_changes_nothing(cast: Cast, rounds: Rounds) -> None:
    number = rows(cast.vera)[0]["id"]
    with acting(cast.vera) as shown:
        alerts.run_command({"verb": "ack", "ids": [number], "n": 1})
    assert "does not allow to write alerts" in shown.notice
    assert queries.alert(cast.bob, number).acknowledged_at is None
    with acting(cast.vera), pytest.raises(Forbidden):
        alerts.run_command.__wrapped__({"verb": "ack", "ids": [number], "n": 1})


def test_charlie_of_globex_sees_and_does_nothing_of_acme(cast: Cast, rounds: Rounds) -> None:
    number = rows(cast.bob)[0]["id"]
    assert rows(cast.charlie, "?view=all") == []
    with acting(cast.charlie) as shown:
        detail = words(alerts.show_detail(f"?sel={number}", None, 0, None))
        answer = alerts.run_command({"verb": "ack", "ids": [number], "n": 1})
        people = words(alerts.show_people(""))
    assert "r1" not in detail and "r2" not in detail
    assert answer["done"] == []
    assert shown.notice
    assert "Bob" not in people
    assert queries.alert(cast.bob, number).acknowledged_at is None
