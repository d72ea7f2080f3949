"""Who is told, and why (not); how long until the next try."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.alerting.alert import Severity
from app.domain.alerting.plan import LONGEST_RETRY_S, MOST_TRIES, PlanReason, Route, plan_deliveries, retry_delay_s
from app.domain.alerting.rules import AlertEvent

FIRING, RESOLVED = AlertEvent.FIRING, AlertEvent.RESOLVED


def route(severity: Severity = Severity.WARNING, *, resolved: bool = True, enabled: bool = True) -> Route:
    return Route(1, severity, resolved, enabled)


@pytest.mark.parametrize(
    ("event", "route_", "severity", "is_snoozed", "announced", "reason"),
    [
        pytest.param(FIRING, route(), Severity.CRITICAL, False, set(), PlanReason.STARTED, id="bad enough"),
        pytest.param(
            FIRING, route(Severity.MAJOR), Severity.MAJOR, False, set(), PlanReason.STARTED, id="just bad enough"
        ),
        pytest.param(
            FIRING, route(Severity.MAJOR), Severity.MINOR, False, set(), PlanReason.BELOW_SEVERITY, id="not bad enough"
        ),
        pytest.param(
            FIRING, route(), Severity.UNKNOWN, False, set(), PlanReason.BELOW_SEVERITY, id="unknown is below warning"
        ),
        pytest.param(
            FIRING, route(enabled=False), Severity.CRITICAL, False, set(), PlanReason.CHANNEL_DISABLED, id="off"
        ),
        pytest.param(FIRING, route(), Severity.CRITICAL, True, set(), PlanReason.SNOOZED, id="snoozed"),
        pytest.param(RESOLVED, route(), Severity.CRITICAL, False, {1}, PlanReason.ENDED, id="end of what was told"),
        pytest.param(RESOLVED, route(), Severity.CRITICAL, True, {1}, PlanReason.ENDED, id="also when snoozed"),
        pytest.param(
            RESOLVED, route(), Severity.CRITICAL, False, {2}, PlanReason.NEVER_ANNOUNCED, id="end of what nobody knew"
        ),
        pytest.param(
            RESOLVED, route(resolved=False), Severity.MAJOR, False, {1}, PlanReason.RECOVERY_NOT_WANTED, id="no ends"
        ),
        pytest.param(
            RESOLVED, route(Severity.CRITICAL), Severity.MINOR, False, {1}, PlanReason.ENDED, id="severity fell since"
        ),
    ],
)
def test_who_is_told(
    event: AlertEvent, route_: Route, severity: Severity, is_snoozed: bool, announced: set[int], reason: PlanReason
) -> None:
    [delivery] = plan_deliveries(event, [route_], severity=severity, is_snoozed=is_snoozed, announced=announced)
    assert delivery.reason is reason
    assert delivery.is_sent == (reason in (PlanReason.STARTED, PlanReason.ENDED))


@given(st.text(max_size=20), st.integers(1, MOST_TRIES - 1), st.one_of(st.none(), st.integers(0, 3600)))
def test_the_next_try_comes_within_its_bounds(key: str, tries: int, retry_after_s: int | None) -> None:
    delay_s = retry_delay_s(key, tries, retry_after_s=retry_after_s)
    assert delay_s is not None
    assert delay_s >= max(4, retry_after_s or 0)
    assert delay_s <= max(1.2 * LONGEST_RETRY_S, retry_after_s or 0)


def test_it_doubles_and_ends() -> None:
    delays = [retry_delay_s("k", tries, retry_after_s=None) for tries in range(1, MOST_TRIES + 1)]
    assert delays[-1] is None
    assert all(b > 1.3 * a for a, b in pairwise(delays[:7]) if a and b)
