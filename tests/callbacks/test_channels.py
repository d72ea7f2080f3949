"""Admin, channels: made with a signing secret that is shown once, changed, tested, deleted."""

from __future__ import annotations

import pytest
from redis import Redis

from app.auth.sealing import open_keyring
from app.errors import WatchfloorError
from app.notify.base import open_outbound
from app.queries import channels as queries
from app.settings import Settings
from callbacks import channels
from callbacks.admin import Command
from tests.factories.cast import Cast
from tests.factories.screens import acting, attributes, words
from tests.factories.servers import SECRET_KEY

MAIL = {"kind": "email", "name": "ops", "to": "ops@acme.example", "severity": "major", "enabled": ["on"]}
HOOK = {"kind": "webhook", "name": "hook", "url": "https://9.9.9.9/in", "severity": "minor", "resolved": ["on"]}


@pytest.fixture(autouse=True)
def keyring(cast: Cast, valkey: Redis) -> None:
    """Secrets of channels are sealed; the operator provides a mail server."""
    open_keyring(SECRET_KEY)
    open_outbound(Settings.from_env({"WATCHFLOOR_SMTP_URL": "smtp://127.0.0.1:2525"}))


def test_a_channel_is_made_changed_and_deleted(cast: Cast) -> None:
    with acting(cast.alice):
        assert "No channels yet" in words(channels.show("", 0, 0))
        assert "Mail addresses" in attributes(channels.run(Command("new-email")).body, "label")
        channels.run(Command("save", form=MAIL))
        [made] = queries.channels(cast.alice)
        assert "ops@acme.example" in words(channels.show("", 0, 0))
        channels.run(Command("save", str(made.id), {**MAIL, "name": "night"}))
        assert "night" in words(channels.show("", 0, 0))
        assert channels.run(Command("edit", str(made.id))).title == "night"
        channels.run(Command("delete", str(made.id)))
    assert queries.channels(cast.alice) == []


def test_a_webhook_tells_its_secret_once(cast: Cast) -> None:
    with acting(cast.alice):
        reply = channels.run(Command("save", form=HOOK))
        [secret] = attributes(reply.body, "data-copy")
        assert secret not in words(channels.show("", 0, 0))


@pytest.mark.parametrize("change", [{"url": "ftp://x"}, {"name": ""}, {"url": ""}, {"url": "http://10.0.0.1/in"}])
def test_what_is_wrong_is_said(cast: Cast, change: dict[str, str]) -> None:
    with acting(cast.alice), pytest.raises(WatchfloorError):
        channels.run(Command("save", form={**HOOK, **change}))


def test_charlie_of_globex_sees_and_changes_none_of_acme(cast: Cast) -> None:
    with acting(cast.alice):
        channels.run(Command("save", form=MAIL))
    number = str(queries.channels(cast.alice)[0].id)
    with acting(cast.charlie):
        assert "ops" not in words(channels.show("", 0, 0))
        for verb in ("edit", "save", "test", "ask-delete", "delete"):
            with pytest.raises(WatchfloorError):
                channels.run(Command(verb, number, MAIL))
    assert len(queries.channels(cast.alice)) == 1
