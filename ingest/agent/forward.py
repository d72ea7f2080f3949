"""Sends columns to POST /api/v1/ingest until they are taken; waits as the server asks, gives up only on its word."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Callable
from typing import Final

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_delay

from app.errors import WatchfloorError

log = logging.getLogger(__name__)

PATH: Final = "/api/v1/ingest"
TIMEOUT_S: Final = 60.0
LONGEST_WAIT_S: Final = 60.0
# Statuses after which the same request may be taken later.
PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


class NotTaken(WatchfloorError):
    """The server refuses these samples for good: another try cannot help."""


class _TryAgain(Exception):
    """Not taken now; `wait_s` is what the server asked for, None when it said nothing."""

    def __init__(self, why: str, wait_s: float | None) -> None:
        super().__init__(why)
        self.wait_s = wait_s


class Forwarder:
    """One sender: an address, a token, and one connection that is kept open. Use as a context manager."""

    def __init__(self, base_url: str, token: str, *, sleep: Callable[[float], None]) -> None:
        self.sleep = sleep
        self.client = httpx.Client(
            base_url=base_url.rstrip("/"),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            timeout=TIMEOUT_S,
            trust_env=False,
        )

    def __enter__(self) -> Forwarder:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def send(self, body: bytes, *, key: str, encoding: str = "", give_up_after_s: float) -> int:
        """How many samples were accepted. `body` is JSON, compressed as `encoding` says; unset, it is gzipped here.

        `key` is the Idempotency-Key: the same body sent twice counts once. Raises NotTaken, also when
        `give_up_after_s` have passed without success.
        """
        content, encoding = (body, encoding) if encoding else (gzip.compress(body, compresslevel=5), "gzip")
        retrying = Retrying(
            retry=retry_if_exception_type(_TryAgain),
            wait=_wait_s,
            stop=stop_after_delay(give_up_after_s),
            sleep=self.sleep,
            reraise=True,
        )
        try:
            return retrying(self._send_once, content, {"Content-Encoding": encoding, "Idempotency-Key": key})
        except _TryAgain as error:
            raise NotTaken(f"{self.client.base_url} takes no samples: {error}") from None

    def _send_once(self, content: bytes, headers: dict[str, str]) -> int:
        try:
            response = self.client.post(PATH, content=content, headers=headers)
        except httpx.TransportError as error:
            raise _TryAgain(str(error) or type(error).__name__, None) from error
        if response.status_code in PASSING:
            raise _TryAgain(f"status {response.status_code}", _retry_after_s(response))
        if response.status_code != httpx.codes.ACCEPTED:
            raise NotTaken(f"{response.url} answers {response.status_code}: {response.text[:200]}")
        told = response.json()
        if told["rejected"]:
            log.warning("samples rejected", extra={"rejected": told["rejected"], "first": told["errors"][:1]})
        return int(told["accepted"])


def _wait_s(state: RetryCallState) -> float:
    """What the server asked for, else 1, 2, 4 … seconds."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, _TryAgain) and error.wait_s is not None:
        return min(error.wait_s, LONGEST_WAIT_S)
    return min(2.0 ** (state.attempt_number - 1), LONGEST_WAIT_S)


def _retry_after_s(response: httpx.Response) -> float | None:
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdigit() else None
