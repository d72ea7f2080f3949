"""Account: oneself, and one's own sessions only."""

from __future__ import annotations

from redis import Redis

from app.auth.sessions import start_session
from app.domain.tenancy import Viewer
from app.queries import account as queries
from callbacks import account
from models.session import platform_session
from tests.factories.cast import Cast
from tests.factories.screens import acting, words

CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"


def sign_in(viewer: Viewer, user_agent: str) -> None:
    assert viewer.user_id is not None
    with platform_session() as session:
        start_session(session, viewer.user_id, viewer.tenant, address="127.0.0.1", user_agent=user_agent)


def test_who_one_is_and_what_one_likes(cast: Cast) -> None:
    with acting(cast.bob):
        assert "bob@acme.example" in words(account.show_who(0, 0))
        assert "Keyboard shortcuts" in words(account.show_likes(0, 0))


def test_one_ends_ones_own_sessions(cast: Cast, valkey: Redis) -> None:
    sign_in(cast.bob, CHROME)
    sign_in(cast.bob, "curl")
    with acting(cast.bob) as shown:
        assert "Chrome on Linux" in words(account.show_sessions(0, 0))
        [first, _] = queries.sessions(cast.bob)
        assert account.run({"verb": "end", "id": str(first.id)}, 2) == 3
    assert "signed out" in shown.notice
    assert len(queries.sessions(cast.bob)) == 1


def test_charlie_ends_no_session_of_bob(cast: Cast, valkey: Redis) -> None:
    sign_in(cast.bob, CHROME)
    [session] = queries.sessions(cast.bob)
    with acting(cast.charlie) as shown:
        account.run({"verb": "end", "id": str(session.id)}, 0)
        account.run({"verb": "erase", "id": "1"}, 0)
        assert "Chrome" not in words(account.show_sessions(0, 0))
    assert shown.notice
    assert len(queries.sessions(cast.bob)) == 1
