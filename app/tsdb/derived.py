"""Series that are computed and kept in tables of their own: PromQL and charts read them like any other.

`watchfloor_anomaly_score{metric="ifHCInOctets", device="core-1", …}` is the score of a series: its name stands in the
label `metric`, its other labels are its own. A derived metric is read when it is asked for by its exact name; the
catalogue of series does not grow by them. A new one is a function here and a line in DERIVED.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
from sqlalchemy import Connection, text

from app.domain.forecast.outlook import HORIZON_H, HOUR_MS
from app.domain.labels import METRIC, Labels, Matcher, MatchOp, labels_of
from app.domain.samples import ABSENT, Int64s, absent_array, is_absent
from app.domain.tenancy import TenantId
from app.promql.select import SeriesBlock
from app.tsdb import forecasts, scores
from app.tsdb.selection import Group, select_series

SCORE: Final = "watchfloor_anomaly_score"
FORECAST: Final = "watchfloor_forecast"
QUANTILE: Final = "quantile"
QUANTILES: Final[Mapping[str, str]] = {"0.025": "lo95", "0.1": "lo80", "0.5": "mean", "0.9": "hi80", "0.975": "hi95"}
# An hour's value stands at each of these in it: an instant query looks back no further.
FORECAST_STEP_MS: Final = 300_000
SOURCE: Final = "metric"

# (connection, tenant, matchers without that of the name, start_ms, end_ms) -> blocks, whose labels are complete.
Select = Callable[[Connection, TenantId, Sequence[Matcher], int, int], list[SeriesBlock]]

_ANY_SCORES = text("select exists (select from anomaly_scores where tenant_id = :tenant)")
_ANY_FORECASTS = text("select exists (select from forecasts where tenant_id = :tenant)")


def name_in(matchers: Sequence[Matcher]) -> str | None:
    """The derived metric that these matchers ask for; None when they ask for plain series."""
    for matcher in matchers:
        if matcher.name == METRIC and matcher.op is MatchOp.EQUAL and matcher.value in DERIVED:
            return matcher.value
    return None


def select(
    connection: Connection, tenant: TenantId, matchers: Sequence[Matcher], *, start_ms: int, end_ms: int
) -> list[SeriesBlock]:
    """The derived series that satisfy the matchers, one of which names a derived metric."""
    name = name_in(matchers)
    assert name is not None
    rest = [matcher for matcher in matchers if matcher.name != METRIC]
    if not all(matcher.matches(name) for matcher in matchers if matcher.name == METRIC):
        return []
    return DERIVED[name](connection, tenant, rest, start_ms, end_ms)


def sources(connection: Connection, tenant: TenantId, matchers: Sequence[Matcher]) -> list[Group]:
    """The plain series that derived ones with these labels come from: `metric` is their name."""
    renamed = [
        Matcher(METRIC, matcher.op, matcher.value) if matcher.name == SOURCE else matcher for matcher in matchers
    ]
    return select_series(connection, tenant, renamed or [Matcher(METRIC, MatchOp.NOT_EQUAL, "")])


def labels_from(labels: Labels, name: str, more: Mapping[str, str] | None = None) -> Labels:
    """The labels of the series `name` that is derived from the series with `labels`; `more` is put on top."""
    found = dict(labels)
    found[SOURCE] = found.get(METRIC, "")
    found[METRIC] = name
    return labels_of(found | dict(more or {}))


def metric_names(connection: Connection, tenant: TenantId) -> list[str]:
    """The derived metrics that a tenant has."""
    there = ((SCORE, _ANY_SCORES), (FORECAST, _ANY_FORECASTS))
    return [name for name, is_any in there if connection.scalar(is_any, {"tenant": tenant})]


def _anomaly_scores(
    connection: Connection, tenant: TenantId, matchers: Sequence[Matcher], start_ms: int, end_ms: int
) -> list[SeriesBlock]:
    groups = sources(connection, tenant, matchers)
    found = scores.read(connection, tenant, [group.group_id for group in groups], start_ms=start_ms, end_ms=end_ms)
    blocks = []
    for group in groups:
        times, values = found.get(group.group_id, (None, None))
        if times is None or values is None:
            continue
        known = group.slots < values.shape[1]
        chosen = values[:, group.slots[known]]
        used = np.flatnonzero(~is_absent(chosen).all(axis=0))
        if len(used):
            places = np.flatnonzero(known)[used]
            labels = tuple(labels_from(group.labels[place], SCORE) for place in places.tolist())
            blocks.append(SeriesBlock(labels, times, np.ascontiguousarray(chosen[:, used])))
    return blocks


def _forecasts(
    connection: Connection, tenant: TenantId, matchers: Sequence[Matcher], start_ms: int, end_ms: int
) -> list[SeriesBlock]:
    """Each hour as the newest forecast before it has it; the label `quantile` says which bound."""
    wanted = [each for each in QUANTILES if all(its.matches(each) for its in matchers if its.name == QUANTILE)]
    groups = sources(connection, tenant, [matcher for matcher in matchers if matcher.name != QUANTILE])
    found = forecasts.between(
        connection,
        tenant,
        [group.group_id for group in groups],
        first_ms=start_ms - (HORIZON_H + 1) * HOUR_MS,
        end_ms=end_ms,
    )
    first, last = -(-start_ms // FORECAST_STEP_MS), end_ms // FORECAST_STEP_MS
    grid = np.arange(first, last + 1, dtype=np.int64) * FORECAST_STEP_MS
    if not len(grid):
        return []
    return [
        _forecast_block(group, its, quantile, grid)
        for group in groups
        if (its := found.get(group.group_id))
        for quantile in wanted
    ]


def _forecast_block(group: Group, its: Sequence[forecasts.GroupForecast], quantile: str, grid: Int64s) -> SeriesBlock:
    values = absent_array((len(grid), len(group.slots)))
    for made in its:
        # The hour that a moment lies in, (end - 1 h, end], as a step of this forecast.
        step = -((made.made_ms - grid) // HOUR_MS) - 1
        rows = np.flatnonzero((step >= 0) & (step < made.mean.shape[1]))
        part = getattr(made.forecast(), QUANTILES[quantile])
        columns = np.flatnonzero(np.isin(group.slots, made.slots))
        order = np.searchsorted(made.slots, group.slots[columns])
        if len(rows):
            values[rows[0] :] = ABSENT
            values[rows[:, None], columns[None, :]] = part[order][:, step[rows]].T
    used = np.flatnonzero(~is_absent(values).all(axis=0))
    labels = tuple(labels_from(group.labels[place], FORECAST, {QUANTILE: quantile}) for place in used.tolist())
    return SeriesBlock(labels, grid, np.ascontiguousarray(values[:, used]))


DERIVED: Final[Mapping[str, Select]] = {SCORE: _anomaly_scores, FORECAST: _forecasts}
