"""How often a rule would have fired: its result over time, run through the same state machine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from app.domain.alerting.rules import Rule, fingerprint_of, identity_of
from app.domain.alerting.state import Clock, State, step
from app.domain.labels import Labels
from app.domain.samples import Int64s


@dataclass(frozen=True)
class Episode:
    """One time that an alert would have fired; `resolved_at` None: it would still."""

    labels: Labels
    fired_at: datetime
    resolved_at: datetime | None


@dataclass(frozen=True)
class Preview:
    """How a rule would have fired. `step_s`: how far apart it was looked at; shorter episodes may be missing."""

    step_s: int
    series: int
    episodes: tuple[Episode, ...]

    @property
    def firing_now(self) -> int:
        """How many would fire at the end."""
        return sum(episode.resolved_at is None for episode in self.episodes)


@dataclass(frozen=True)
class Stretch:
    """A time in which a rule's condition held for one label set; the value is that which its labels may speak of."""

    labels: Labels
    value: float
    began_at: datetime
    last_at: datetime


def episodes_of(
    rule: Rule, labels: Sequence[Labels], ts_ms: Int64s, present: NDArray[np.bool_], *, step_ms: int
) -> list[Episode]:
    """The episodes of every series, by start.

    `ts_ms` (t,): the moments of evaluation. `present` (n, t): where series i is in the result.
    """
    found = []
    for index, series in enumerate(labels):
        identity = identity_of(rule, series, 1.0)
        for fired_at, resolved_at in _runs(rule, ts_ms, present[index], step_ms):
            found.append(Episode(identity, fired_at, resolved_at))
    return sorted(found, key=lambda episode: (episode.fired_at, fingerprint_of(episode.labels)))


def episodes_in(rule: Rule, stretches: Iterable[Stretch], *, until: datetime) -> list[Episode]:
    """The episodes of a rule whose condition held in these stretches and in no others, by start.

    One goes on for as long as the rule keeps it; what begins before its end belongs to it.
    """
    by_identity: dict[Labels, list[tuple[datetime, datetime]]] = {}
    for its in sorted(stretches, key=lambda its: its.began_at):
        runs = by_identity.setdefault(identity_of(rule, its.labels, its.value), [])
        end = its.last_at + rule.waits.keep_firing_for
        if runs and its.began_at <= runs[-1][1]:
            runs[-1] = (runs[-1][0], max(runs[-1][1], end))
        else:
            runs.append((its.began_at, end))
    found = [
        Episode(labels, began + rule.waits.for_, None if end >= until else end)
        for labels, runs in by_identity.items()
        for began, end in runs
        if began + rule.waits.for_ <= min(end, until)
    ]
    return sorted(found, key=lambda episode: (episode.fired_at, fingerprint_of(episode.labels)))


def _runs(
    rule: Rule, ts_ms: Int64s, present: NDArray[np.bool_], step_ms: int
) -> list[tuple[datetime, datetime | None]]:
    """When one series fired and resolved. Long stretches without it and without an alert are skipped."""
    runs: list[tuple[datetime, datetime | None]] = []
    clock: Clock | None = None
    for position in _interesting(rule, ts_ms, present, step_ms):
        at = datetime.fromtimestamp(int(ts_ms[position]) / 1000, UTC)
        before, clock = clock, step(clock, is_present=bool(present[position]), at=at, waits=rule.waits).clock
        if clock is None:
            continue
        if clock.state is State.FIRING and (before is None or before.state is not State.FIRING):
            runs.append((at, None))
        if clock.state is State.RESOLVED:
            runs[-1] = (runs[-1][0], at)
            clock = None
    return runs


def _interesting(rule: Rule, ts_ms: Int64s, present: NDArray[np.bool_], step_ms: int) -> list[int]:
    """The positions where something can change: the presence and as long after it as the rule keeps firing."""
    keeps = int(rule.keep_firing_for_s * 1000 // step_ms) + 2
    wanted = present.copy()
    for position in np.flatnonzero(present[:-1] & ~present[1:]):
        wanted[position + 1 : position + 1 + keeps] = True
    return np.flatnonzero(wanted).tolist()
