"""Every error the program raises on purpose, and the status each one becomes.

WatchfloorError
├── InvalidInput(field, reason)          400   the caller can fix it; command line: exit 2
│   ├── DecodeError(protocol, where, why)
│   └── QueryError(position, why)              PromQL
├── Unauthenticated 401   Forbidden 403   NotFound 404   Conflict 409   TooLarge 413   UnknownContentType 415
├── Overloaded(retry_after_s)            429
├── Unavailable(dependency)              503
├── DeliveryError(reason, permanent)           jobs only: retry or give up
└── ConfigError(setting, why, example)         stops the start

The message is one plain sentence a person can act on; never a secret or another tenant's data.
"""

from __future__ import annotations


class WatchfloorError(Exception):
    """The root: everything the program raises on purpose."""

    status = 500


class InvalidInput(WatchfloorError):
    """The caller sent something it can mend; `field` says where, `reason` what is wrong."""

    status = 400

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.field = field
        self.reason = reason


class DecodeError(InvalidInput):
    """A body that its protocol does not allow; `where` is a path, line or byte offset."""

    def __init__(self, protocol: str, where: str, why: str) -> None:
        super().__init__(f"{protocol} {where}".strip(), why)
        self.protocol = protocol
        self.where = where
        self.why = why


class QueryError(InvalidInput):
    """A PromQL query that cannot be parsed or evaluated; `kind` is Prometheus's errorType."""

    def __init__(self, why: str, *, position: int | None = None, kind: str = "bad_data") -> None:
        super().__init__("query" if position is None else f"query at {position}", why)
        self.why = why
        self.position = position
        self.kind = kind

    def __str__(self) -> str:
        return self.why


class Unauthenticated(WatchfloorError):
    """Nobody we know: sign in, or send a valid token."""

    status = 401


class Forbidden(WatchfloorError):
    """Known, but not allowed; the message names the missing permission or scope."""

    status = 403


class NotFound(WatchfloorError):
    """No such thing for this viewer, which includes another tenant's things."""

    status = 404


class Conflict(WatchfloorError):
    """Someone else was first, or the thing is in a state that forbids the change."""

    status = 409


class TooLarge(WatchfloorError):
    """A body above the limit, before or after decompression."""

    status = 413


class UnknownContentType(WatchfloorError):
    """A content type or encoding that the route does not read."""

    status = 415


class Overloaded(WatchfloorError):
    """The caller is over its own quota and should come back later."""

    status = 429

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Unavailable(WatchfloorError):
    """Something of ours is away (`dependency`); nothing was accepted, come back later."""

    status = 503

    def __init__(self, dependency: str, *, retry_after_s: int = 5) -> None:
        super().__init__(f"{dependency} is not available at the moment")
        self.dependency = dependency
        self.retry_after_s = retry_after_s


class DeliveryError(WatchfloorError):
    """A message that did not arrive; `permanent` means that another try cannot help."""

    def __init__(self, reason: str, *, permanent: bool, retry_after_s: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.permanent = permanent
        self.retry_after_s = retry_after_s


class ConfigError(WatchfloorError):
    """A setting that is missing or wrong; stops the start."""

    def __init__(self, setting: str, why: str, example: str) -> None:
        super().__init__(f"{setting}: {why} (for example {example})")
        self.setting = setting
        self.why = why
        self.example = example
