"""A first guess at why an alert fires: one sentence from what else fires next to it. Correlation proper comes later."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.domain.alerting.alert import Alert

UNREACHABLE: Final = "unreachable"
LINK_DOWN: Final = "link-down"
# So many unreachable devices of one site are an outage of the site.
SITE_OUTAGE: Final = 3


@dataclass(frozen=True)
class Hop:
    """One end of a link and the end across, by names; an interface may be unknown."""

    interface: str
    other_device: str
    other_interface: str


@dataclass(frozen=True)
class Cause:
    """A sentence, and the alerts that it rests on."""

    sentence: str
    alert_ids: tuple[int, ...]


def likely_cause(alert: Alert, others: Sequence[Alert], hops: Mapping[str, Sequence[Hop]]) -> Cause | None:
    """Why `alert` probably fires, given the other alerts of that time and the links by device; None without a guess."""
    if alert.alert_class == UNREACHABLE:
        return _upstream(alert, others, hops) or _site_outage(alert, others) or _cut_off(alert, others, hops)
    own = _first(others, UNREACHABLE, alert.device)
    if own is not None:
        return Cause(f"{own.device} does not answer since {_time(own)}; this probably follows from it.", (own.id,))
    return _across(alert, others, hops) if alert.alert_class == LINK_DOWN else None


def _upstream(alert: Alert, others: Sequence[Alert], hops: Mapping[str, Sequence[Hop]]) -> Cause | None:
    """A neighbour with more links that does not answer either: this one is probably reached through it."""
    degree = len(hops.get(alert.device, ()))
    for hop in hops.get(alert.device, ()):
        above = _first(others, UNREACHABLE, hop.other_device)
        if above is not None and len(hops.get(above.device, ())) > degree:
            sentence = (
                f"{above.device}, which {alert.device} is connected through, does not answer since {_time(above)}."
            )
            return Cause(sentence, (above.id,))
    return None


def _site_outage(alert: Alert, others: Sequence[Alert]) -> Cause | None:
    same = [other for other in others if other.alert_class == UNREACHABLE and other.site == alert.site]
    if not alert.site or len(same) + 1 < SITE_OUTAGE:
        return None
    first = min([alert, *same], key=lambda item: item.since)
    sentence = f"{len(same) + 1} devices at {alert.site} do not answer since {_time(first)}: look at the site itself."
    return Cause(sentence, tuple(other.id for other in same))


def _cut_off(alert: Alert, others: Sequence[Alert], hops: Mapping[str, Sequence[Hop]]) -> Cause | None:
    """Neighbours that lost the link towards it: the device or its power is gone, not just its answers."""
    lost = [
        other
        for hop in hops.get(alert.device, ())
        for other in others
        if other.alert_class == LINK_DOWN and (other.device, other.interface) == (hop.other_device, hop.other_interface)
    ]
    if not lost:
        return None
    where = ", ".join(f"{other.device} {other.interface}" for other in lost[:3])
    sentence = f"Its neighbours lost the link to it ({where}): {alert.device} itself is probably down."
    return Cause(sentence, tuple(other.id for other in lost))


def _across(alert: Alert, others: Sequence[Alert], hops: Mapping[str, Sequence[Hop]]) -> Cause | None:
    """What the other end of this link says."""
    for hop in hops.get(alert.device, ()):
        if hop.interface != alert.interface:
            continue
        away = _first(others, UNREACHABLE, hop.other_device)
        if away is not None:
            sentence = f"{away.device}, at the other end of this link, does not answer since {_time(away)}."
            return Cause(sentence, (away.id,))
        for other in others:
            if (other.alert_class, other.device, other.interface) == (LINK_DOWN, hop.other_device, hop.other_interface):
                sentence = f"{other.device} {other.interface}, the other end, is down too: the line is probably cut."
                return Cause(sentence, (other.id,))
    return None


def _first(alerts: Iterable[Alert], alert_class: str, device: str) -> Alert | None:
    return next((item for item in alerts if item.alert_class == alert_class and item.device == device), None)


def _time(alert: Alert) -> str:
    return f"{alert.since:%H:%M:%S} UTC"
