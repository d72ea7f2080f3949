"""Hourly values of series, in columns: what forecasting, training and drift read of the store.

A gauge's value is the mean of its samples in the hour. A counter's is its increase by second, from the last sample of
the hour before where there is one, so that no second is counted twice or never. An hour's value needs no later sample.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from app.domain.counters import is_counter
from app.domain.forecast.families import family_of
from app.domain.labels import METRIC, Labels, Matcher, MatchOp, value_of
from app.domain.samples import Float64s, Int64s
from app.domain.tenancy import TenantId
from app.promql.rollups import RollupBlock
from app.tsdb import rolled
from app.tsdb.selection import Group, select_series

HOUR_MS: Final = 3_600_000
TIER: Final = 3600
# So many series are read at once at most: where nothing is rolled up yet their samples are in memory.
SERIES_AT_ONCE: Final = 1_000
EVERY: Final = (Matcher(METRIC, MatchOp.NOT_EQUAL, ""),)
STATS: Final = ("count", "sum", "first", "last", "lost", "first_ms", "last_ms")
_KINDS = text("select metric, kind from metric_metadata where tenant_id = :tenant")


@dataclass(frozen=True)
class Hours:
    """Series with their values: `end_ms` (t,) ends of hours, every one; `values` (n, t), NaN where nothing is known.

    `groups` (n,) and `slots` (n,) say where each series stands; `counters` (n,) which are rates.
    """

    labels: tuple[Labels, ...]
    groups: NDArray[np.int32]
    slots: NDArray[np.intp]
    counters: NDArray[np.bool_]
    end_ms: Int64s
    values: Float64s


def read(connection: Connection, tenant: TenantId, groups: Sequence[Group], *, start_ms: int, end_ms: int) -> Hours:
    """The hours of (start, end], both full hours, of all series of these groups, in their order."""
    assert start_ms % HOUR_MS == 0 and end_ms % HOUR_MS == 0, "not full hours"
    kinds = {row.metric: row.kind for row in connection.execute(_KINDS, {"tenant": tenant})}
    ends = np.arange(start_ms + HOUR_MS, end_ms + 1, HOUR_MS)
    labels = tuple(each for group in groups for each in group.labels)
    counters = np.array([_counts(each, kinds) for each in labels], dtype=bool)
    values = np.full((len(labels), len(ends)), np.nan)
    place = {each: i for i, each in enumerate(labels)}
    for chunk in chunks(groups):
        # One hour more: a counter's rate begins where the hour before ended.
        for block in rolled.everything(
            connection, tenant, chunk, tier=TIER, start_ms=start_ms - HOUR_MS, end_ms=end_ms, stats=STATS
        ):
            rows = np.array([place[each] for each in block.labels])
            found = values_of(block, counters[rows])
            at = (block.end_ms - ends[0]) // HOUR_MS if len(ends) else block.end_ms[:0]
            values[rows[:, None], at[at >= 0][None, :]] = found[at >= 0].T
    return Hours(
        labels,
        np.repeat([group.group_id for group in groups], [len(group.slots) for group in groups]).astype(np.int32),
        np.concatenate([group.slots for group in groups]) if groups else np.empty(0, dtype=np.intp),
        counters,
        ends,
        values,
    )


@dataclass(frozen=True)
class Member:
    """Where one series stands."""

    group_id: int
    slot: int
    labels: Labels


def by_family(groups: Sequence[Group]) -> dict[str, list[Member]]:
    """The series of groups by the family of their metric, in their order."""
    found: dict[str, list[Member]] = {}
    for group in groups:
        for slot, labels in zip(group.slots.tolist(), group.labels, strict=True):
            found.setdefault(family_of(value_of(labels, METRIC)), []).append(Member(group.group_id, slot, labels))
    return found


def grouped(members: Sequence[Member]) -> list[Group]:
    """Single series as groups of theirs alone."""
    by_group: dict[int, list[Member]] = {}
    for its in members:
        by_group.setdefault(its.group_id, []).append(its)
    return [
        Group(group_id, np.array([its.slot for its in some], dtype=np.intp), tuple(its.labels for its in some))
        for group_id, some in by_group.items()
    ]


def all_groups(connection: Connection, tenant: TenantId) -> list[Group]:
    """Every series of a tenant, by group."""
    return select_series(connection, tenant, EVERY)


def chunks(groups: Sequence[Group], size: int = SERIES_AT_ONCE) -> Iterator[list[Group]]:
    """Groups in portions of at least `size` series, save the last."""
    chunk: list[Group] = []
    for group in groups:
        chunk.append(group)
        if sum(len(each.slots) for each in chunk) >= size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def values_of(block: RollupBlock, counters: NDArray[np.bool_]) -> Float64s:
    """The hourly values (t, n) of rollups of an hour; `counters` (n,) says which series are rates."""
    # ABSENT is a signalling NaN: made a plain one before it is calculated with.
    stats = {name: np.where(np.isnan(block.stats[name]), np.nan, block.stats[name]) for name in STATS}
    with np.errstate(invalid="ignore", divide="ignore"):
        means = stats["sum"] / stats["count"]
        if not counters.any():
            return np.asarray(means)
        grown = stats["last"] - stats["first"] + stats["lost"]
        span_ms = stats["last_ms"] - stats["first_ms"]
        joined, joined_ms = _since_hour_before(block.end_ms, stats)
        rates = (grown + joined) / (span_ms + joined_ms) * 1000.0
        rates[~(span_ms + joined_ms > 0)] = np.nan
    return np.where(counters[None, :], rates, means)


def _since_hour_before(end_ms: Int64s, stats: Mapping[str, Float64s]) -> tuple[Float64s, Float64s]:
    """What a counter grew from the last sample of the hour before, and in how many ms; 0 without such a sample."""
    grown, span_ms = np.zeros_like(stats["first"]), np.zeros_like(stats["first"])
    follows = np.flatnonzero(np.diff(end_ms) == HOUR_MS) + 1
    first, before = stats["first"][follows], stats["last"][follows - 1]
    known = ~np.isnan(first) & ~np.isnan(before)
    # One that fell was reset: it has counted from 0 since.
    grown[follows] = np.where(known, np.where(first >= before, first - before, first), 0.0)
    span_ms[follows] = np.where(known, stats["first_ms"][follows] - stats["last_ms"][follows - 1], 0.0)
    return grown, span_ms


def _counts(labels: Labels, kinds: Mapping[str, str]) -> bool:
    metric = value_of(labels, METRIC)
    return is_counter(metric, kinds.get(metric, "unknown"))
