"""The states of one alert and the one function that moves between them.

An alert is one label set of one rule. ALERTING.md numbers the rules (A3, A6, ...); each branch returns its reason.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

# A14: a pending alert is taken up again after an outage shorter than this; after a longer one it starts afresh.
OUTAGE_TOLERANCE: Final = timedelta(hours=1)
# A14: a rule that waits at least this long waits at least this long again after an outage.
FOR_GRACE: Final = timedelta(minutes=10)


class State(StrEnum):
    """Where an alert is in its episode."""

    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


class Reason(StrEnum):
    """Why step() answered what it did; also the log word and the kind of the timeline entry."""

    APPEARED = "appeared"
    FIRED_AT_ONCE = "fired_at_once"
    WAITS = "waits"
    FIRED = "fired"
    STILL_FIRING = "still_firing"
    CAME_BACK = "came_back"
    FOR_GREW = "for_grew"
    VANISHED_PENDING = "vanished_pending"
    KEPT_FIRING = "kept_firing"
    VANISHED = "vanished"
    KEEP_FIRING_OVER = "keep_firing_over"
    CLOSED_BY_HAND = "closed_by_hand"
    RELEASED = "released"
    ABSENT = "absent"


@dataclass(frozen=True)
class Clock:
    """The state of one episode and the moments that decide about the next.

    `is_held`: resolved by a person while the condition lasts; no new episode starts until the condition was away.
    """

    state: State
    active_at: datetime
    fired_at: datetime | None = None
    keep_firing_since: datetime | None = None
    resolved_at: datetime | None = None
    is_held: bool = False


@dataclass(frozen=True)
class Waits:
    """How long a rule waits before it fires, and how long it goes on firing without its condition."""

    for_: timedelta = timedelta(0)
    keep_firing_for: timedelta = timedelta(0)


@dataclass(frozen=True)
class Step:
    """What becomes of an alert in one evaluation; `clock` None means that nothing of it remains."""

    clock: Clock | None
    reason: Reason


def step(clock: Clock | None, *, is_present: bool, at: datetime, waits: Waits) -> Step:
    """The next state of an alert whose condition is (not) present in the evaluation at `at`.

    `clock` None: no episode is open, nor one held by hand.
    """
    if clock is not None and clock.state is State.RESOLVED:
        return _step_resolved(clock, is_present=is_present, at=at, waits=waits)
    if is_present:
        return _begin(at, waits) if clock is None else _step_present(clock, at, waits)
    return Step(None, Reason.ABSENT) if clock is None else _step_absent(clock, at, waits)


def resume(clock: Clock, *, stopped_at: datetime, at: datetime, waits: Waits) -> Clock | None:
    """The clock of an alert after nobody evaluated between `stopped_at` and `at` (A14); None starts afresh.

    Time without evaluation does not count. Where Prometheus forgets (rules that wait less than the grace,
    `keep_firing_for`), the stored clocks go on. What was firing is decided by the first evaluation.
    """
    outage = at - stopped_at
    if clock.state is State.FIRING:
        is_short = clock.keep_firing_since is not None and outage < OUTAGE_TOLERANCE
        return replace(clock, keep_firing_since=_later(clock.keep_firing_since, outage)) if is_short else clock
    if clock.state is State.RESOLVED:
        return clock
    if outage >= OUTAGE_TOLERANCE:
        return None if clock.fired_at is None else clock
    remaining = waits.for_ - (stopped_at - clock.active_at)
    if remaining <= timedelta(0):
        return clock
    if waits.for_ >= FOR_GRACE and remaining < FOR_GRACE:
        return replace(clock, active_at=at + FOR_GRACE - waits.for_)
    return replace(clock, active_at=clock.active_at + outage)


def _begin(at: datetime, waits: Waits) -> Step:
    """A3: the first appearance; `for` 0 fires in the same evaluation."""
    if waits.for_ <= timedelta(0):
        return Step(Clock(State.FIRING, active_at=at, fired_at=at), Reason.FIRED_AT_ONCE)
    return Step(Clock(State.PENDING, active_at=at), Reason.APPEARED)


def _step_present(clock: Clock, at: datetime, waits: Waits) -> Step:
    """A3, A4, A6, A12: the condition lasts."""
    has_waited = at - clock.active_at >= waits.for_
    if clock.state is State.PENDING:
        if not has_waited:
            return Step(clock, Reason.WAITS)
        return Step(replace(clock, state=State.FIRING, fired_at=clock.fired_at or at), Reason.FIRED)
    if not has_waited:
        return Step(replace(clock, state=State.PENDING, keep_firing_since=None), Reason.FOR_GREW)
    if clock.keep_firing_since is not None:
        return Step(replace(clock, keep_firing_since=None), Reason.CAME_BACK)
    return Step(clock, Reason.STILL_FIRING)


def _step_absent(clock: Clock, at: datetime, waits: Waits) -> Step:
    """A5, A6, A7: the condition is gone."""
    if clock.state is State.PENDING:
        if clock.fired_at is None:
            return Step(None, Reason.VANISHED_PENDING)
        # It fired before its `for` grew (A12): whoever was told of it must hear of its end.
        return Step(_resolved(clock, at), Reason.VANISHED)
    if waits.keep_firing_for <= timedelta(0):
        return Step(_resolved(clock, at), Reason.VANISHED)
    since = clock.keep_firing_since or at
    if at - since < waits.keep_firing_for:
        return Step(replace(clock, keep_firing_since=since), Reason.KEPT_FIRING)
    return Step(_resolved(clock, at), Reason.KEEP_FIRING_OVER)


def _step_resolved(clock: Clock, *, is_present: bool, at: datetime, waits: Waits) -> Step:
    """A8: a resolved episode never comes back; a new one starts, unless a person closed this one and it lasts."""
    if clock.is_held:
        if is_present:
            return Step(clock, Reason.CLOSED_BY_HAND)
        return Step(replace(clock, is_held=False), Reason.RELEASED)
    return _begin(at, waits) if is_present else Step(clock, Reason.ABSENT)


def _resolved(clock: Clock, at: datetime) -> Clock:
    return replace(clock, state=State.RESOLVED, resolved_at=at, keep_firing_since=None)


def _later(moment: datetime | None, by: timedelta) -> datetime | None:
    return None if moment is None else moment + by
