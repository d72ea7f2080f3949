"""Alertmanager's API v2, POST /api/v2/alerts: a JSON list of alerts, from Prometheus, Grafana or amtool."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec

from app.domain.alerting.received import ReceivedAlert, check, completed
from app.domain.samples import Rejection
from app.errors import DecodeError, TooLarge
from ingest.protocols.bounds import NOT_JSON, check_json

PROTOCOL: Final = "alertmanager"
MOST_ALERTS: Final = 20_000
LONGEST_URL: Final = 4_096
# Go's zero time stands for "not given"; Prometheus sends it for an alert that goes on.
ZERO_YEAR: Final = 1


class Posted(msgspec.Struct, rename="camel"):
    """One alert as it stands in the request."""

    labels: dict[str, str]
    annotations: dict[str, str] | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    generator_url: str | None = msgspec.field(default=None, name="generatorURL")


@dataclass(frozen=True)
class Decoded:
    """The alerts that can be taken, and why others cannot."""

    alerts: list[ReceivedAlert]
    rejected: list[Rejection]


_read_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_read_alert = msgspec.json.Decoder(Posted).decode


def decode(body: bytes, *, now: datetime) -> Decoded:
    """The alerts of a request; raises DecodeError when it is no JSON list, TooLarge when it has too many."""
    check_json(body)
    try:
        items = _read_items(body)
    except NOT_JSON as error:
        raise DecodeError(PROTOCOL, "body", str(error)) from None
    if len(items) > MOST_ALERTS:
        raise TooLarge(f"the body has more than {MOST_ALERTS} alerts")
    decoded = Decoded([], [])
    for index, item in enumerate(items):
        try:
            decoded.alerts.append(_alert(index, _read_alert(item), now))
        except (*NOT_JSON, ValueError, OverflowError) as error:
            decoded.rejected.append(Rejection(index, str(error)))
    return decoded


def _alert(index: int, posted: Posted, now: datetime) -> ReceivedAlert:
    labels = {name: value for name, value in posted.labels.items() if value}
    annotations = {name: value for name, value in (posted.annotations or {}).items() if value}
    check(labels, annotations)
    starts_at, ends_at = completed(_moment(posted.starts_at), _moment(posted.ends_at), now=now)
    url = (posted.generator_url or "").replace("\0", "")[:LONGEST_URL]
    return ReceivedAlert(index, labels, annotations, starts_at, ends_at, url)


def _moment(moment: datetime | None) -> datetime | None:
    if moment is None or moment.year == ZERO_YEAR:
        return None
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment.astimezone(UTC)
