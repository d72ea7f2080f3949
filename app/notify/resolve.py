"""Names to addresses, through the system's resolver."""

from __future__ import annotations

import socket
from collections.abc import Sequence


def system_resolver(host: str, port: int) -> Sequence[str]:
    """Every address of `host`, as the system resolves it; raises OSError when there is none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
