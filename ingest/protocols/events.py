"""Our own form of events: `{"events": [{"ts", "kind", "device"?, "interface"?, "severity"?, "text", "labels"?}]}`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Final

import msgspec

from app.domain.alerting.alert import severity_of
from app.domain.events import Event
from app.domain.labels import LONGEST_NAME, LONGEST_VALUE, MOST_LABELS
from app.domain.samples import TOO_NEW, TOO_OLD, Rejection, Window
from app.errors import DecodeError, TooLarge
from ingest.protocols.bounds import NOT_JSON, check_json
from ingest.protocols.times import EPOCH, FURTHEST_MS, moment_of

PROTOCOL: Final = "events"
MOST_EVENTS: Final = 20_000
LONGEST_TEXT: Final = 8_192
LONGEST_WORD: Final = 256


class Sent(msgspec.Struct):
    """One event as it stands in the request."""

    ts: int | float | str
    kind: str
    text: str
    device: str | None = None
    interface: str | None = None
    severity: str | None = None
    labels: dict[str, str] | None = None


class Body(msgspec.Struct):
    """A request."""

    events: list[msgspec.Raw]


@dataclass(frozen=True)
class Decoded:
    """The events that can be taken, and why others cannot."""

    events: list[Event]
    rejected: list[Rejection]


_read_body = msgspec.json.Decoder(Body).decode
_read_event = msgspec.json.Decoder(Sent).decode


def decode(body: bytes, *, window: Window) -> Decoded:
    """The events of a request within the tenant's window.

    Raises DecodeError when the body has another form, TooLarge when it has too many.
    """
    check_json(body)
    try:
        items = _read_body(body).events
    except NOT_JSON as error:
        raise DecodeError(PROTOCOL, "body", str(error)) from None
    if len(items) > MOST_EVENTS:
        raise TooLarge(f"the body has more than {MOST_EVENTS} events")
    decoded = Decoded([], [])
    for index, item in enumerate(items):
        try:
            decoded.events.append(_event(_read_event(item), window))
        except (*NOT_JSON, ValueError, OverflowError) as error:
            decoded.rejected.append(Rejection(index, str(error)))
    return decoded


def _event(sent: Sent, window: Window) -> Event:
    at = _time(sent.ts)
    at_ms = (at - EPOCH) // timedelta(milliseconds=1)
    if at_ms < window.start_ms:
        raise ValueError(TOO_OLD)
    if at_ms > window.end_ms:
        raise ValueError(TOO_NEW)
    labels = {name: value for name, value in (sent.labels or {}).items() if value}
    words = (sent.kind, sent.device or "", sent.interface or "")
    _check(words, sent.text, labels)
    return Event(
        at=at,
        kind=sent.kind,
        text=sent.text,
        device=sent.device or "",
        interface=sent.interface or "",
        severity=severity_of(sent.severity) if sent.severity else None,
        labels=labels,
    )


def _check(words: tuple[str, ...], text: str, labels: dict[str, str]) -> None:
    if not words[0] or not text:
        raise ValueError("an event needs a kind and a text")
    if any(len(word) > LONGEST_WORD for word in words) or len(text) > LONGEST_TEXT:
        raise ValueError(f"a word longer than {LONGEST_WORD} or a text longer than {LONGEST_TEXT} characters")
    if len(labels) > MOST_LABELS:
        raise ValueError(f"more than {MOST_LABELS} labels")
    if any(not name or len(name) > LONGEST_NAME or len(value) > LONGEST_VALUE for name, value in labels.items()):
        raise ValueError("a label without a name, or one that is too long")
    if any("\0" in part for part in (*words, text, *labels, *labels.values())):
        raise ValueError("a NUL character")


def _time(ts: int | float | str) -> datetime:
    """The moment; raises ValueError."""
    if isinstance(ts, str):
        return moment_of(ts).astimezone(UTC)
    if not isfinite(ts) or abs(ts) > FURTHEST_MS:
        raise ValueError("ts is not a time in milliseconds")
    return EPOCH + timedelta(milliseconds=ts)
