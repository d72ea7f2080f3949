"""Posting bodies over kept connections: plain sockets, for the generator shares the machine with what it measures."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Mapping, Sequence

from bench.bodies import Body

CONNECTIONS = 4
GOOD = (200, 202, 204)


class Connection:
    """One kept connection of HTTP/1.1."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, head: bytes, body: bytes = b"") -> tuple[int, bytes]:
        """Send a request; answers status and body."""
        self.socket.sendall(head + body)
        answer = bytearray()
        while (end := answer.find(b"\r\n\r\n")) < 0:
            answer += self._received()
        fields = bytes(answer[:end]).lower()
        status, content = int(fields[9:12]), answer[end + 4 :]
        if b"transfer-encoding: chunked" in fields:
            while not content.endswith(b"0\r\n\r\n"):
                content += self._received()
            return status, bytes(content)
        size = int(fields.partition(b"content-length:")[2].split(b"\r\n", 1)[0] or 0)
        while len(content) < size:
            content += self._received()
        return status, bytes(content)

    def _received(self) -> bytes:
        data = self.socket.recv(262_144)
        if not data:
            raise ConnectionError("the server closed the connection")
        return data


class Sender:
    """Posts bodies to one address."""

    def __init__(self, port: int, path: str, headers: Mapping[str, str]) -> None:
        self.port = port
        self.fields = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n" + "".join(
            f"{name}: {value}\r\n" for name, value in headers.items()
        )

    def connection(self) -> Connection:
        """A new connection to the server."""
        return Connection(self.port)

    def post(self, connection: Connection, body: bytes) -> None:
        """Post one body; raises when it is not taken."""
        head = f"{self.fields}Content-Length: {len(body)}\r\n\r\n".encode()
        status, text = connection.ask(head, body)
        if status not in GOOD:
            raise RuntimeError(f"{status} {text[:300]!r}")

    def send_all(self, bodies: Sequence[Body], *, connections: int = CONNECTIONS) -> None:
        """Post every body as fast as they are taken."""
        self._run(bodies, None, connections)

    def send_at(self, bodies: Sequence[Body], every_s: float) -> list[float]:
        """Post one body every so many seconds; answers the seconds from when each was due until its answer."""
        return self._run(bodies, every_s, 2 * CONNECTIONS)

    def _run(self, bodies: Sequence[Body], every_s: float | None, connections: int) -> list[float]:
        waiting = iter(enumerate(bodies))
        lock, waits, faults = threading.Lock(), [], []
        begun = time.monotonic()

        def run() -> None:
            connection = self.connection()
            while not faults:
                with lock:
                    number, body = next(waiting, (0, None))
                if body is None:
                    return
                due = time.monotonic()
                if every_s is not None:
                    due = begun + number * every_s
                    time.sleep(max(0.0, due - time.monotonic()))  # the rate that was asked
                try:
                    self.post(connection, body[1])
                except (OSError, RuntimeError) as error:
                    faults.append(error)
                waits.append(time.monotonic() - due)

        threads = [threading.Thread(target=run) for _ in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if faults:
            raise faults[0]
        return waits
