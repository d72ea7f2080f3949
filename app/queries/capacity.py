"""Capacity as people and programs ask for it: what is full first, one thing with where it goes, and how true it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from sqlalchemy import Select, and_, func, or_, select, text

from app.auth.permissions import require
from app.domain.forecast.capacity import Fan, Outlook, outlook_and_fan, weekly_medians
from app.domain.forecast.capacity_kinds import KINDS
from app.domain.forecast.capacity_plan import (
    BINS,
    HORIZONS,
    LEAST_GROWTH,
    LEAST_THRESHOLD,
    MOST_GROWTH,
    MOST_THRESHOLD,
    Detail,
    Item,
    Reliability,
    Run,
    bins_of,
    seed_of,
)
from app.domain.samples import Float64s
from app.domain.tenancy import READ, Viewer
from app.errors import InvalidInput, NotFound
from models.capacity import CapacityItemRow, CapacityRunRow
from models.inventory import DeviceRow, InterfaceRow
from models.session import tenant_session

NOUN: Final = "capacity"
_NO_FAN: Final = Fan(*[np.empty(0)] * 5)

# A saying counts once its horizon has passed, or as soon as it came true.
_BINS = text("""
select width_bucket(said, cast(:edges as float8[])) as bin, count(*), sum(said), count(*) filter (where is_true),
    count(*) filter (where is_backtest), sum(power(said - is_true::int, 2))
from (select case :horizon when 30 then p30 when 90 then p90 else p180 end as said,
        coalesce(full_after <= :horizon, false) as is_true, is_backtest
      from capacity_predictions
      where tenant_id = :tenant and (full_after <= :horizon or known_days >= :horizon)) s
group by 1 order by 1
""")
# Of those that are full by now, or not yet with their range already over: what the range was worth.
_HELD = text("""
select count(*), count(*) filter (where full_after >= d10 and (d90 is null or full_after <= d90))
from capacity_predictions where tenant_id = :tenant and d10 is not null
    and (full_after is not null or (d90 is not null and known_days > d90))
