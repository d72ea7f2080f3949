"""How much of each thing was used day by day, read from the rollups of an hour in columns: many series at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from app.domain.forecast.capacity_kinds import Kind, Source
from app.domain.forecast.daily_use import DAY_MS, Float32s, daily_p95
from app.domain.labels import METRIC, Labels, Matcher, MatchOp, value_of
from app.domain.tenancy import TenantId
from app.tsdb import hourly
from app.tsdb.hourly import Hours
from app.tsdb.selection import Group, select_series
from models.session import tenant_connection

# The newest size within these days counts: what is not seen for longer is no more.
SIZE_DAYS: Final = 14
# How much is read at once: series, and days.
SERIES_AT_ONCE: Final = 2_000
DAYS_AT_ONCE: Final = 30
# A counter that says more than this share of its link is full (per cent) was misread.
MOST_PERCENT: Final = 200.0


class Thing(NamedTuple):
    """What can be full, by its place."""

    device: str
    object: str


@dataclass(frozen=True)
class Use:
    """Things of one kind: `sizes` (n,) in the kind's unit, `percent` (n, days) float32 of them; NaN = no figure."""

    things: tuple[Thing, ...]
    labels: tuple[Mapping[str, str], ...]
    sizes: tuple[float, ...]
    percent: Float32s


def daily_use(tenant: TenantId, kind: Kind, *, end_day: int, days: int) -> Use:
    """The use of every thing of a kind on the `days` UTC days before `end_day` (both counted from 1970)."""
    places: dict[Thing, int] = {}
    labels: list[Mapping[str, str]] = []
    sizes: list[float] = []
    rows: list[Float32s] = []
    for source in kind.sources:
        known = _sizes(tenant, source, end_day)
        for group_labels, group_sizes, percent in _percent(tenant, source, known, end_day=end_day, days=days):
            for its, size, line in zip(group_labels, group_sizes, percent, strict=True):
                thing = Thing(value_of(its, "device"), value_of(its, kind.label))
                if not thing.device:
                    continue
                place = places.setdefault(thing, len(rows))
                if place == len(rows):
                    rows.append(line)
                    sizes.append(size)
                    labels.append(_told(its, kind))
                else:
                    rows[place] = np.fmax(rows[place], line)
    percent = np.stack(rows) if rows else np.empty((0, days), dtype=np.float32)
    return Use(tuple(places), tuple(labels), tuple(sizes), percent)


def _told(labels: Labels, kind: Kind) -> dict[str, str]:
    """The labels that an alert of this thing carries."""
    return {name: value for name, value in labels if name in ("device", "site", "role", kind.label)}


def _sizes(tenant: TenantId, source: Source, end_day: int) -> dict[Labels, float] | None:
    """The newest size of each series by its labels without the name; None when all are shares of 1."""
    if not source.size:
        return None
    found: dict[Labels, float] = {}
    for chunk in hourly.chunks(_groups(tenant, source.size), SERIES_AT_ONCE):
        hours = _hours(tenant, chunk, first_day=end_day - SIZE_DAYS, end_day=end_day)
        for labels, values in zip(hours.labels, hours.values, strict=True):
            known = values[np.isfinite(values)]
            if len(known) and known[-1] > 0:
                found[_without_name(labels)] = float(known[-1])
    return found


def _percent(
    tenant: TenantId, source: Source, sizes: dict[Labels, float] | None, *, end_day: int, days: int
) -> Iterator[tuple[list[Labels], list[float], Float32s]]:
    """Series of a source in turn, some at once: labels, sizes, and use in per cent (n, days)."""
    groups = [its for group in _groups(tenant, source.used) if (its := _sized(group, sizes)) is not None]
    for chunk in hourly.chunks(groups, SERIES_AT_ONCE):
        labels = [each for group in chunk for each in group.labels]
        of_size = [1.0 if sizes is None else sizes[_without_name(each)] for each in labels]
        pieces = []
        for first_day in range(end_day - days, end_day, DAYS_AT_ONCE):
            last = min(first_day + DAYS_AT_ONCE, end_day)
            pieces.append(daily_p95(_hours(tenant, chunk, first_day=first_day, end_day=last).values))
        figures = np.concatenate(pieces, axis=1)
        figures *= (source.factor * 100 / np.array(of_size, dtype=np.float32))[:, None]
        figures[figures > MOST_PERCENT] = np.nan
        yield labels, of_size, figures


def _groups(tenant: TenantId, metric: str) -> list[Group]:
    with tenant_connection(tenant, read_only=True) as connection:
        return select_series(connection, tenant, [Matcher(METRIC, MatchOp.EQUAL, metric)])


def _hours(tenant: TenantId, groups: Sequence[Group], *, first_day: int, end_day: int) -> Hours:
    with tenant_connection(tenant, read_only=True) as connection:
        return hourly.read(connection, tenant, groups, start_ms=first_day * DAY_MS, end_ms=end_day * DAY_MS)


def _sized(group: Group, sizes: dict[Labels, float] | None) -> Group | None:
    """The series of a group whose size is known; None when there is none."""
    if sizes is None:
        return group
    kept = [place for place, labels in enumerate(group.labels) if _without_name(labels) in sizes]
    if not kept:
        return None
    return Group(group.group_id, group.slots[kept], tuple(group.labels[place] for place in kept))


def _without_name(labels: Labels) -> Labels:
    return tuple(pair for pair in labels if pair[0] != METRIC)
