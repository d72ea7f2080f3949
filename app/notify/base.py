"""What a notifier is, what it is given, and the surroundings it sends into."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Protocol
from urllib.parse import urlsplit

from app.errors import ConfigError
from app.notify.resolve import system_resolver
from app.settings import Settings

Network = IPv4Network | IPv6Network
# A host name and a port to the addresses that it stands for; raises OSError when there are none.
Resolver = Callable[[str, int], Sequence[str]]


@dataclass(frozen=True)
class Outbound:
    """What the operator allows and provides for messages that leave the installation.

    `allow`: ranges that may be sent to although they are not public. `own_ports`: ports of our own servers, which
    no message goes to whatever `allow` says.
    """

    base_url: str = ""
    smtp_url: str | None = None
    smtp_from: str = "watchfloor@localhost"
    allow: tuple[Network, ...] = ()
    own_ports: frozenset[int] = frozenset()
    resolve: Resolver = field(default=system_resolver, compare=False)


@dataclass(frozen=True)
class Message:
    """One thing to tell about one alert; `key` is the same for every try, `status` is firing, resolved or test."""

    key: str
    channel: str
    status: str
    name: str
    severity: str
    summary: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    fingerprint: str
    value: str | None
    starts_at: str
    ends_at: str | None
    base_url: str
    path: str

    @property
    def url(self) -> str:
        """Where a person reads more; from the configured address, never from a request."""
        return self.base_url + self.path


class Notifier(Protocol):
    """A kind of channel. Knows its own configuration and how to send; retries are not its business."""

    kind: str
    needs_secret: bool

    def check(self, config: Mapping[str, Any], outbound: Outbound) -> dict[str, Any]:
        """The configuration in its stored form; raises InvalidInput when it cannot work or must not be sent to."""
        ...

    def send(self, message: Message, config: Mapping[str, Any], secret: str, outbound: Outbound) -> str:
        """Send once; answers what the receiver said, in short. Raises DeliveryError, never with a secret in it."""
        ...


_outbound: Outbound | None = None


def open_outbound(settings: Settings) -> Outbound:
    """Set what this process may send to and through; call once in the main of a process."""
    allow: list[Network] = []
    for written in filter(None, (part.strip() for part in settings.outbound_allow.split(","))):
        try:
            allow.append(ip_network(written, strict=False))
        except ValueError:
            raise ConfigError("WATCHFLOOR_OUTBOUND_ALLOW", f"{written} is no CIDR range", "10.0.0.0/8") from None
    ports = {urlsplit(url).port for url in (settings.database_url, settings.redis_url) if url}
    return use_outbound(
        Outbound(
            base_url=settings.base_url(),
            smtp_url=settings.smtp_url,
            smtp_from=settings.smtp_from,
            allow=tuple(allow),
            own_ports=frozenset(port for port in ports if port),
        )
    )


def use_outbound(outbound_now: Outbound) -> Outbound:
    """Make `outbound_now` the one of this process; tests pass their own resolver."""
    global _outbound  # noqa: PLW0603  the process has one; this is where it is kept
    _outbound = outbound_now
    return outbound_now


def outbound() -> Outbound:
    """That of this process."""
    assert _outbound is not None, "open_outbound() was not called"
    return _outbound
