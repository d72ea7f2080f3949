"""The state machine, as tables named after the statements of the alert semantics (A3 to A9, A12, A14)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.alerting.state import Clock, Reason, State, Waits, resume, step

START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def waits(for_s: float = 0, keep_s: float = 0) -> Waits:
    return Waits(timedelta(seconds=for_s), timedelta(seconds=keep_s))


def run(rounds: str, rule: Waits, *, interval_s: float = 15) -> list[str]:
    """States after each round: `x` the condition is present, `.` it is absent; `-` stands for nothing known."""
    clock: Clock | None = None
    states = []
    for index, sign in enumerate(rounds):
        clock = step(clock, is_present=sign == "x", at=at(index * interval_s), waits=rule).clock
        states.append(clock.state.value[0] if clock else "-")
        if clock and clock.state is State.RESOLVED and not clock.is_held:
            clock = None
    return states


@pytest.mark.parametrize(
    ("rounds", "rule", "expected"),
    [
        pytest.param("x", waits(0), "f", id="A3 for 0 fires in the same evaluation"),
        pytest.param("xxx", waits(30), "ppf", id="A3 fires where the time waited equals `for`"),
        pytest.param("xxxx", waits(31), "pppf", id="A3 one second more is one round more"),
        pytest.param("xx", waits(5), "pf", id="A4 a `for` shorter than the interval fires in the next evaluation"),
        pytest.param("x.xxx", waits(30), "p-ppf", id="A5 a gap while pending starts the clock afresh"),
        pytest.param("x.", waits(0), "fr", id="A6 absent without keep_firing_for resolves at once"),
        pytest.param("x...", waits(0, 30), "fffr", id="A6 kept firing while the time kept is less"),
        pytest.param("x..x...", waits(0, 30), "ffffffr", id="A6 coming back clears the time kept"),
        pytest.param("x.", waits(30, 600), "p-", id="A7 keep_firing_for does not hold a pending alert"),
        pytest.param("x.x", waits(0), "frf", id="A8 what comes again is a new alert"),
    ],
)
def test_rounds(rounds: str, rule: Waits, expected: str) -> None:
    assert "".join(run(rounds, rule)) == expected


@pytest.mark.parametrize(
    ("clock", "is_present", "rule", "reason"),
    [
        pytest.param(None, True, waits(60), Reason.APPEARED, id="A3 pending"),
        pytest.param(None, True, waits(0), Reason.FIRED_AT_ONCE, id="A3 at once"),
        pytest.param(None, False, waits(0), Reason.ABSENT, id="nothing"),
        pytest.param(Clock(State.PENDING, at(-15)), True, waits(60), Reason.WAITS, id="A3 waits"),
        pytest.param(Clock(State.PENDING, at(-60)), True, waits(60), Reason.FIRED, id="A3 fired"),
        pytest.param(Clock(State.PENDING, at(-60)), False, waits(60), Reason.VANISHED_PENDING, id="A5"),
        pytest.param(Clock(State.FIRING, at(-60), at(-60)), True, waits(0), Reason.STILL_FIRING, id="A6 lasts"),
        pytest.param(Clock(State.FIRING, at(-60), at(-60)), False, waits(0), Reason.VANISHED, id="A6 gone"),
        pytest.param(Clock(State.FIRING, at(-60), at(-60)), False, waits(0, 60), Reason.KEPT_FIRING, id="A6 kept"),
        pytest.param(
            Clock(State.FIRING, at(-90), at(-90), at(-60)), False, waits(0, 60), Reason.KEEP_FIRING_OVER, id="A6 over"
        ),
        pytest.param(
            Clock(State.FIRING, at(-90), at(-90), at(-60)), True, waits(0, 60), Reason.CAME_BACK, id="A6 back"
        ),
        pytest.param(Clock(State.FIRING, at(-60), at(-60)), True, waits(600), Reason.FOR_GREW, id="A12"),
        pytest.param(Clock(State.PENDING, at(-60), at(-60)), False, waits(600), Reason.VANISHED, id="A12 then gone"),
        pytest.param(
            Clock(State.RESOLVED, at(-60), at(-60), None, at(-5), is_held=True),
            True,
            waits(0),
            Reason.CLOSED_BY_HAND,
            id="resolved by hand, lasts",
        ),
        pytest.param(
            Clock(State.RESOLVED, at(-60), at(-60), None, at(-5), is_held=True),
            False,
            waits(0),
            Reason.RELEASED,
            id="resolved by hand, gone",
        ),
    ],
)
def test_every_branch_says_why(clock: Clock | None, is_present: bool, rule: Waits, reason: Reason) -> None:
    assert step(clock, is_present=is_present, at=at(0), waits=rule).reason is reason


def test_a6_the_start_stays_when_it_comes_back() -> None:
    kept = Clock(State.FIRING, at(0), at(0), at(15))
    assert step(kept, is_present=True, at=at(30), waits=waits(0, 60)).clock == Clock(State.FIRING, at(0), at(0))


def test_a8_a_new_alert_has_new_clocks() -> None:
    resolved = Clock(State.RESOLVED, at(0), at(0), None, at(15))
    assert step(resolved, is_present=True, at=at(30), waits=waits(0)).clock == Clock(State.FIRING, at(30), at(30))


def test_a12_a_firing_alert_goes_back_to_pending_and_keeps_when_it_fired() -> None:
    firing = Clock(State.FIRING, at(0), at(0))
    assert step(firing, is_present=True, at=at(60), waits=waits(600)).clock == Clock(State.PENDING, at(0), at(0))


@pytest.mark.parametrize(
    ("clock", "outage_s", "rule", "expected"),
    [
        pytest.param(
            Clock(State.PENDING, at(-1200)),
            300,
            waits(3600),
            Clock(State.PENDING, at(-900)),
            id="A14 time without evaluation does not count",
        ),
        pytest.param(
            Clock(State.PENDING, at(-600)),
            300,
            waits(900),
            Clock(State.PENDING, at(300 + 600 - 900)),
            id="A14 less than the grace left: fires at restart + grace",
        ),
        pytest.param(
            Clock(State.PENDING, at(-30)),
            300,
            waits(60),
            Clock(State.PENDING, at(270)),
            id="A14 a short `for` is restored too (Prometheus forgets it)",
        ),
        pytest.param(
            Clock(State.PENDING, at(-90)),
            300,
            waits(60),
            Clock(State.PENDING, at(-90)),
            id="A14 what would fire already fires in the first true evaluation",
        ),
        pytest.param(Clock(State.PENDING, at(-30)), 3600, waits(60), None, id="A14 after an hour it starts afresh"),
        pytest.param(
            Clock(State.FIRING, at(-90), at(-90)),
            7200,
            waits(0),
            Clock(State.FIRING, at(-90), at(-90)),
            id="A14 what fires goes on, however long the outage",
        ),
        pytest.param(
            Clock(State.FIRING, at(-90), at(-90), at(-10)),
            300,
            waits(0, 60),
            Clock(State.FIRING, at(-90), at(-90), at(290)),
            id="A14 keep_firing_for is restored too (Prometheus forgets it)",
        ),
    ],
)
def test_after_an_outage(clock: Clock, outage_s: float, rule: Waits, expected: Clock | None) -> None:
    assert resume(clock, stopped_at=at(0), at=at(outage_s), waits=rule) == expected


@given(
    rounds=st.lists(st.booleans(), max_size=60),
    for_s=st.integers(0, 120),
    keep_s=st.integers(0, 120),
    interval_s=st.integers(1, 60),
)
def test_invariants(rounds: list[bool], for_s: int, keep_s: int, interval_s: int) -> None:
    clock: Clock | None = None
    rule = waits(for_s, keep_s)
    present_since: datetime | None = None
    for index, is_present in enumerate(rounds):
        now = at(index * interval_s)
        present_since = (present_since or now) if is_present else None
        before, clock = clock, step(clock, is_present=is_present, at=now, waits=rule).clock
        if clock is None:
            assert not is_present
            continue
        assert clock.active_at <= now
        if clock.state is State.FIRING:
            assert clock.fired_at is not None
            assert clock.fired_at - clock.active_at >= rule.for_
            assert clock.keep_firing_since is None or now - clock.keep_firing_since < rule.keep_firing_for
        if clock.state is State.PENDING:
            assert is_present
            assert clock.active_at == present_since
        if clock.state is State.RESOLVED:
            assert not is_present
            assert before is not None
        if is_present and present_since is not None and now - present_since >= rule.for_:
            assert clock.state is State.FIRING
