"""The push process: /api/v1/stream as WebSocket and as server-sent events, an ASGI application.

It reads what others publish and hands it on by tenant and topic. Who may listen is asked again every minute, at once
when rights changed, and at every new connection; a connection lasts a quarter of an hour, then the client comes back.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import msgspec
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from werkzeug.http import parse_cookie

from app.api.guard import Cookies
from app.auth.sessions import session_for
from app.auth.tokens import viewer_for_token
from app.domain.tenancy import READ, Viewer, may
from app.errors import WatchfloorError
from app.live import RESYNC, Change, Hub, Listener, subscribe
from app.queries import alerts
from app.settings import Settings

PATH: Final = "/api/v1/stream"
# topic -> what one must be allowed to read
TOPICS: Final[Mapping[str, str]] = {"alerts": "alerts", "samples": "metrics", "devices": "devices"}
PING: Final = b'{"type":"ping"}'
PING_EVERY_S: Final = 25.0
CHECK_EVERY_S: Final = 60.0
SUBSCRIBE_WITHIN_S: Final = 10.0
LIFETIME_S: Final = (840.0, 960.0)
MOST_PER_VIEWER: Final = 10
# Close codes of ours: sign in again; not allowed; come back at once; too many.
UNAUTHENTICATED, FORBIDDEN, RENEW, TOO_MANY = 4401, 4403, 4000, 4429

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Caller:
    """Who opened a connection, and how to ask again."""

    viewer: Viewer
    secret: str
    is_token: bool
    address: str

    @property
    def key(self) -> str:
        """What connections are counted by."""
        return f"token {self.viewer.token_id}" if self.is_token else f"session {self.viewer.session_id}"


class Push:
    """The ASGI application."""

    def __init__(self, settings: Settings) -> None:
        assert settings.redis_url, "settings are ready"
        self._redis_url = settings.redis_url
        self._cookies = Cookies.of(settings)
        self._base_url = settings.base_url()
        self._page_port = None if settings.public_url else settings.port
        self._hub = Hub(self._enrich)
        self._viewers: dict[int, Viewer] = {}
        self._open: Counter[str] = Counter()
        self._asked_again: dict[int, asyncio.Event] = {}
        self._reader: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, or the life of the process."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        elif scope["path"] == "/healthz":
            await _answer(send, 200, b"ok\n")
        else:
            await self._events(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self._reader = asyncio.create_task(self._read())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._reader.cancel()
        self._hub.tell_all(RESYNC)
        await send({"type": "lifespan.shutdown.complete"})

    async def _read(self) -> None:
        """Hand on every change, for ever; after a lost connection everybody reads anew."""
        wait_s = 0.2
        while True:
            client = AsyncRedis.from_url(self._redis_url, health_check_interval=15)
            try:
                async for change in subscribe(client):
                    wait_s = 0.2
                    self._take(change)
            except (RedisConnectionError, RedisTimeoutError, OSError):
                log.warning("live feed lost its connection", extra={"retry_in_s": wait_s})
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, 5.0)
                self._hub.tell_all(RESYNC)
            finally:
                await client.aclose()

    def _take(self, change: Change) -> None:
        if change.topic == "authz":
            event = self._asked_again.pop(change.tenant, None)
            if event is not None:
                event.set()
        else:
            self._hub.take(change)

    async def _enrich(self, tenant: int, topic: str) -> dict[str, Any]:
        viewer = self._viewers.get(tenant)
        if topic != "alerts" or viewer is None:
            return {}
        return {"counts": await asyncio.to_thread(alerts.counts, viewer)}

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        if scope["path"] != PATH or not self._is_ours(scope):
            await send({"type": "websocket.close", "code": 1008})
            return
        caller = await self._caller(scope)
        await send({"type": "websocket.accept"})
        if caller is None:
            await send({"type": "websocket.close", "code": UNAUTHENTICATED, "reason": "sign in"})
            return
        if self._open[caller.key] >= MOST_PER_VIEWER:
            await send({"type": "websocket.close", "code": TOO_MANY, "reason": "too many connections"})
            return
        wanted = await _subscription(receive)
        if wanted is None:
            await send({"type": "websocket.close", "code": 1002, "reason": "say what to subscribe to"})
            return

        async def write(message: bytes) -> None:
            await send({"type": "websocket.send", "text": message.decode()})

        code = await self._serve(caller, wanted, write, _closed_websocket(receive))
        with suppress(OSError, RuntimeError):
            await send({"type": "websocket.close", "code": code})

    async def _events(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The same as server-sent events, for what knows no WebSocket."""
        if scope["path"] != PATH or scope["method"] != "GET":
            await _answer(send, 404, b"not found\n")
            return
        caller = await self._caller(scope) if self._is_ours(scope) else None
        if caller is None:
            await _answer(send, 401, b"sign in, or send a valid API token\n")
            return
        if self._open[caller.key] >= MOST_PER_VIEWER:
            await _answer(send, 429, b"too many connections\n")
            return
        headers = [
            (b"content-type", b"text/event-stream"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers + _cors(scope)})

        async def write(message: bytes) -> None:
            await send({"type": "http.response.body", "body": b"data: " + message + b"\n\n", "more_body": True})

        query = parse_qs(scope["query_string"].decode("latin-1"))
        topics = frozenset(",".join(query.get("topics", ["alerts,samples"])).split(","))
        await self._serve(caller, (topics, {}), write, _closed_http(receive))
        with suppress(OSError, RuntimeError):
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _serve(
        self,
        caller: Caller,
        wanted: tuple[frozenset[str], Mapping[str, int]],
        write: Callable[[bytes], Awaitable[None]],
        closed: Awaitable[None],
    ) -> int:
        """Send until the client leaves, its rights end or its time is over; answers the close code."""
        viewer = caller.viewer
        topics = frozenset(topic for topic in wanted[0] if topic in TOPICS and may(viewer, READ, TOPICS[topic]))
        listener = Listener(viewer.tenant, topics)
        self._viewers[viewer.tenant] = viewer
        self._open[caller.key] += 1
        self._hub.add(listener)
        watch = asyncio.create_task(self._until_ended(caller))
        gone = asyncio.ensure_future(closed)
        try:
            for topic in sorted(topics):
                await write(await self._snapshot(viewer, topic, wanted[1]))
            return await self._pump(listener, write, watch, gone)
        except OSError:
            return 1001
        finally:
            self._hub.remove(listener)
            self._open[caller.key] -= 1
            watch.cancel()
            gone.cancel()

    async def _pump(
        self,
        listener: Listener,
        write: Callable[[bytes], Awaitable[None]],
        watch: asyncio.Task[int],
        gone: asyncio.Future[None],
    ) -> int:
        while True:
            waiting = asyncio.ensure_future(listener.waiting.get())
            either: set[asyncio.Future[Any]] = {waiting, watch, gone}
            done, _ = await asyncio.wait(either, timeout=PING_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
            if waiting not in done:
                waiting.cancel()
            if gone in done:
                return 1000
            if watch in done:
                return watch.result()
            await write(waiting.result() if waiting in done else PING)

    async def _snapshot(self, viewer: Viewer, topic: str, since: Mapping[str, int]) -> bytes:
        """Where a topic stands; `resync` says that changes since the client's last number are gone."""
        number = self._hub.number(viewer.tenant, topic)
        message: dict[str, Any] = {"type": "snapshot", "topic": topic, "seq": number}
        if since.get(topic) not in (None, number):
            message["resync"] = True
        message.update(await self._enrich(viewer.tenant, topic))
        return msgspec.json.encode(message)

    async def _until_ended(self, caller: Caller) -> int:
        """Return a close code when the caller's rights end or change, or when the connection is old enough."""
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + random.uniform(*LIFETIME_S)  # noqa: S311  spreads reconnects, keeps no secret
        while loop.time() < ends_at:
            event = self._asked_again.setdefault(caller.viewer.tenant, asyncio.Event())
            with suppress(TimeoutError):
                await asyncio.wait_for(event.wait(), CHECK_EVERY_S)
                # Sessions are cached for half a second in each process.
                await asyncio.sleep(0.6)
            now = await asyncio.to_thread(_identify, caller.secret, caller.is_token, caller.address)
            if now is None:
                return UNAUTHENTICATED
            if now != caller.viewer or now.grants != caller.viewer.grants:
                return RENEW
        return RENEW

    def _is_ours(self, scope: Scope) -> bool:
        """Whether a browser's page of ours asks (programs send no Origin)."""
        headers = _headers(scope)
        origin = headers.get("origin")
        if origin is None:
            return "authorization" in headers or scope["type"] == "http"
        if origin == self._base_url:
            return True
        page, host = urlsplit(origin), urlsplit("//" + headers.get("host", ""))
        return self._page_port is not None and page.port == self._page_port and page.hostname == host.hostname

    async def _caller(self, scope: Scope) -> Caller | None:
        headers = _headers(scope)
        address = str((scope.get("client") or ("",))[0])
        scheme, _, secret = headers.get("authorization", "").partition(" ")
        is_token = scheme.lower() in ("bearer", "token") and bool(secret)
        if not is_token:
            secret = parse_cookie(headers.get("cookie", "")).get(self._cookies.session) or ""
        viewer = await asyncio.to_thread(_identify, secret, is_token, address) if secret else None
        return Caller(viewer, secret, is_token, address) if viewer else None


def create_push(settings: Settings) -> Push:
    """The application of the push process; connections must be open (app/runtime/process.py)."""
    return Push(settings)


def _identify(secret: str, is_token: bool, address: str) -> Viewer | None:
    if is_token:
        try:
            return viewer_for_token(secret.strip(), address)
        except WatchfloorError:
            return None
    signed_in = session_for(secret)
    return signed_in.viewer if signed_in else None


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _cors(scope: Scope) -> list[tuple[bytes, bytes]]:
    origin = _headers(scope).get("origin")
    if origin is None:
        return []
    return [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-allow-credentials", b"true"),
        (b"vary", b"Origin"),
    ]


async def _subscription(receive: Receive) -> tuple[frozenset[str], Mapping[str, int]] | None:
    """The first message: {"subscribe": [topics], "since": {topic: number}}; None when it is not that."""
    try:
        event = await asyncio.wait_for(receive(), SUBSCRIBE_WITHIN_S)
        wanted = msgspec.json.decode(event.get("text") or event.get("bytes") or b"")
        since = wanted.get("since")
        return frozenset(map(str, wanted["subscribe"])), since if isinstance(since, dict) else {}
    except (TimeoutError, msgspec.DecodeError, KeyError, TypeError, AttributeError):
        return None


async def _closed_websocket(receive: Receive) -> None:
    while (await receive())["type"] != "websocket.disconnect":
        pass


async def _closed_http(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _answer(send: Send, status: int, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": body, "more_body": False})
