"""Whether the client of a request is still there."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Final

from flask import Flask, request

from app.promql.limits import never
from app.queries.gate import set_caller

# Where servers put the connection of a request: gunicorn's gthread and Werkzeug's own.
SOCKETS: Final = ("gunicorn.socket", "werkzeug.socket")


def watch_clients(server: Flask) -> None:
    """Let every request's queries end when its client leaves: those of programs and those of pages."""
    server.before_request(lambda: set_caller(client_gone()))


def client_gone() -> Callable[[], bool]:
    """A function for other threads that answers whether the client of this request closed its connection.

    It peeks into the socket and takes nothing out. Where the server shows no plain socket the answer is always no.
    """
    for name in SOCKETS:
        found = request.environ.get(name)
        # TLS sockets cannot be peeked into.
        if type(found) is socket.socket:
            return lambda: _is_closed(found)
    return never


def _is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
