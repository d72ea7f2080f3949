"""Who is told of an alert's start or end, and why (not): one decision for each channel, each with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass
from enum import StrEnum

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


SENDS = frozenset({PlanReason.STARTED, PlanReason.ENDED})


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
