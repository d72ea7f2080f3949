"""Scoring what came into the store, and raising alerts of what was unusual.

One cycle of a tenant: read what each group has since it was scored last, score it, write scores, anomalies and how far
it is scored in one transaction; then raise alerts from the anomalies that are stored. A crash anywhere loses and
doubles nothing: what was not committed is scored again, and alerts are the same however often they are looked at.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import numpy as np
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app import selfmetrics
from app.actions.transitions import Evaluated, record_transitions, tell
from app.clock import monotonic_s
from app.domain.alerting import anomaly_rules
from app.domain.alerting.anomaly_rules import AnomalyRule, Unusual
from app.domain.anomaly.base import Int32s, Profile
from app.domain.anomaly.memory import Entrant, Memory, Rows
from app.domain.anomaly.profiles import boundary, scaled
from app.domain.anomaly.verdicts import multiplier
from app.domain.anomaly.zones import UTC
from app.domain.counters import is_counter
from app.domain.labels import METRIC, Labels, Matcher, MatchOp, value_of
from app.domain.tenancy import TenantId
from app.errors import WatchfloorError
from app.promql.parse import parse_selector
from app.queries.anomalies import is_expected, unusual_of
from app.queries.feedback import steps_of
from app.queries.rules import rule_of
from app.tsdb import detector_states, found_anomalies, scores, unscored
from app.tsdb.blocks import moment
from app.tsdb.found_anomalies import Point
from app.tsdb.scores import ScoredRow
from app.tsdb.selection import Group, select_series
from models.alerting import RuleRow
from models.anomalies import AnomalyRow
from models.session import tenant_connection, tenant_session

log = logging.getLogger(__name__)

# What came less than this before now may still be on its way to the store.
SETTLE_MS: Final = 3_000
# A new group learns from this much of its past; a new one waits until its history may have come.
LEARN_MS: Final = 15 * 86_400_000
AGE_MS: Final = 60_000
# And so long at most as its history is seen to come in.
LONGEST_WAIT_MS: Final = 1_200_000
# Scores and anomalies of the past that a new group learns from.
SCORES_BACK_MS: Final = 86_400_000
ANOMALIES_BACK_MS: Final = 7 * 86_400_000
# How much is read at once: series, and time.
SERIES_AT_ONCE: Final = 5_000
WINDOW_MS: Final = 6 * 3_600_000
# How many bytes of states one cycle writes at most.
CHECKPOINT_BYTES: Final = 16 * 1024 * 1024
CHECKPOINT_EACH_MS: Final = 600_000

_KINDS = text("select metric, kind from metric_metadata where tenant_id = :tenant")
_ZONES = text(
    "select d.name, s.time_zone from devices d join sites s on s.id = d.site_id"
    " where d.tenant_id = :tenant and s.time_zone <> 'UTC'"
)
_AGES = text(
    "select id, (extract(epoch from created_at) * 1000)::bigint from series_groups"
    " where tenant_id = :tenant and id = any(cast(:groups as int[]))"
)
_EVERY: Final = (Matcher(METRIC, MatchOp.NOT_EQUAL, ""),)


@dataclass(frozen=True)
class Cycle:
    """What one cycle did."""

    points: int
    series: int
    anomalies: int
    is_done: bool  # nothing is left to score
    lag_s: float  # how far behind now the group is that is furthest behind


def score_new_points(
    tenant: TenantId, memory: Memory, *, now_ms: int, budget_s: float, checkpoint_bytes: int = CHECKPOINT_BYTES
) -> Cycle:
    """One cycle of a tenant; raises Overtaken when another worker did it: `memory` is void then."""
    end_s, until_ms = monotonic_s() + budget_s, now_ms - SETTLE_MS
    groups = _take_in(tenant, memory, now_ms)
    points, found, is_done = 0, 0, True
    for chunk in _chunks(groups, memory):
        while _is_behind(memory, chunk, until_ms) and monotonic_s() < end_s:
            scored = _score_window(tenant, memory, chunk, until_ms)
            points, found = points + scored[0], found + scored[1]
        is_done = is_done and not _is_behind(memory, chunk, until_ms)
    places = [memory.places[group.group_id] for group in groups]
    lag_s = max((now_ms - place.scored_to_ms for place in places), default=0) / 1000
    _checkpoint(tenant, memory, groups, now_ms, checkpoint_bytes)
    selfmetrics.POINTS_SCORED.inc(points)
    return Cycle(points, sum(place.size for place in places), found, is_done, lag_s)


def raise_alerts(tenant: TenantId, *, now: datetime) -> int:
    """Step the alerts of every rule that watches anomalies, from what is stored of them; answers how many fire."""
    with tenant_session(tenant) as session:
        rows = session.scalars(
            select(RuleRow).where(RuleRow.tenant_id == tenant, RuleRow.kind == anomaly_rules.KIND, RuleRow.is_enabled)
        ).all()
        if not rows:
            return 0
        unusual = _recent(session, tenant, now, longest_s=max(anomaly_rules.kept_s(rule_of(row)) for row in rows))
        factor = multiplier(steps_of(session, tenant))
        evaluated = [item for row in rows if (item := _evaluated(row, unusual, now, factor)) is not None]
        news = record_transitions(session, tenant, evaluated, at=now, now=now, stopped_at=None)
    tell(tenant, news)
    return sum(len(item.instances) for item in evaluated)


def forget_scores(tenant: TenantId, *, before_ms: int) -> None:
    """Drop scores of before a moment."""
    with tenant_session(tenant) as session:
        scores.drop(session, tenant, moment(before_ms))


def _take_in(tenant: TenantId, memory: Memory, now_ms: int) -> list[Group]:
    """The groups to score. Those that `memory` does not know, or knew smaller, get a place and what is kept of them."""
    with tenant_connection(tenant) as connection:
        groups = select_series(connection, tenant, _EVERY)
        changed = [group for group in groups if _size_in(memory, group) < _width(group)]
        if not changed:
            return [group for group in groups if group.group_id in memory.places]
        ids = [group.group_id for group in changed if group.group_id not in memory.places]
        created = {row[0]: row[1] for row in connection.execute(_AGES, {"tenant": tenant, "groups": ids})}
        kinds = {row.metric: row.kind for row in connection.execute(_KINDS, {"tenant": tenant})}
        zones = {row.name: row.time_zone for row in connection.execute(_ZONES, {"tenant": tenant})}
        stored = detector_states.load(connection, tenant, ids)
        fresh = {group_id: now_ms - created[group_id] for group_id in ids if group_id not in stored}
        waiting = [group_id for group_id, age_ms in fresh.items() if AGE_MS <= age_ms < LONGEST_WAIT_MS]
        young = unscored.filling(connection, tenant, waiting, now_ms=now_ms)
    young |= {group_id for group_id, age_ms in fresh.items() if age_ms < AGE_MS}
    changed = [group for group in changed if group.group_id not in young]
    starts = {group_id: now_ms - LEARN_MS for group_id in ids if group_id not in stored and group_id not in young}
    with tenant_session(tenant) as session:
        detector_states.begin(session, tenant, starts)
    starts |= {group_id: its.scored_to_ms for group_id, its in stored.items()}
    sizes = {group_id: its.slots for group_id, its in stored.items()}
    memory.add([_entrant(group, kinds, zones, least=sizes.get(group.group_id, 0)) for group in changed], starts)
    by_id = {group.group_id: group for group in changed}
    for group_id, its in stored.items():
        begin_ms = its.scored_to_ms - LEARN_MS
        if its.state is not None and its.state_to_ms is not None and memory.load(group_id, its.state):
            begin_ms = its.state_to_ms
        _replay(tenant, memory, by_id[group_id], begin_ms, its.scored_to_ms)
    return [group for group in groups if group.group_id in memory.places]


def _size_in(memory: Memory, group: Group) -> int:
    place = memory.places.get(group.group_id)
    return -1 if place is None else place.size


def _width(group: Group) -> int:
    """A group has a series in `memory` for each slot up to its last: one that is gone leaves its place empty."""
    return int(group.slots.max()) + 1


def _entrant(group: Group, kinds: Mapping[str, str], zones: Mapping[str, str], *, least: int) -> Entrant:
    """A group as it comes in, with `least` places or more: so many had the state that is kept of it."""
    zone = zones.get(value_of(group.labels[0], "device"), UTC)
    is_counter = np.zeros(max(_width(group), least), dtype=bool)
    is_counter[group.slots] = [_counts(labels, kinds) for labels in group.labels]
    return Entrant(group.group_id, is_counter, zone)


def _series_in(memory: Memory, groups: Sequence[Group], at: Int32s, columns: Int32s) -> Int32s:
    """The series in `memory` of samples (n,), which are of the columns of groups."""
    slots = np.concatenate([group.slots for group in groups])
    begins = np.cumsum([0, *(len(group.slots) for group in groups)])[:-1]
    firsts = np.array([memory.places[group.group_id].first for group in groups])
    found: Int32s = (firsts[at] + slots[begins[at] + columns]).astype(np.int32)
    return found


def _counts(labels: Labels, kinds: Mapping[str, str]) -> bool:
    metric = value_of(labels, METRIC)
    return is_counter(metric, kinds.get(metric, "unknown"))


def _replay(tenant: TenantId, memory: Memory, group: Group, begin_ms: int, end_ms: int) -> None:
    """Let the detector see again what was scored after its state was saved; nothing is written."""
    while begin_ms < end_ms:
        window_end = min(begin_ms + 4 * WINDOW_MS, end_ms)
        with tenant_connection(tenant) as connection:
            fresh = unscored.read(connection, tenant, [group], {group.group_id: begin_ms}, end_ms=window_end)
        memory.score(_series_in(memory, [group], fresh.groups, fresh.columns), fresh.ts_ms, fresh.values)
        begin_ms = window_end


def _is_behind(memory: Memory, groups: Sequence[Group], until_ms: int) -> bool:
    return any(memory.places[group.group_id].scored_to_ms < until_ms for group in groups)


def _chunks(groups: Sequence[Group], memory: Memory) -> Iterator[list[Group]]:
    """Groups that are scored at once, those furthest behind first."""
    chunk: list[Group] = []
    size = 0
    for group in sorted(groups, key=lambda group: memory.places[group.group_id].scored_to_ms):
        chunk.append(group)
        size += len(group.slots)
        if size >= SERIES_AT_ONCE:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _score_window(tenant: TenantId, memory: Memory, groups: Sequence[Group], until_ms: int) -> tuple[int, int]:
    """Score the next hours of groups, from where the furthest behind stands; answers points and anomalies."""
    before = {group.group_id: memory.places[group.group_id].scored_to_ms for group in groups}
    end_ms = min(min(before.values()) + WINDOW_MS, until_ms)
    before = {group_id: at_ms for group_id, at_ms in before.items() if at_ms < end_ms}
    groups = [group for group in groups if group.group_id in before]
    if not groups:
        return 0, 0
    with tenant_connection(tenant) as connection:
        fresh = unscored.read(connection, tenant, groups, before, end_ms=end_ms)
    rows = memory.score(_series_in(memory, groups, fresh.groups, fresh.columns), fresh.ts_ms, fresh.values)
    at, columns = fresh.groups[rows.kept], fresh.columns[rows.kept]
    with tenant_session(tenant) as session:
        least = boundary(Profile.SENSITIVE, multiplier=multiplier(steps_of(session, tenant)))
        points = _points(rows, at, columns, groups, memory, since_ms=until_ms - ANOMALIES_BACK_MS, least=least)
        detector_states.advance(session, tenant, before, end_ms)
        if end_ms > until_ms - SCORES_BACK_MS:
            scores.write(session, tenant, _scored_rows(rows, at, columns, groups))
        found_anomalies.write(session, tenant, points)
    for group_id in before:
        memory.places[group_id].scored_to_ms = end_ms
    return len(rows.series), len(points)


def _scored_rows(rows: Rows, at: Int32s, columns: Int32s, groups: Sequence[Group]) -> list[ScoredRow]:
    """A row for each group and time."""
    octets = scores.encode(scaled(rows.scores.raw))
    found = []
    begins = np.flatnonzero(np.diff(at, prepend=-1))
    for begin, end in zip(begins.tolist(), np.append(begins[1:], len(at)).tolist(), strict=False):
        group = groups[int(at[begin])]
        times, place = np.unique(rows.ts_ms[begin:end], return_inverse=True)
        matrix = np.zeros((len(times), int(group.slots.max()) + 1), dtype=np.uint8)
        matrix[place, group.slots[columns[begin:end]]] = octets[begin:end]
        found += [
            ScoredRow(group.group_id, ts_ms, line.tobytes()) for ts_ms, line in zip(times.tolist(), matrix, strict=True)
        ]
    return found


def _points(
    rows: Rows, at: Int32s, columns: Int32s, groups: Sequence[Group], memory: Memory, *, since_ms: int, least: float
) -> list[Point]:
    """What scores at least `least` and is not of before `since_ms`."""
    score = scaled(rows.scores.recorded)
    chosen = np.flatnonzero((score >= least) & (rows.ts_ms >= since_ms))
    is_rate = memory.is_counter(rows.series[chosen])
    its = rows.scores
    return [
        Point(
            group_id=groups[int(at[row])].group_id,
            slot=int(groups[int(at[row])].slots[columns[row]]),
            labels=groups[int(at[row])].labels[int(columns[row])],
            ts_ms=int(rows.ts_ms[row]),
            score=float(score[row]),
            value=float(rows.values[row]),
            is_rate=bool(rate),
            expected_lo=_number(its.expected_lo[row]),
            expected_hi=_number(its.expected_hi[row]),
            nearest=_number(its.nearest[row]),
            view=int(its.view[row]),
        )
        for row, rate in zip(chosen.tolist(), is_rate.tolist(), strict=True)
    ]


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _checkpoint(tenant: TenantId, memory: Memory, groups: Sequence[Group], now_ms: int, most_bytes: int) -> None:
    """Save the states of the groups that were saved longest ago, as many as one cycle may write."""
    states: dict[int, tuple[int, int, bytes]] = {}
    size = 0
    for group in sorted(groups, key=lambda group: memory.places[group.group_id].saved_to_ms):
        place = memory.places[group.group_id]
        if size >= most_bytes or now_ms - place.saved_to_ms < CHECKPOINT_EACH_MS:
            break
        state = memory.save(group.group_id)
        states[group.group_id] = (place.scored_to_ms, place.size, state)
        size += len(state)
    with tenant_session(tenant) as session:
        detector_states.save(session, tenant, states)
    for group_id in states:
        memory.places[group_id].saved_to_ms = now_ms


def _recent(session: Session, tenant: TenantId, now: datetime, *, longest_s: float) -> list[tuple[Unusual, datetime]]:
    """The anomalies whose newest point is not longer ago than any rule keeps its alerts; not what is expected."""
    since = moment(int((now.timestamp() - longest_s) * 1000))
    query = select(AnomalyRow).where(AnomalyRow.tenant_id == tenant, AnomalyRow.last_at >= since, ~is_expected(tenant))
    return [(unusual_of(row), row.last_at) for row in session.scalars(query)]


def _evaluated(
    row: RuleRow, unusual: Sequence[tuple[Unusual, datetime]], now: datetime, factor: float
) -> Evaluated | None:
    """A rule with its alerts: each lasts as long as its anomaly is recent, which is what the rule keeps it for.

    `factor` is the tenant's multiplier: of how much more (or less) than the rule's least score it takes.
    """
    try:
        matchers = parse_selector(row.expr)
        criteria = anomaly_rules.criteria_of(row.criteria)
    except (WatchfloorError, ValueError) as error:
        row.health, row.last_error = "error", str(error)
        return None
    row.health, row.last_error, row.evaluated_at = "ok", "", now
    oldest = now.timestamp() - anomaly_rules.kept_s(rule_of(row))
    rule = replace(rule_of(row), keep_firing_for_s=0.0)
    watched = AnomalyRule(rule, matchers, replace(criteria, least_score=criteria.least_score * factor))
    return Evaluated(
        row.id, rule, anomaly_rules.instances(watched, (its for its, at in unusual if at.timestamp() >= oldest))
    )