""")


@dataclass(frozen=True)
class CapacityFilter:
    """Which things; an empty field does not matter. `within_days`: whose median date lies within so many days."""

    kind: str = ""
    device: str = ""
    words: str = ""  # in the name of the device or the thing, or in what is written on the port
    within_days: float | None = None


def items(
    viewer: Viewer,
    wanted: CapacityFilter = CapacityFilter(),
    *,
    after: tuple[float, int] | None = None,
    limit: int = 100,
) -> list[Item]:
    """What is full first, at most `limit` of those that come after the one of that rank and id."""
    require(viewer, READ, NOUN)
    # Uses capacity_items_rank_idx.
    query = _filtered(_with_notes(viewer), wanted).order_by(CapacityItemRow.rank, CapacityItemRow.id).limit(limit)
    if after is not None:
        query = query.where(
            or_(CapacityItemRow.rank > after[0], and_(CapacityItemRow.rank == after[0], CapacityItemRow.id > after[1]))
        )
    with tenant_session(viewer.tenant) as session:
        return [item_of(row, alias or "") for row, alias in session.execute(query)]


def counts(viewer: Viewer, wanted: CapacityFilter = CapacityFilter()) -> dict[str, int]:
    """How many things of each kind match, whatever kind is asked for."""
    require(viewer, READ, NOUN)
    every = CapacityFilter(device=wanted.device, words=wanted.words, within_days=wanted.within_days)
    found = _filtered(_with_notes(viewer), every).subquery()
    query = select(found.c.kind, func.count()).group_by(found.c.kind)
    with tenant_session(viewer.tenant) as session:
        return {row[0]: row[1] for row in session.execute(query)}


def item(viewer: Viewer, item_id: int) -> Item:
    """One thing; raises NotFound."""
    require(viewer, READ, NOUN)
    return _loaded(viewer, item_id)[0]


def detail(viewer: Viewer, item_id: int, *, threshold: float | None = None, growth: float = 1.0) -> Detail:
    """One thing with its days and where it goes; with another threshold (per cent) or growth, what would be then.

    Raises NotFound, and InvalidInput for what makes no sense.
    """
    require(viewer, READ, NOUN)
    if threshold is not None and not LEAST_THRESHOLD <= threshold <= MOST_THRESHOLD:
        raise InvalidInput("threshold", f"must be from {LEAST_THRESHOLD:g} to {MOST_THRESHOLD:g} per cent")
    if not LEAST_GROWTH <= growth <= MOST_GROWTH:
        raise InvalidInput("growth", f"must be from {LEAST_GROWTH:g} to {MOST_GROWTH:g} times")
    its, daily = _loaded(viewer, item_id)
    limit = its.threshold if threshold is None else threshold
    outlook: Outlook | None = None
    fan = _NO_FAN
    if not its.missing_days:
        seed = seed_of(its.kind, its.device, its.object)
        outlook, fan = outlook_and_fan(daily, limit, growth=growth, seed=seed)
    return Detail(
        item=its,
        threshold=limit,
        growth=growth,
        daily=daily,
        weekly=weekly_medians(daily[None])[0],
        outlook=outlook,
        low90=fan.low90,
        low50=fan.low50,
        middle=fan.middle,
        high50=fan.high50,
        high90=fan.high90,
    )


def reliability(viewer: Viewer, horizon: int) -> Reliability:
    """What was said of things `horizon` days ahead (one of HORIZONS) against what came."""
    require(viewer, READ, NOUN)
    if horizon not in HORIZONS:
        raise InvalidInput("horizon", f"must be one of {', '.join(map(str, HORIZONS))}")
    parameters = {"tenant": viewer.tenant, "horizon": horizon, "edges": list(BINS[:-1])}
    with tenant_session(viewer.tenant) as session:
        rows = session.execute(_BINS, parameters).all()
        held_of, held = session.execute(_HELD, {"tenant": viewer.tenant}).one()
    count = sum(row[1] for row in rows)
    came = sum(row[3] for row in rows)
    share = came / count if count else 0.0
    return Reliability(
        horizon=horizon,
        bins=bins_of({row[0]: (row[1], row[2], row[3]) for row in rows}),
        count=count,
        backtests=sum(row[4] for row in rows),
        brier=sum(row[5] for row in rows) / count if count else None,
        base_brier=share * (1 - share) if count else None,
        held80=held / held_of if held_of else None,
        held_of=held_of,
    )


def newest_run(viewer: Viewer) -> Run | None:
    """The newest run of the tenant; None before the first."""
    require(viewer, READ, NOUN)
    with tenant_session(viewer.tenant) as session:
        row = session.get(CapacityRunRow, viewer.tenant)
        if row is None:
            return None
        return Run(row.ran_at, row.last_day, row.items, row.idle, row.duration_s)


def item_of(row: CapacityItemRow, note: str) -> Item:
    """The domain's item of a row."""
    return Item(
        id=row.id,
        kind=row.kind,
        device=row.device_name,
        object=row.object,
        labels=row.labels,
        note=note,
        size=row.size,
        unit=KINDS[row.kind].unit,
        threshold=row.threshold,
        is_own_threshold=row.is_own_threshold,
        last_day=row.last_day,
        days=row.days,
        missing_days=row.missing_days,
        now=row.now,
        per_week=row.per_week,
        p30=row.p30,
        p90=row.p90,
        p180=row.p180,
        p365=float(np.frombuffer(row.chances, dtype="<f4")[-1]) if row.chances else None,
        d10=row.d10,
        d50=row.d50,
        d90=row.d90,
        error=row.error,
        naive_error=row.naive_error,
        rank=row.rank,
        computed_at=row.computed_at,
    )


def _loaded(viewer: Viewer, item_id: int) -> tuple[Item, Float64s]:
    """A thing and its days (t,), per cent; raises NotFound."""
    query = _with_notes(viewer).where(CapacityItemRow.id == item_id)
    with tenant_session(viewer.tenant) as session:
        found = session.execute(query).one_or_none()
        if found is None:
            raise NotFound(f"There is no capacity item {item_id}.")
        return item_of(found[0], found[1] or ""), np.frombuffer(found[0].daily, dtype="<f4").astype(np.float64)


def _with_notes(viewer: Viewer) -> Select[CapacityItemRow, str]:
    """Every thing of the tenant, with what is written on its port."""
    its = CapacityItemRow
    query: Select[CapacityItemRow, str] = (
        select(its, InterfaceRow.alias)
        .outerjoin(DeviceRow, and_(DeviceRow.tenant_id == its.tenant_id, DeviceRow.name == its.device_name))
        .outerjoin(
            InterfaceRow,
            and_(its.kind == "link", InterfaceRow.device_id == DeviceRow.id, InterfaceRow.name == its.object),
        )
        .where(its.tenant_id == viewer.tenant)
    )
    return query


def _filtered(query: Select[CapacityItemRow, str], wanted: CapacityFilter) -> Select[CapacityItemRow, str]:
    if wanted.kind:
        query = query.where(CapacityItemRow.kind == wanted.kind)
    if wanted.device:
        query = query.where(CapacityItemRow.device_name == wanted.device)
    for word in wanted.words.split():
        places = (CapacityItemRow.device_name, CapacityItemRow.object, InterfaceRow.alias)
        query = query.where(or_(*(place.icontains(word, autoescape=True) for place in places)))
    if wanted.within_days is not None:
        query = query.where(CapacityItemRow.d50 <= wanted.within_days)
    return query
