"""What both embedded servers need: a free port, a derived password, a patient start."""

from __future__ import annotations

import hashlib
import hmac
import random
import signal
import socket
import subprocess
from pathlib import Path
from threading import Event
from typing import Protocol

from app import clock
from app.errors import WatchfloorError
from app.runtime.child import last_lines

# Below the range from which the kernel takes the ports of outgoing connections.
PORTS = range(20_000, 32_000)
# One that lives may be replaying a long log; one that ends again and again has a fault that waiting does not mend.
START_LIMIT_S = 300.0
RETRY_LIMIT_S = 10.0
POLL_S = 0.03
BUSY = ("address already in use", "could not bind", "failed listening on port")


class Server(Protocol):
    """An embedded server: Postgres or Valkey."""

    name: str
    port: int
    log: Path
    stop_signal: signal.Signals

    def clear_leftovers(self) -> None:
        """Stop what an earlier run left behind in the same folder."""

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the process."""

    def is_ready(self) -> bool:
        """Whether it answers."""


def free_port(host: str = "127.0.0.1") -> int:
    """A port nobody listens on at the moment; somebody may still take it before the server does."""
    for port in random.sample(PORTS, 200):
        if is_free(port, host):
            return port
    raise WatchfloorError(f"none of 200 ports tried between {PORTS.start} and {PORTS.stop} is free")


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on this port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def derive_password(key: str, purpose: str) -> str:
    """The password of one login of the embedded servers."""
    return hmac.new(key.encode(), purpose.encode(), hashlib.sha256).hexdigest()


def start(server: Server, *, retry_limit_s: float = RETRY_LIMIT_S) -> subprocess.Popen[bytes]:
    """Start a server and wait until it answers.

    The start itself is tried again: after kill -9 the memory of the last run may be in use for a moment, and another
    program may have taken the port, in which case the server moves to another.
    """
    begun = clock.monotonic_s()
    while True:
        server.clear_leftovers()
        if not is_free(server.port):
            server.port = free_port()
        written = server.log.stat().st_size if server.log.exists() else 0
        process = server.spawn()
        if _wait_until_ready(server, process, begun + START_LIMIT_S):
            return process
        if process.poll() is None or clock.monotonic_s() > begun + retry_limit_s:
            stop(process, server.stop_signal, limit_s=3)
            raise WatchfloorError(f"{server.name} did not start: {last_lines(server.log)} (all of it: {server.log})")
        if any(word in _since(server.log, written) for word in BUSY):
            server.port = free_port()
        Event().wait(0.2)


def stop(process: subprocess.Popen[bytes], number: signal.Signals, *, limit_s: float) -> None:
    """End a child: the signal, then after `limit_s` the one that cannot be refused."""
    if process.poll() is None:
        process.send_signal(number)
        try:
            process.wait(limit_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def _wait_until_ready(server: Server, process: subprocess.Popen[bytes], end: float) -> bool:
    while clock.monotonic_s() < end and process.poll() is None:
        if server.is_ready():
            return True
        Event().wait(POLL_S)
    return False


def _since(log: Path, position: int) -> str:
    with log.open("rb") as file:
        file.seek(position)
        return file.read(65_536).decode(errors="replace").lower()
