"""What a rule would have done, beside what the state machine does when it is stepped through every moment."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.domain.alerting.preview import Stretch, episodes_in, episodes_of
from app.domain.alerting.rules import Rule
from app.domain.alerting.state import Clock, State, step

STEP_MS = 15_000


def plainly(rule: Rule, present: list[bool]) -> list[tuple[int, int | None]]:
    """Every moment, one after the other."""
    clock: Clock | None = None
    runs: list[tuple[int, int | None]] = []
    for index, is_present in enumerate(present):
        at = datetime.fromtimestamp(index * STEP_MS / 1000, UTC)
        before, clock = clock, step(clock, is_present=is_present, at=at, waits=rule.waits).clock
        if clock and clock.state is State.FIRING and (before is None or before.state is not State.FIRING):
            runs.append((index, None))
        if clock and clock.state is State.RESOLVED:
            runs[-1] = (runs[-1][0], index)
            clock = None
    return runs


@given(st.lists(st.booleans(), min_size=1, max_size=80), st.integers(0, 90), st.integers(0, 90))
def test_skipping_what_cannot_matter_changes_nothing(present: list[bool], for_s: int, keep_s: int) -> None:
    rule = Rule("R", "x", for_s, keep_s)
    ts_ms = np.arange(len(present), dtype=np.int64) * STEP_MS
    found = episodes_of(rule, [(("device", "a"),)], ts_ms, np.array([present]), step_ms=STEP_MS)
    index = {datetime.fromtimestamp(ts / 1000, UTC): position for position, ts in enumerate(ts_ms.tolist())}
    assert [
        (index[episode.fired_at], None if episode.resolved_at is None else index[episode.resolved_at])
        for episode in found
    ] == plainly(rule, present)


def test_stretches_become_episodes_that_a_rule_holds_together() -> None:
    def minute(number: int) -> datetime:
        return datetime.fromtimestamp(60 * number, UTC)

    def stretch(device: str, began: int, last: int) -> Stretch:
        return Stretch((("device", device),), 1.0, minute(began), minute(last))

    rule = Rule("R", "x", for_s=60, keep_firing_for_s=300)
    found = episodes_in(
        rule, [stretch("a", 20, 21), stretch("a", 10, 16), stretch("b", 58, 58), stretch("a", 40, 40)], until=minute(60)
    )
    assert [(dict(its.labels)["device"], its.fired_at, its.resolved_at) for its in found] == [
        ("a", minute(11), minute(26)),
        ("a", minute(41), minute(45)),
        ("b", minute(59), None),
    ]
    waits = Rule("R", "x", for_s=600)
    assert episodes_in(waits, [stretch("a", 10, 16)], until=minute(60)) == []
