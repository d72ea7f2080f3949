"""Forecasting every series of a tenant: read by the hour, foretold, compared with what came, stored.

A run has one full hour that it goes on from. It is done group by group: what is stored of it is not done again, so that
a run which was cut short goes on where it was.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.domain.forecast import hourly as foretelling
from app.domain.forecast.base import LEVELS
from app.domain.forecast.boosting import GlobalModel
from app.domain.forecast.families import Family, family_of
from app.domain.forecast.hourly import Served
from app.domain.forecast.outlook import HISTORY_H, HORIZON_H, HOUR_MS, Quality, is_worth_it, lacking_h
from app.domain.labels import METRIC, value_of
from app.domain.samples import Float64s
from app.domain.tenancy import TenantId
from app.tsdb import forecasts, hourly
from app.tsdb.blocks import moment
from app.tsdb.forecasts import GroupForecast, Run
from app.tsdb.hourly import Hours
from app.tsdb.selection import Group
from models.session import tenant_connection, tenant_session

log = logging.getLogger(__name__)

EACH_MS: Final = 6 * HOUR_MS
# What came less than this before now may still be on its way to the store.
SETTLE_MS: Final = 300_000
# While most series have too little past, and in the first runs, when history may still arrive, it is run so often.
FIRST_RUNS: Final = 3
AGAIN_MS: Final = HOUR_MS
SERIES_AT_ONCE: Final = 2_000
# What a model is trained on where the registry has none.
SAMPLE: Final = 1_500
QUALITY_KEPT: Final = timedelta(days=120)

Champion = Callable[[TenantId, Family], GlobalModel | None]


@dataclass
class Models:
    """The models of one run: the registry's champion, else one that is trained on a sample of the tenant's series."""

    tenant: TenantId
    made_ms: int
    champion: Champion
    trained: dict[Family, GlobalModel | None] | None = None

    def of(self, family: Family, groups: Sequence[Group]) -> Served:
        """The model of a family; none when there are too few series to train one."""
        found = self.champion(self.tenant, family)
        if found is not None:
            return Served(found, has_seen=True)
        if self.trained is None:
            self.trained = _train(self.tenant, groups, self.made_ms)
        return Served(self.trained.get(family))

    def kept(self, family: Family) -> GlobalModel | None:
        """The model of a family that was trained for this run, if it was."""
        return None if self.trained is None else self.trained.get(family)


def due(tenant: TenantId, now_ms: int) -> int | None:
    """The hour that a run goes on from, when one is to be made or finished; else None."""
    hour_ms = (now_ms - SETTLE_MS) // HOUR_MS * HOUR_MS
    with tenant_connection(tenant) as connection:
        run = forecasts.newest_run(connection, tenant)
        if run is None:
            return hour_ms
        if _is_unfinished(run, len(hourly.all_groups(connection, tenant)), now_ms):
            return run.made_ms
    age_ms = hour_ms - run.made_ms
    is_early = run.lacking > run.series or run.runs < FIRST_RUNS
    return hour_ms if age_ms >= (AGAIN_MS if is_early else EACH_MS) else None


def run(tenant: TenantId, models: Models, *, may_go_on: Callable[[], bool]) -> bool:
    """Forecast the groups that this run lacks until there is no more time; answers whether it is done."""
    made_ms = models.made_ms
    with tenant_connection(tenant) as connection:
        groups = hourly.all_groups(connection, tenant)
        done = forecasts.groups_done(connection, tenant, made_ms)
    for chunk in hourly.chunks([group for group in groups if group.group_id not in done], SERIES_AT_ONCE):
        if not may_go_on():
            return False
        _forecast(tenant, chunk, models, groups)
    with tenant_session(tenant) as session:
        forecasts.drop(
            session,
            tenant,
            forecasts_before=moment(made_ms - forecasts.KEPT_DAYS * 24 * HOUR_MS),
            quality_before=moment(made_ms) - QUALITY_KEPT,
        )
    return True


def _is_unfinished(run: Run, groups: int, now_ms: int) -> bool:
    """Groups that came after the run began wait for the next one."""
    return run.groups < groups and now_ms - run.made_ms < AGAIN_MS + SETTLE_MS


def _forecast(tenant: TenantId, chunk: Sequence[Group], models: Models, groups: Sequence[Group]) -> None:
    made_ms = models.made_ms
    ids = [group.group_id for group in chunk]
    with tenant_connection(tenant) as connection:
        hours = hourly.read(connection, tenant, chunk, start_ms=made_ms - HISTORY_H * HOUR_MS, end_ms=made_ms)
        before = forecasts.newest(connection, tenant, ids, before_ms=made_ms)
    families = np.array([family_of(value_of(labels, METRIC)) for labels in hours.labels], dtype=object)
    factors, lived = _compared(hours, before, families, made_ms)
    lacking = np.where(is_worth_it(hours.values), lacking_h(hours.values), 0)
    ready = is_worth_it(hours.values) & (lacking == 0)
    made = _made(hours, ready, families, lambda family: models.of(family, groups))
    with tenant_session(tenant) as session:
        rows = list(_rows(hours, made, factors, lacking, made_ms))
        if forecasts.write(session, tenant, made_ms, rows):
            for family, quality in lived.items():
                forecasts.add_quality(session, tenant, family, quality, made_ms=made_ms, is_backtest=False)
            for family, its in made.items():
                forecasts.add_quality(session, tenant, family, its.made.quality, made_ms=made_ms, is_backtest=True)


@dataclass(frozen=True)
class _OfFamily:
    """What was made of the series of one family: `rows` are their places among all that were read."""

    rows: NDArray[np.intp]
    made: foretelling.Made


def _made(
    hours: Hours,
    ready: NDArray[np.bool_],
    families: NDArray[np.object_],
    model_of: Callable[[Family], Served],
) -> dict[Family, _OfFamily]:
    found = {}
    for family in sorted(set(families[ready])):
        rows = np.flatnonzero(ready & (families == family))
        found[family] = _OfFamily(rows, foretelling.foretell(hours.values[rows], model_of(family)))
    return found


def _compared(
    hours: Hours, before: Mapping[int, GroupForecast], families: NDArray[np.object_], made_ms: int
) -> tuple[Float64s, dict[Family, Quality]]:
    """Factors on the widths (levels, n) after what came since the last forecasts, and how good those were."""
    count = len(hours.labels)
    factors = np.ones((len(LEVELS), count))
    mean = np.full((count, HORIZON_H), np.nan)
    widths = np.full((len(LEVELS), count, HORIZON_H), np.nan)
    place = {(int(group), int(slot)): i for i, (group, slot) in enumerate(zip(hours.groups, hours.slots, strict=True))}
    ages = np.zeros(count, dtype=np.int64)
    for group_id, its in before.items():
        at = np.array([place.get((group_id, slot), -1) for slot in its.slots.tolist()], dtype=np.intp)
        known = at >= 0
        rows = at[known]
        mean[rows], widths[:, rows] = its.mean[known], its.widths[:, known]
        factors[:, rows] = its.factors[:, known]
        ages[rows] = (made_ms - its.made_ms) // HOUR_MS
    lived: dict[Family, Quality] = {}
    for age in np.unique(ages[(ages > 0) & (ages <= HORIZON_H)]).tolist():
        for family in sorted(set(families[ages == age])):
            rows = np.flatnonzero((ages == age) & (families == family))
            quality, held = foretelling.judged(mean[rows], widths[:, rows], hours.values[rows], hours=age)
            factors[:, rows] = foretelling.recalibrated(factors[:, rows], held)
            lived[family] = lived.get(family, Quality()) + quality
    return factors, lived


def _rows(
    hours: Hours, made: Mapping[Family, _OfFamily], factors: Float64s, lacking: NDArray[np.int64], made_ms: int
) -> list[GroupForecast]:
    """One row for each group that was read, also where nothing is foretold: it is done."""
    count = len(hours.labels)
    mean = np.full((count, HORIZON_H), np.nan)
    widths = np.full((len(LEVELS), count, HORIZON_H), np.nan)
    floor, names = np.full(count, -np.inf), [""] * count
    for its in made.values():
        mean[its.rows], widths[:, its.rows], floor[its.rows] = its.made.mean, its.made.widths, its.made.floor
        for row, name in zip(its.rows.tolist(), its.made.models, strict=True):
            names[row] = name
    widths *= factors[:, :, None]
    found = []
    for group_id in dict.fromkeys(hours.groups.tolist()):
        rows = np.flatnonzero(hours.groups == group_id)
        there = rows[np.isfinite(mean[rows]).all(axis=1)]
        there = there[np.argsort(hours.slots[there])]
        found.append(
            GroupForecast(
                group_id=group_id,
                made_ms=made_ms,
                slots=hours.slots[there],
                mean=mean[there],
                widths=widths[:, there],
                floor=floor[there],
                factors=factors[:, there],
                models=tuple(names[row] for row in there.tolist()),
                lacking={int(hours.slots[row]): int(lacking[row]) for row in rows.tolist() if lacking[row] > 0},
            )
        )
    return found


def _train(tenant: TenantId, groups: Sequence[Group], made_ms: int) -> dict[Family, GlobalModel | None]:
    """A model of each family from a sample of groups, the same for the same hour."""
    order = np.random.default_rng(made_ms // HOUR_MS).permutation(len(groups))
    sample: list[Group] = []
    for at in order.tolist():
        sample.append(groups[at])
        if sum(len(group.slots) for group in sample) >= SAMPLE:
            break
    with tenant_connection(tenant) as connection:
        hours = hourly.read(connection, tenant, sample, start_ms=made_ms - HISTORY_H * HOUR_MS, end_ms=made_ms)
    families = np.array([family_of(value_of(labels, METRIC)) for labels in hours.labels], dtype=object)
    ready = is_worth_it(hours.values)
    found = {
        family: foretelling.trained(hours.values[ready & (families == family)])
        for family in sorted(set(families[ready]))
    }
    log.info("models trained", extra={"tenant": tenant, "families": [name for name, its in found.items() if its]})
    return found
