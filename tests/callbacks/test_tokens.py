"""Admin, tokens: the secret is shown once, with what to do with it."""

from __future__ import annotations

import pytest
from redis import Redis

from app.errors import InvalidInput, WatchfloorError
from app.queries import tokens as queries
from callbacks import tokens
from callbacks.admin import Command
from tests.factories.cast import Cast
from tests.factories.screens import acting, attributes, words


def test_a_token_is_made_listed_and_revoked(cast: Cast, valkey: Redis) -> None:
    with acting(cast.alice):
        assert "No tokens yet" in words(tokens.show("", 0, 0))
        form = {"name": "edge", "scopes": ["ingest"], "life": "30", "ranges": "10.0.0.0/8"}
        reply = tokens.run(Command("create", form=form))
        secret = attributes(reply.body, "data-copy")[0]
        assert secret.startswith("wf_")
        assert "/api/v1/ingest" in words(reply.body)
        listed = words(tokens.show("", 0, 0))
        assert "edge" in listed and "ingest" in listed
        assert secret not in listed
        [token] = queries.tokens(cast.alice)
        assert "cannot be taken back" in words(tokens.run(Command("ask-revoke", str(token.id))).body)
        tokens.run(Command("revoke", str(token.id)))
        assert "revoked" in words(tokens.show("", 0, 0))


def test_a_reader_is_shown_how_to_read(cast: Cast, valkey: Redis) -> None:
    with acting(cast.alice):
        reply = tokens.run(Command("create", form={"name": "grafana", "scopes": ["read"], "life": ""}))
    assert "/api/v1/query" in words(reply.body)


@pytest.mark.parametrize(
    "form",
    [
        {"name": "", "scopes": ["read"]},
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["read"], "ranges": "near"},
    ],
)
def test_what_is_wrong_is_said(cast: Cast, form: dict[str, object]) -> None:
    with acting(cast.alice), pytest.raises(InvalidInput):
        tokens.run(Command("create", form=form))


def test_charlie_of_globex_revokes_none_of_acme(cast: Cast, valkey: Redis) -> None:
    with acting(cast.alice):
        tokens.run(Command("create", form={"name": "edge", "scopes": ["ingest"]}))
    [token] = queries.tokens(cast.alice)
    with acting(cast.charlie):
        assert "edge" not in words(tokens.show("", 0, 0))
        with pytest.raises(WatchfloorError):
            tokens.run(Command("revoke", str(token.id)))
    assert queries.tokens(cast.alice)[0].revoked_at is None
