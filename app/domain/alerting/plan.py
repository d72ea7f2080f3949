"""Who is told of an alert's start or end, and why (not): one decision for each channel, each with its reason."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Set
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.domain.alerting.alert import Severity
from app.domain.alerting.rules import AlertEvent


class PlanReason(StrEnum):
    """Why a channel is (not) told."""

    STARTED = "started"
    ENDED = "ended"
    CHANNEL_DISABLED = "channel_disabled"
    BELOW_SEVERITY = "below_severity"
    SNOOZED = "snoozed"
    RECOVERY_NOT_WANTED = "recovery_not_wanted"
    NEVER_ANNOUNCED = "never_announced"


SENDS: Final = frozenset({PlanReason.STARTED, PlanReason.ENDED})

FIRST_RETRY_S: Final = 5.0
LONGEST_RETRY_S: Final = 900.0
JITTER: Final = 0.2
# Sixteen tries span about two and a half hours; what is older is no news.
MOST_TRIES: Final = 16


@dataclass(frozen=True)
class Route:
    """What decides whether a channel is told: from which severity on, and whether it wants recoveries."""

    channel_id: int
    min_severity: Severity
    send_resolved: bool
    is_enabled: bool


@dataclass(frozen=True)
class Delivery:
    """One message that one channel will (not) get."""

    channel_id: int
    event: AlertEvent
    reason: PlanReason

    @property
    def is_sent(self) -> bool:
        """Whether a message goes out."""
        return self.reason in SENDS


def plan_deliveries(
    event: AlertEvent,
    routes: Iterable[Route],
    *,
    severity: Severity,
    is_snoozed: bool,
    announced: Set[int],
) -> list[Delivery]:
    """The deliveries of one transition; `announced`: ids of the channels that were told (or will be) of its start."""
    return [
        Delivery(
            route.channel_id,
            event,
            _why_start(route, severity, is_snoozed=is_snoozed)
            if event is AlertEvent.FIRING
            else _why_end(route, announced),
        )
        for route in routes
    ]


def retry_delay_s(key: str, tries: int, *, retry_after_s: int | None) -> float | None:
    """Seconds until the next try after `tries` failed ones; None when it is time to give up.

    Doubles from 5 s to 15 min, spread by up to 20 % so that many messages to one receiver do not come back at once;
    never before the receiver's own Retry-After.
    """
    if tries >= MOST_TRIES:
        return None
    delay = min(FIRST_RETRY_S * 2.0 ** (tries - 1), LONGEST_RETRY_S)
    digest = hashlib.blake2b(f"{key} {tries}".encode(), digest_size=4).digest()
    spread = 1 + JITTER * (int.from_bytes(digest, "big") / 2**31 - 1)
    return max(delay * spread, float(retry_after_s or 0))


def _why_start(route: Route, severity: Severity, *, is_snoozed: bool) -> PlanReason:
    if not route.is_enabled:
        return PlanReason.CHANNEL_DISABLED
    if severity.rank > route.min_severity.rank:
        return PlanReason.BELOW_SEVERITY
    return PlanReason.SNOOZED if is_snoozed else PlanReason.STARTED


def _why_end(route: Route, announced: Set[int]) -> PlanReason:
    """A recovery is for those who heard of the start, also when the alert is acknowledged or snoozed (ALERTING 4.6)."""
    if route.channel_id not in announced:
        return PlanReason.NEVER_ANNOUNCED
    if not route.is_enabled:
        return PlanReason.CHANNEL_DISABLED
    return PlanReason.ENDED if route.send_resolved else PlanReason.RECOVERY_NOT_WANTED
