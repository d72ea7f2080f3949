"""Slow queries against the real web server: they do not keep others waiting, and end when nobody waits for them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import quote

import httpx
import pytest
from redis import Redis

from app.domain.tenancy import Scope
from tests.factories.browser import token_for
from tests.factories.cast import create_cast
from tests.factories.processes import wait_until
from tests.factories.servers import Servers
from tests.factories.serving import serve

# Some minutes of sorting, in windows of 26,000 samples.
SLOW = "quantile_over_time(0.5, (vector(time()) % 7)[3d:10s])"
MANY = 20


@dataclass(frozen=True)
class Web:
    """A running web process and a token for each tenant."""

    port: int
    acme: str
    globex: str

    def send_slow(self) -> socket.socket:
        """acme asks something slow; the answer stays on the socket."""
        path = f"/api/v1/query_range?query={quote(SLOW)}&start=1770000000&end=1770010000&step=1"
        client = socket.create_connection(("127.0.0.1", self.port))
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {self.acme}\r\n\r\n".encode())
        return client

    def ask(self, token: str, **options: str) -> httpx.Response:
        """Something quick."""
        return httpx.get(
            f"http://127.0.0.1:{self.port}/api/v1/query",
            params={"query": "1", **options},
            headers={"Authorization": token},
            timeout=30,
        )


@pytest.fixture
def web(own_db: str, servers: Servers, valkey: Redis) -> Iterator[Web]:
    """gunicorn with two processes of eight threads, as it is installed."""
    cast = create_cast()
    acme, globex = (token_for(who, Scope.READ)["Authorization"] for who in (cast.vera, cast.charlie))
    with serve(own_db, servers.redis_url, verbs=("web",)) as port:
        yield Web(port, acme, globex)


def test_slow_queries_keep_nobody_waiting_and_end_with_their_clients(web: Web) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(web.send_slow()) for _ in range(MANY)]

        def is_refused() -> bool:
            # The kernel gives connections to either process as it likes: more, until both have their share.
            answer = web.ask(web.acme)
            if answer.status_code == 200:
                clients.append(stack.enter_context(web.send_slow()))
                return False
            assert (answer.status_code, answer.json()["errorType"]) == (429, "unavailable")
            assert int(answer.headers["Retry-After"]) > 0
            assert "too many queries at once" in answer.json()["error"]
            return True

        wait_until(is_refused, "acme is never refused", limit_s=180)
        for _ in range(6):
            assert web.ask(web.globex).status_code == 200
            assert httpx.get(f"http://127.0.0.1:{web.port}/healthz", timeout=30).status_code == 200
        for client in clients:
            client.close()
    wait_until(lambda: web.ask(web.acme).status_code == 200, "what nobody waits for goes on", limit_s=60)
