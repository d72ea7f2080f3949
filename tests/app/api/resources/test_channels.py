"""Channels over REST: secrets go in and do not come out, addresses are guarded."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import select

from app.actions.channels import ChannelDraft, create_channel
from app.auth.sealing import open_keyring
from app.domain.tenancy import Scope
from app.errors import Forbidden
from app.notify.base import Outbound, use_outbound
from app.notify.webhook import signature
from models.alerting import ChannelRow
from models.audit import AuditRow
from models.session import tenant_session
from tests.factories.browser import make_server, token_for
from tests.factories.cast import Cast
from tests.factories.servers import SECRET_KEY
from tests.fakes.http_receiver import Receiver, http_receiver

CANARY = "canary-7f3a9c"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with http_receiver() as running:
        yield running


@pytest.fixture
def client(cast: Cast, valkey: Redis) -> Any:
    use_outbound(Outbound(base_url="https://noc.example", allow=(ip_network("127.0.0.0/8"),)))
    open_keyring(SECRET_KEY)
    return make_server().test_client()


def body(receiver: Receiver, **changes: Any) -> dict[str, Any]:
    return {"name": "hook", "kind": "webhook", "config": {"url": receiver.url}, "secret": CANARY, **changes}


def test_a_channel_from_making_to_deleting(client: Any, cast: Cast, receiver: Receiver) -> None:
    headers = token_for(cast.alice, Scope.ADMIN)
    # A token acts with the rights of its scopes; channels are for admins.
    made = client.post("/api/v1/channels", json=body(receiver), headers=headers)
    assert (made.status_code, made.json["secret"]) == (201, None)
    path = f"/api/v1/channels/{made.json['id']}"
    shown = client.get(path, headers=headers)
    assert (shown.json["has_secret"], shown.json["config"]) == (True, {"url": receiver.url})
    changed = client.put(path, json=body(receiver, secret=None, min_severity="critical"), headers=headers).json
    assert (changed["min_severity"], changed["has_secret"]) == ("critical", True)
    assert (
        client.put(path, json=body(receiver, kind="email", config={"to": "a@b.c"}), headers=headers).status_code == 400
    )
    assert client.post("/api/v1/channels", json=body(receiver), headers=headers).status_code == 409
    assert client.delete(path, headers=headers).status_code == 204
    assert client.get("/api/v1/channels", headers=headers).json["items"] == []


def test_a_secret_that_we_make_is_told_once(client: Any, cast: Cast, receiver: Receiver) -> None:
    headers = token_for(cast.alice, Scope.ADMIN)
    made = client.post("/api/v1/channels", json=body(receiver, secret=None), headers=headers).json
    assert len(made["secret"]) == 64
    assert made["secret"] not in client.get(f"/api/v1/channels/{made['id']}", headers=headers).text
    assert client.post(f"/api/v1/channels/{made['id']}/test", headers=headers).json["is_sent"]
    [sent] = receiver.requests
    stamp = sent.headers["x-watchfloor-timestamp"]
    assert sent.headers["x-watchfloor-signature"] == signature(made["secret"], stamp, sent.body)
    assert sent.json()["notification_reason"] == "test"


def test_a_secret_is_nowhere_in_the_clear(client: Any, cast: Cast, receiver: Receiver) -> None:
    headers = token_for(cast.alice, Scope.ADMIN)
    client.post("/api/v1/channels", json=body(receiver), headers=headers)
    assert CANARY not in client.get("/api/v1/channels", headers=headers).text
    with tenant_session(cast.acme) as session:
        [row] = session.scalars(select(ChannelRow))
        assert row.sealed_secret is not None and CANARY.encode() not in row.sealed_secret
        for entry in session.scalars(select(AuditRow).where(AuditRow.noun == "channels")):
            assert CANARY not in repr((entry.before, entry.after))


@pytest.mark.parametrize("url", ["http://10.0.0.1/", "http://[::1]/", "http://169.254.169.254/", "ftp://x/", "x", 7])
def test_an_address_of_ours_is_refused(client: Any, cast: Cast, receiver: Receiver, url: Any) -> None:
    answer = client.post(
        "/api/v1/channels", json=body(receiver, config={"url": url}), headers=token_for(cast.alice, Scope.ADMIN)
    )
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": "a\r\nb"},
        {"kind": "pigeon"},
        {"config": {}},
        {"config": {"url": "https://example.org/", "x": 1}},
        {"kind": "email", "config": {"to": ["a@b.c\r\nBcc: d@e.f"]}},
        {"min_severity": "bad"},
    ],
)
def test_a_channel_that_could_not_work_is_refused(
    client: Any, cast: Cast, receiver: Receiver, change: dict[str, Any]
) -> None:
    answer = client.post("/api/v1/channels", json=body(receiver, **change), headers=token_for(cast.alice, Scope.ADMIN))
    assert answer.status_code == 400


def test_a_test_that_does_not_arrive_says_why(client: Any, cast: Cast, receiver: Receiver) -> None:
    headers = token_for(cast.alice, Scope.ADMIN)
    receiver.answers = [(403, {})]
    made = client.post("/api/v1/channels", json=body(receiver), headers=headers).json["id"]
    answer = client.post(f"/api/v1/channels/{made}/test", headers=headers).json
    assert answer == {"is_sent": False, "answer": "the receiver answers 403"}


def test_only_admins_make_channels(cast: Cast, client: Any, receiver: Receiver) -> None:
    for viewer in (cast.bob, cast.vera):
        with pytest.raises(Forbidden):
            create_channel(viewer, ChannelDraft("x", "webhook", {"url": receiver.url}))


def test_charlie_of_globex_sees_and_changes_nothing(client: Any, cast: Cast, receiver: Receiver) -> None:
    alice, charlie = token_for(cast.alice, Scope.ADMIN), token_for(cast.charlie, Scope.ADMIN)
    made = client.post("/api/v1/channels", json=body(receiver), headers=alice).json["id"]
    assert client.get("/api/v1/channels", headers=charlie).json["items"] == []
    for method, path, sent in (
        ("GET", "", None),
        ("PUT", "", body(receiver)),
        ("DELETE", "", None),
        ("POST", "/test", None),
        ("GET", "/deliveries", None),
    ):
        answer = client.open(f"/api/v1/channels/{made}{path}", method=method, json=sent, headers=charlie)
        assert answer.status_code == 404
    assert receiver.requests == []
    assert client.post("/api/v1/channels", json=body(receiver), headers=charlie).status_code == 201
