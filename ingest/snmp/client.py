"""The only UDP of SNMP: asks many agents over few sockets, retries each request, remembers what each agent bears."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import secrets
import socket
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from app.clock import monotonic_s
from app.errors import DecodeError, WatchfloorError
from ingest.snmp import codec
from ingest.snmp.walk import MAX_ROWS, ColumnWalk

# Varbinds of one GET and of one answer to a GETBULK: what fits 1,472 octets with names of usual length.
MOST_VARBINDS: Final = 48
LEAST_VARBINDS: Final = 1
# Halvings after a timeout: a dead agent must not cost one timeout for each size.
SHRINKS_AFTER_SILENCE: Final = 2
FIRST_TIMEOUT_S, LEAST_TIMEOUT_S, MOST_TIMEOUT_S = 1.5, 0.5, 5.0
RECEIVE_BUFFER: Final = 8 << 20
DATAGRAMS_AT_ONCE: Final = 128


class NoAnswer(WatchfloorError):
    """The agent stayed silent: switched off, unreachable, or the community is wrong (agents do not say so)."""


class AgentError(WatchfloorError):
    """The agent answered with an error that no smaller request avoids."""


@dataclass
class Agent:
    """One SNMP agent: how to reach it and what is known of it. Lives as long as its device is polled.

    `any_source` accepts answers from another address or port than the one that was asked; some agents do that.
    """

    address: str
    port: int = 161
    community: bytes = b"public"
    version: int = codec.V2C
    any_source: bool = False
    least_timeout_s: float = LEAST_TIMEOUT_S
    most_varbinds: int = MOST_VARBINDS
    round_trips_s: deque[float] = field(default_factory=lambda: deque(maxlen=32))

    def timeout_s(self) -> float:
        """How long to wait for an answer: three times the longest of the last ones, within bounds."""
        if not self.round_trips_s:
            return FIRST_TIMEOUT_S
        return min(max(3 * max(self.round_trips_s), self.least_timeout_s), MOST_TIMEOUT_S)


@dataclass
class Statistics:
    """What the client has done since it was opened."""

    requests: int = 0
    retries: int = 0
    timeouts: int = 0
    answers: int = 0
    varbinds: int = 0
    broken_varbinds: int = 0
    broken_datagrams: int = 0
    unmatched: int = 0


class _Pending:
    """One request on its way."""

    __slots__ = ("agent", "datagram", "future", "sent_s", "timeout_s", "timer", "tries_left", "was_resent")

    def __init__(self, agent: Agent, datagram: bytes, tries: int, future: asyncio.Future[codec.Response]) -> None:
        self.agent = agent
        self.datagram = datagram
        self.future = future
        self.tries_left = tries
        self.timeout_s = agent.timeout_s()
        self.sent_s = 0.0
        self.was_resent = False
        self.timer: asyncio.TimerHandle | None = None


class Client:
    """Asks agents. `async with Client() as client`; safe for thousands of requests at once."""

    def __init__(self, *, tries: int = 3) -> None:
        self.tries = tries
        self.statistics = Statistics()
        self._pending: dict[int, _Pending] = {}
        self._sockets: dict[int, socket.socket] = {}
        self._addresses: dict[str, tuple[int, str]] = {}
        self._loop: asyncio.AbstractEventLoop

    async def __aenter__(self) -> Client:
        self._loop = asyncio.get_running_loop()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give up what is on its way and close the sockets."""
        for pending in self._pending.values():
            if pending.timer:
                pending.timer.cancel()
            pending.future.cancel()
        self._pending.clear()
        for sock in self._sockets.values():
            self._loop.remove_reader(sock.fileno())
            sock.close()
        self._sockets.clear()

    async def ask(self, agent: Agent, prepared: codec.Prepared, *, tries: int | None = None) -> codec.Response:
        """Send one request, again when no answer comes; raises NoAnswer."""
        if agent.address not in self._addresses:
            await self._resolve(agent.address)
        request_id = self._new_id()
        future: asyncio.Future[codec.Response] = self._loop.create_future()
        pending = _Pending(agent, prepared.with_id(request_id), tries or self.tries, future)
        self._pending[request_id] = pending
        try:
            self._transmit(request_id, pending)
            return await future
        finally:
            self._pending.pop(request_id, None)
            if pending.timer:
                pending.timer.cancel()

    async def get_prepared(self, agent: Agent, prepared: codec.Prepared) -> Sequence[codec.Varbind]:
        """The answer to a prepared GET; falls back to get() when the agent wants smaller requests."""
        response = await self.ask(agent, prepared)
        if response.error_status == codec.NO_ERROR:
            return response.varbinds
        return [(name, *cell) for name, cell in (await self._get_some(agent, prepared.names, response)).items()]

    async def get(self, agent: Agent, names: Sequence[bytes]) -> dict[bytes, tuple[int, bytes]]:
        """What the agent has under these names; those it has not are left out (or come with their noSuch… tag)."""
        found: dict[bytes, tuple[int, bytes]] = {}
        at = 0
        while at < len(names):
            some = names[at : at + agent.most_varbinds]
            found.update(await self._get_some(agent, some, None))
            at += len(some)
        return found

    async def columns(self, agent: Agent, roots: Sequence[bytes], *, max_rows: int = MAX_ROWS) -> ColumnWalk:
        """All rows of the columns `roots`, which may be whole subtrees; raises NoAnswer, AgentError."""
        walk = ColumnWalk(roots, max_rows=max_rows)
        while names := walk.names():
            response = await self._next_rows(agent, names)
            if response.error_status == codec.NO_SUCH_NAME:
                walk.end(min(max(response.error_index, 1), len(names)) - 1)
            else:
                walk.take(response.varbinds)
        return walk

    async def _get_some(
        self, agent: Agent, names: Sequence[bytes], refused: codec.Response | None
    ) -> dict[bytes, tuple[int, bytes]]:
        """A GET that gets smaller until the agent answers it; `refused` is an error answer already received."""
        prepared = codec.prepare(codec.GET, names, community=agent.community, version=agent.version)
        response = refused or await self.ask(agent, prepared)
        status, index = response.error_status, response.error_index
        if status == codec.NO_ERROR:
            return {name: (tag, content) for name, tag, content in response.varbinds if name}
        if status != codec.TOO_BIG and 1 <= index <= len(names):
            # v1 refuses the whole request for one name it lacks, and some agents for one value they cannot read.
            left = [*names[: index - 1], *names[index:]]
            return await self._get_some(agent, left, None) if left else {}
        if len(names) == 1:
            return {}
        half = len(names) // 2
        if status == codec.TOO_BIG:
            agent.most_varbinds = min(agent.most_varbinds, half)
        found = await self._get_some(agent, names[:half], None)
        return found | await self._get_some(agent, names[half:], None)

    async def _next_rows(self, agent: Agent, names: Sequence[bytes]) -> codec.Response:
        """The rows behind `names`: GETNEXT for v1, else GETBULK, halved on tooBig and on silence.

        A size that worked after a larger one did not is remembered for the agent.
        """
        if agent.version == codec.V1:
            return await self.ask(agent, codec.prepare(codec.GETNEXT, names, community=agent.community, version=0))
        size, shrinks = agent.most_varbinds, 0
        while True:
            repetitions = max(1, size // len(names))
            prepared = codec.prepare(codec.GETBULK, names, community=agent.community, repetitions=repetitions)
            try:
                response = await self.ask(agent, prepared)
            except NoAnswer:
                if repetitions == 1 or shrinks >= SHRINKS_AFTER_SILENCE:
                    raise
                shrinks += 1
            else:
                if response.error_status in (codec.NO_ERROR, codec.NO_SUCH_NAME):
                    agent.most_varbinds = min(agent.most_varbinds, size)
                    return response
                if repetitions == 1:
                    raise AgentError(f"{agent.address} answers with error {response.error_status}")
            size = max(repetitions // 2 * len(names), LEAST_VARBINDS)

    def _new_id(self) -> int:
        """An id that nobody can guess and that is not in use: it keeps forged answers out."""
        while True:
            request_id = codec.FIRST_ID + secrets.randbelow(codec.LAST_ID - codec.FIRST_ID)
            if request_id not in self._pending:
                return request_id

    async def _resolve(self, address: str) -> None:
        """Find the IP address of a name, once for the life of the client."""
        try:
            ip = ipaddress.ip_address(address)
            family = socket.AF_INET if ip.version == 4 else socket.AF_INET6
            self._addresses[address] = (family, str(ip))
        except ValueError:
            try:
                found = await self._loop.getaddrinfo(address, None, type=socket.SOCK_DGRAM)
            except OSError as error:
                raise NoAnswer(f"{address} cannot be resolved: {error.strerror}") from None
            self._addresses[address] = (int(found[0][0]), str(found[0][4][0]))
        self._open_socket(self._addresses[address][0])

    def _open_socket(self, family: int) -> None:
        if family in self._sockets:
            return
        sock = socket.socket(family, socket.SOCK_DGRAM)
        # Thousands of answers may arrive while the loop is busy; the kernel grants what it may.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        sock.setblocking(False)
        self._sockets[family] = sock
        self._loop.add_reader(sock.fileno(), self._receive, sock)

    def _transmit(self, request_id: int, pending: _Pending) -> None:
        family, ip = self._addresses[pending.agent.address]
        pending.tries_left -= 1
        pending.sent_s = monotonic_s()
        self.statistics.requests += 1
        # A full send buffer or a route that is gone is as good as a lost datagram: the timer tries again.
        with contextlib.suppress(OSError):
            self._sockets[family].sendto(pending.datagram, (ip, pending.agent.port))
        pending.timer = self._loop.call_later(pending.timeout_s, self._expire, request_id)

    def _expire(self, request_id: int) -> None:
        pending = self._pending.get(request_id)
        if pending is None or pending.future.done():
            return
        # A loop that was busy hears of the time before it hears of the answer that lies in its socket.
        for sock in self._sockets.values():
            self._receive(sock)
        if pending.future.done():
            return
        if pending.tries_left > 0:
            self.statistics.retries += 1
            pending.was_resent = True
            pending.timeout_s = min(pending.timeout_s * 1.5, MOST_TIMEOUT_S)
            self._transmit(request_id, pending)
            return
        self.statistics.timeouts += 1
        pending.future.set_exception(NoAnswer(f"{pending.agent.address} port {pending.agent.port} does not answer"))

    def _receive(self, sock: socket.socket) -> None:
        """Take what has arrived; not without end, so that timers get their turn."""
        for _ in range(DATAGRAMS_AT_ONCE):
            try:
                datagram, source = sock.recvfrom(65_535)
            except OSError:  # nothing left, or an ICMP error about an earlier datagram
                return
            try:
                response = codec.decode_response(datagram)
            except DecodeError:
                self.statistics.broken_datagrams += 1
                continue
            self._match(response, source)

    def _match(self, response: codec.Response, source: tuple[str, int]) -> None:
        pending = self._pending.get(response.request_id)
        if pending is None or pending.future.done() or response.kind != codec.RESPONSE:
            self.statistics.unmatched += 1
            return
        agent = pending.agent
        expected = (self._addresses[agent.address][1], agent.port)
        if not agent.any_source and (source[0], source[1]) != expected:
            self.statistics.unmatched += 1
            return
        if not pending.was_resent:
            # After a retry nobody knows which of the two was answered (Karn's rule).
            agent.round_trips_s.append(monotonic_s() - pending.sent_s)
        self.statistics.answers += 1
        self.statistics.varbinds += len(response.varbinds)
        self.statistics.broken_varbinds += response.broken
        pending.future.set_result(response)
