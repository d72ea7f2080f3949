"""Series that people want forecast by auto_arima: naming them, and doing it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from sqlalchemy import delete, select, tuple_

from app.actions.audit import record
from app.auth.permissions import require
from app.clock import utc_now
from app.domain.forecast import pinned
from app.domain.forecast.arima import AutoArima
from app.domain.forecast.outlook import HISTORY_H, HOUR_MS
from app.domain.forecast.pinned import Pinned
from app.domain.tenancy import WRITE, TenantId, Viewer
from app.errors import Conflict, InvalidInput, NotFound
from app.promql.parse import parse_selector
from app.queries.pins import MOST_SERIES, NOUN, pinned_groups
from app.tsdb import forecasts, hourly
from app.tsdb.blocks import moment
from app.tsdb.forecasts import GroupForecast
from app.tsdb.selection import Group, select_series
from models.forecasts import ForecastFitRow, ForecastPinRow
from models.session import tenant_connection, tenant_session

NAME: Final = AutoArima().name


@dataclass(frozen=True)
class Done:
    """How many series were looked at, how many of them auto_arima foretells now, and how many are left."""

    series: int
    better: int
    left: int


def pin(viewer: Viewer, selector: str) -> int:
    """Have series forecast by auto_arima from the next run on; answers the pin's id.

    Raises QueryError for what is no selector, InvalidInput for too many series, Conflict for one that is there.
    """
    require(viewer, WRITE, NOUN)
    matchers = parse_selector(selector)
    with tenant_connection(viewer.tenant) as connection:
        count = sum(len(group.slots) for group in select_series(connection, viewer.tenant, matchers))
    if count > MOST_SERIES:
        raise InvalidInput("selector", f"selects {count:,} series; auto_arima takes {MOST_SERIES} at most")
    with tenant_session(viewer.tenant) as session:
        known = select(ForecastPinRow.id).where(
            ForecastPinRow.tenant_id == viewer.tenant, ForecastPinRow.selector == selector
        )
        if session.scalar(known) is not None:
            raise Conflict(f"{selector} is pinned already.")
        row = ForecastPinRow(tenant_id=viewer.tenant, selector=selector, made_by=viewer.name)
        session.add(row)
        session.flush()
        record(session, viewer, action="pin", noun=NOUN, object_id=row.id, after={"selector": selector})
        return row.id


def unpin(viewer: Viewer, pin_id: int) -> None:
    """Take a pin away; from the next run on its series are forecast like all others. Raises NotFound."""
    require(viewer, WRITE, NOUN)
    mine = (ForecastPinRow.tenant_id == viewer.tenant, ForecastPinRow.id == pin_id)
    with tenant_session(viewer.tenant) as session:
        selector = session.scalar(select(ForecastPinRow.selector).where(*mine))
        if selector is None:
            raise NotFound(f"There is no pin {pin_id}.")
        session.execute(delete(ForecastPinRow).where(*mine))
        record(session, viewer, action="unpin", noun=NOUN, object_id=pin_id, before={"selector": selector})


def foretell(tenant: TenantId, *, now_ms: int, may_go_on: Callable[[], bool]) -> Done:
    """Put auto_arima's forecast of pinned series into the newest stored ones, where it beats seasonal naive.

    What was done of a run is not done again, whether auto_arima was better there or not. What it came to is kept for
    those who pinned the series.
    """
    looked = better = left = 0
    with tenant_connection(tenant) as connection:
        groups = pinned_groups(connection, tenant)
        made = forecasts.newest(connection, tenant, [group.group_id for group in groups], before_ms=now_ms + 1)
    _forget_others(tenant, groups)
    for group in groups:
        its = made.get(group.group_id)
        wanted = [] if its is None else _wanted(tenant, group, its)
        if its is None or not len(wanted):
            continue
        if not may_go_on():
            left += len(wanted)
            continue
        changed, fits = _with_arima(tenant, group, its, wanted, may_go_on)
        with tenant_session(tenant) as session:
            forecasts.replace(session, tenant, changed)
            for fit in fits:
                session.merge(fit)
        looked += len(fits)
        left += len(wanted) - len(fits)
        better += changed.models.count(NAME) - its.models.count(NAME)
    return Done(looked, better, left)


def _wanted(tenant: TenantId, group: Group, its: GroupForecast) -> list[int]:
    """The slots of a group that are pinned and foretold, and that auto_arima was not tried for in this run."""
    tried = select(ForecastFitRow.slot).where(
        ForecastFitRow.tenant_id == tenant,
        ForecastFitRow.group_id == group.group_id,
        ForecastFitRow.made_at == moment(its.made_ms),
    )
    with tenant_session(tenant) as session:
        open_slots = set(group.slots.tolist()) - set(session.scalars(tried))
    return [slot for slot in its.slots.tolist() if slot in open_slots]


def _forget_others(tenant: TenantId, groups: Sequence[Group]) -> None:
    """What was noted of series that nobody pins any more goes."""
    places = [(group.group_id, slot) for group in groups for slot in group.slots.tolist()]
    known = tuple_(ForecastFitRow.group_id, ForecastFitRow.slot)
    with tenant_session(tenant) as session:
        session.execute(delete(ForecastFitRow).where(ForecastFitRow.tenant_id == tenant, known.not_in(places)))


def _with_arima(
    tenant: TenantId, group: Group, its: GroupForecast, wanted: list[int], may_go_on: Callable[[], bool]
) -> tuple[GroupForecast, list[ForecastFitRow]]:
    """The group's forecast with auto_arima's where it is better, and what came of each series that it was tried for."""
    chosen = np.flatnonzero(np.isin(group.slots, wanted))
    part = Group(group.group_id, group.slots[chosen], tuple(group.labels[at] for at in chosen.tolist()))
    with tenant_connection(tenant) as connection:
        start_ms = its.made_ms - HISTORY_H * HOUR_MS
        hours = hourly.read(connection, tenant, [part], start_ms=start_ms, end_ms=its.made_ms)
    found = pinned.foretell(hours.values, may_go_on=may_go_on)
    mean, widths, models = its.mean.copy(), its.widths.copy(), list(its.models)
    place = {slot: at for at, slot in enumerate(its.slots.tolist())}
    is_over = not may_go_on()
    fits: list[ForecastFitRow] = []
    for row, slot in enumerate(hours.slots.tolist()):
        # Without orders the search failed, unless time was over before it began.
        if found.orders[row] or not is_over:
            fits.append(_fit(tenant, its, slot, found, row))
        if found.is_better[row]:
            at = place[slot]
            mean[at], models[at] = found.mean[row], NAME
            # What was learned of the width of its ranges goes on.
            widths[:, at] = found.widths[:, row] * its.factors[:, at, None]
    return replace(its, mean=mean, widths=widths, models=tuple(models)), fits


def _fit(tenant: TenantId, its: GroupForecast, slot: int, found: Pinned, row: int) -> ForecastFitRow:
    ratio = float(found.ratio[row])
    return ForecastFitRow(
        tenant_id=tenant,
        group_id=its.group_id,
        slot=slot,
        made_at=moment(its.made_ms),
        fitted_at=utc_now(),
        orders=found.orders[row],
        ratio=ratio if np.isfinite(ratio) else None,
        is_better=bool(found.is_better[row]),
    )
