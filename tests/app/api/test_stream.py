"""The live stream, as a browser and as a program hear it: a real push process, real sockets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from redis import Redis
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from app import live
from app.actions import account
from app.auth.sessions import session_for, start_session
from app.domain.tenancy import Scope, Viewer
from models.session import platform_session
from tests.factories.browser import token_for
from tests.factories.cast import Cast, create_cast
from tests.factories.servers import Servers
from tests.factories.serving import serve

WAIT_S = 20


@dataclass
class Push:
    """A running push process and the people who listen."""

    port: int
    cast: Cast

    def connect(self, headers: dict[str, str], *, origin: str | None = None) -> ClientConnection:
        """A socket that listens to alerts and samples; its snapshots are read."""
        socket = connect(
            f"ws://127.0.0.1:{self.port + 1}/api/v1/stream",
            additional_headers=headers,
            origin=origin,  # type: ignore[arg-type]  # any text may come from a browser
            open_timeout=WAIT_S,
        )
        socket.send(json.dumps({"subscribe": ["alerts", "samples", "authz"]}))
        return socket

    def listen(self, headers: dict[str, str], *, origin: str | None = None) -> ClientConnection:
        """The same, after both snapshots."""
        socket = self.connect(headers, origin=origin)
        assert [hear(socket)["topic"] for _ in range(2)] == ["alerts", "samples"]
        return socket

    def cookie(self, viewer: Viewer) -> dict[str, str]:
        """The header of a browser in which this person is signed in."""
        assert viewer.user_id is not None
        with platform_session() as session:
            secret, _ = start_session(session, viewer.user_id, viewer.tenant, address="127.0.0.1", user_agent="t")
        return {"Cookie": f"watchfloor-{self.port}={secret}"}

    @property
    def origin(self) -> str:
        """Where our pages come from."""
        return f"http://127.0.0.1:{self.port}"


def hear(socket: ClientConnection) -> dict[str, Any]:
    return dict(json.loads(socket.recv(timeout=WAIT_S)))


@pytest.fixture
def push(own_db: str, servers: Servers, valkey: Redis) -> Iterator[Push]:
    cast = create_cast()
    with serve(own_db, servers.redis_url, verbs=("push",)) as port:
        yield Push(port, cast)


def test_who_hears_what(push: Push) -> None:
    alice = push.listen(push.cookie(push.cast.alice), origin=push.origin)
    charlie = push.listen(push.cookie(push.cast.charlie), origin=push.origin)
    program = push.listen(token_for(push.cast.bob, Scope.READ))
    live.publish(push.cast.acme, "alerts", {"id": 7, "state": "firing"})
    for listener in (alice, program):
        change = hear(listener)
        assert (change["topic"], change["changes"]) == ("alerts", [{"id": 7, "state": "firing"}])
        assert set(change["counts"]) == {"critical", "major", "minor", "warning", "unknown"}
    live.publish(push.cast.globex, "samples", {"until_ms": 5})
    heard = hear(charlie)
    assert (heard["topic"], heard["data"]) == ("samples", {"until_ms": 5}), "acme's alert must not have come"

    # The same as server-sent events.
    with (
        httpx.Client(timeout=WAIT_S) as client,
        client.stream(
            "GET",
            f"http://127.0.0.1:{push.port + 1}/api/v1/stream?topics=samples",
            headers={**push.cookie(push.cast.vera), "Accept": "text/event-stream", "Origin": push.origin},
        ) as answer,
    ):
        assert answer.headers["content-type"] == "text/event-stream"
        assert answer.headers["access-control-allow-origin"] == push.origin
        lines = (line.removeprefix("data: ") for line in answer.iter_lines() if line)
        assert json.loads(next(lines))["type"] == "snapshot"
        live.publish(push.cast.acme, "samples", {"until_ms": 6})
        assert json.loads(next(lines))["data"] == {"until_ms": 6}

    # A client that comes back after a gap is told to read anew.
    late = push.connect(push.cookie(push.cast.alice), origin=push.origin)
    late.close()
    again = connect(
        f"ws://127.0.0.1:{push.port + 1}/api/v1/stream",
        additional_headers=push.cookie(push.cast.alice),
        origin=push.origin,  # type: ignore[arg-type]  # a plain text
    )
    again.send(json.dumps({"subscribe": ["alerts"], "since": {"alerts": 1}}))
    assert hear(again)["resync"] is True

    # Signing out ends the stream within moments.
    account.sign_out(signed_in_as(push, alice))
    with pytest.raises(ConnectionClosed) as closed:
        for _ in range(20):
            alice.recv(timeout=WAIT_S)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


def test_who_hears_nothing(push: Push) -> None:
    for headers, origin in (
        (push.cookie(push.cast.alice), "https://evil.example"),
        (push.cookie(push.cast.alice), f"http://127.0.0.1:{push.port + 7}"),
        (push.cookie(push.cast.alice), None),
    ):
        with pytest.raises(InvalidStatus) as refused:
            push.connect(headers, origin=origin)
        assert refused.value.response.status_code == 403
    for headers in ({}, {"Cookie": f"watchfloor-{push.port}=guess"}, {"Authorization": "Bearer wf_guess"}):
        with pytest.raises(ConnectionClosed) as closed:
            push.connect(headers, origin=push.origin).recv(timeout=WAIT_S)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401
    # A token that may only send hears nothing.
    sender = push.connect(token_for(push.cast.alice, Scope.INGEST))
    live.publish(push.cast.acme, "alerts", {"id": 1})
    with pytest.raises(TimeoutError):
        sender.recv(timeout=1)
    base = f"http://127.0.0.1:{push.port + 1}"
    assert httpx.get(f"{base}/api/v1/stream").status_code == 401
    assert httpx.get(f"{base}/anything").status_code == 404
    assert httpx.get(f"{base}/healthz").status_code == 200


def signed_in_as(push: Push, socket: ClientConnection) -> Viewer:
    """The viewer behind a socket's cookie."""
    assert socket.request is not None
    secret = socket.request.headers["Cookie"].split("=", 1)[1]
    signed_in = session_for(secret)
    assert signed_in is not None
    return signed_in.viewer
