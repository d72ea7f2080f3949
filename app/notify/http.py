"""The one way out over HTTP: guarded against addresses of ours, bounded in time and size, redirects not followed.

The name is resolved once, every answer is checked, and the connection goes to the checked address, so that a second
answer of a hostile name server has nobody to reach.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, Final
from urllib.parse import urlsplit

import httpcore

from app.clock import monotonic_s, utc_now
from app.errors import DeliveryError, InvalidInput
from app.notify.base import Outbound

TIME_LIMIT_S: Final = 10.0
SIZE_LIMIT: Final = 65_536
MOST_RETRY_AFTER_S: Final = 3600
# Statuses that say "not now" rather than "not so".
TEMPORARY: Final = frozenset({408, 425, 429})
# IPv6 forms that carry an IPv4 address: NAT64 (RFC 6052) and the deprecated compatible form (RFC 4291 2.5.5.1).
NAT64: Final = ip_network("64:ff9b::/96")
COMPATIBLE: Final = ip_network("::/96")

Address = IPv4Address | IPv6Address


@dataclass(frozen=True)
class Target:
    """Where a checked URL leads."""

    is_tls: bool
    host: str
    port: int
    path: str


@dataclass(frozen=True)
class Answer:
    """What a receiver said: its status and the beginning of its body."""

    status: int
    text: str


def parse_target(url: str) -> Target:
    """The parts of a URL that may be sent to; raises InvalidInput for any form that could hide where it leads."""
    if len(url) > 2000 or any(character.isspace() or ord(character) < 33 or character == "\\" for character in url):
        raise InvalidInput("url", "holds characters that a web address does not have")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidInput("url", "is not a web address") from None
    if parts.scheme not in ("http", "https"):
        raise InvalidInput("url", "must begin with https:// or http://")
    if "@" in parts.netloc:
        raise InvalidInput("url", "must not hold a user name or password")
    if not parts.hostname:
        raise InvalidInput("url", "names no host")
    is_tls = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(is_tls, parts.hostname, port or (443 if is_tls else 80), path)


def checked_addresses(host: str, port: int, outbound: Outbound) -> list[str]:
    """The addresses of `host`, all of which may be sent to; raises DeliveryError (permanent) if one may not."""
    if port in outbound.own_ports:
        raise DeliveryError(f"port {port} belongs to a server of this installation", permanent=True)
    try:
        addresses = list(outbound.resolve(host, port))
    except (OSError, UnicodeError):
        raise DeliveryError(f"the name {host} cannot be resolved", permanent=False) from None
    if not addresses:
        raise DeliveryError(f"the name {host} cannot be resolved", permanent=False)
    for written in addresses:
        if not may_reach(ip_address(written.partition("%")[0]), outbound):
            raise DeliveryError(
                f"{host} leads to {written}, which is not public (WATCHFLOOR_OUTBOUND_ALLOW)", permanent=True
            )
    return addresses


def may_reach(address: Address, outbound: Outbound) -> bool:
    """Whether a message may go to `address`: it is public, or the operator allows its range."""
    inner = _carried(address)
    if any(inner in network for network in outbound.allow if network.version == inner.version):
        return True
    if isinstance(inner, IPv6Address) and inner.is_site_local:
        return False
    return inner.is_global and not (inner.is_multicast or inner.is_reserved or inner.is_unspecified)


def post(url: str, body: bytes, *, headers: Mapping[str, str], outbound: Outbound) -> Answer:
    """POST once within 10 s, reading at most 64 KiB of the answer; the answer when it is 2xx.

    Raises DeliveryError: permanent for refused addresses, redirects and 4xx (but 408, 425, 429); else worth a retry.
    """
    try:
        target = parse_target(url)
    except InvalidInput as error:
        raise DeliveryError(str(error), permanent=True) from None
    deadline_s = monotonic_s() + TIME_LIMIT_S
    addresses = checked_addresses(target.host, target.port, outbound)
    try:
        status, received, text = _exchange(target, addresses, body, headers=headers, deadline_s=deadline_s)
    except (httpcore.TimeoutException, _TooSlow):
        raise DeliveryError(f"no answer within {TIME_LIMIT_S:.0f} s", permanent=False) from None
    except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError) as error:
        raise DeliveryError(f"the connection failed: {type(error).__name__}", permanent=False) from None
    if 200 <= status < 300:
        return Answer(status, text)
    raise _refusal(status, received)


class _TooSlow(Exception):
    """The time for the whole exchange is over."""


class _Stream(httpcore.NetworkStream):
    """A connection whose every operation ends when the time of the whole exchange does."""

    def __init__(self, inner: httpcore.NetworkStream, deadline_s: float) -> None:
        self._inner = inner
        self._deadline_s = deadline_s

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(self._deadline_s))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(self._deadline_s))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, _left(self._deadline_s)), self._deadline_s)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Pinned(httpcore.NetworkBackend):
    """Connects to the checked addresses only, whatever name it is asked for."""

    def __init__(self, addresses: list[str], deadline_s: float) -> None:
        self._addresses = addresses
        self._deadline_s = deadline_s
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        *others, last = self._addresses[:3]
        for address in others:
            try:
                return self._connect(address, port, part=0.3)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return self._connect(last, port, part=1.0)

    def _connect(self, address: str, port: int, *, part: float) -> httpcore.NetworkStream:
        return _Stream(self._inner.connect_tcp(address, port, _left(self._deadline_s) * part), self._deadline_s)

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None
    ) -> httpcore.NetworkStream:
        raise httpcore.ConnectError("no socket files")

    def sleep(self, seconds: float) -> None:
        # httpcore's backend interface asks for it; nothing of ours calls it.
        time.sleep(seconds)


def _exchange(
    target: Target, addresses: list[str], body: bytes, *, headers: Mapping[str, str], deadline_s: float
) -> tuple[int, Mapping[str, str], str]:
    """Status, headers (names in lower case) and the beginning of the body."""
    host = f"[{target.host}]" if ":" in target.host else target.host
    url = httpcore.URL(
        scheme=b"https" if target.is_tls else b"http",
        host=target.host.encode("idna") if not target.host.isascii() else target.host.encode(),
        port=target.port,
        target=target.path.encode(),
    )
    default_port = 443 if target.is_tls else 80
    named = host if target.port == default_port else f"{host}:{target.port}"
    sent = {"Host": named, "Connection": "close", "User-Agent": "Watchfloor", "Accept": "*/*", **headers}
    with (
        httpcore.ConnectionPool(network_backend=_Pinned(addresses, deadline_s)) as pool,
        pool.stream("POST", url, headers=list(sent.items()), content=body) as response,
    ):
        received = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
        taken = bytearray()
        for chunk in response.iter_stream():
            taken += chunk
            if len(taken) >= SIZE_LIMIT:
                break
        return response.status, received, taken[:SIZE_LIMIT].decode(errors="replace")


def _refusal(status: int, headers: Mapping[str, str]) -> DeliveryError:
    if 300 <= status < 400:
        return DeliveryError(f"the receiver answers {status}, and redirects are not followed", permanent=True)
    permanent = status < 500 and status not in TEMPORARY
    return DeliveryError(
        f"the receiver answers {status}", permanent=permanent, retry_after_s=_retry_after_s(headers.get("retry-after"))
    )


def _retry_after_s(written: str | None) -> int | None:
    """Seconds of a Retry-After header, which holds a number or a date (RFC 9110 section 10.2.3)."""
    if written is None:
        return None
    try:
        seconds = int(written)
    except ValueError:
        try:
            seconds = int((parsedate_to_datetime(written) - utc_now()).total_seconds())
        except (ValueError, TypeError):
            return None
    return max(0, min(seconds, MOST_RETRY_AFTER_S))


def _carried(address: Address) -> Address:
    """The IPv4 address that an IPv6 form carries; the address itself when it carries none."""
    if isinstance(address, IPv4Address):
        return address
    carried = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
    if carried is None and (address in NAT64 or (address in COMPATIBLE and int(address) > 1)):
        carried = IPv4Address(int(address) & 0xFFFFFFFF)
    return carried or address


def _left(deadline_s: float) -> float:
    left = deadline_s - monotonic_s()
    if left <= 0:
        raise _TooSlow
    return left
