"""Which series people want forecast by auto_arima, and what came of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, select

from app.auth.permissions import require
from app.domain.labels import Labels
from app.domain.tenancy import READ, TenantId, Viewer
from app.promql.parse import parse_selector
from app.tsdb.places import Place, groups_of
from app.tsdb.selection import Group, select_series
from models.forecasts import ForecastFitRow, ForecastPinRow
from models.session import tenant_connection, tenant_session

NOUN: Final = "models"
# Of one pin, and of all pins of a tenant together: the rest wait for a pin to go.
MOST_SERIES: Final = 50


class FitState(StrEnum):
    """How a pinned series stands."""

    USED = "used"  # its forecast is auto_arima's
    WORSE = "worse"  # seasonal naive was better, or there was nothing to be better than
    FAILED = "failed"  # no orders fitted
    WAITING = "waiting"  # for a run, or for its turn in one
    LEFT_OUT = "left_out"  # one series too many


@dataclass(frozen=True)
class Fit:
    """What auto_arima came to for one pinned series; all but labels and state are None where it was not tried yet.

    made_at: the run whose forecast it is. orders: (p,d,q)(0,1,0)[24], "" where none fitted. ratio: its error at past
    origins in units of seasonal naive's (yesterday's value at the same hour), None where that is not known.
    """

    labels: dict[str, str]
    state: FitState
    made_at: datetime | None = None
    fitted_at: datetime | None = None
    orders: str = ""
    ratio: float | None = None


@dataclass(frozen=True)
class Pin:
    """A selector whose series are pinned."""

    id: int
    selector: str
    made_by: str
    created_at: datetime


@dataclass(frozen=True)
class PinReport:
    """A pin and what came of each of its series, by labels."""

    id: int
    selector: str
    made_by: str
    created_at: datetime
    series: list[Fit]


def pins(viewer: Viewer) -> list[Pin]:
    """All pins of the tenant, by selector."""
    require(viewer, READ, NOUN)
    query = select(ForecastPinRow).where(ForecastPinRow.tenant_id == viewer.tenant).order_by(ForecastPinRow.selector)
    with tenant_session(viewer.tenant) as session:
        return [Pin(row.id, row.selector, row.made_by, row.created_at) for row in session.scalars(query)]


def reports(viewer: Viewer) -> list[PinReport]:
    """All pins of the tenant with what came of them, by selector."""
    found = pins(viewer)
    query = select(ForecastFitRow).where(ForecastFitRow.tenant_id == viewer.tenant)
    with tenant_session(viewer.tenant) as session:
        rows = list(session.scalars(query))
        session.expunge_all()
    fits = {(row.group_id, row.slot): row for row in rows}
    with tenant_connection(viewer.tenant) as connection:
        chosen = {
            (group.group_id, slot)
            for group in pinned_groups(connection, viewer.tenant)
            for slot in group.slots.tolist()
        }
        return [
            PinReport(its.id, its.selector, its.made_by, its.created_at, _fits(connection, viewer, its, fits, chosen))
            for its in found
        ]


def pinned_groups(connection: Connection, tenant: TenantId) -> list[Group]:
    """The series that any pin names, each once; those of the oldest pins when there are too many."""
    query = select(ForecastPinRow.selector).where(ForecastPinRow.tenant_id == tenant).order_by(ForecastPinRow.id)
    found: dict[Place, Labels] = {}
    for selector in connection.scalars(query):
        for group in select_series(connection, tenant, parse_selector(selector)):
            places = ((group.group_id, slot) for slot in group.slots.tolist())
            found |= dict(zip(places, group.labels, strict=True))
    return groups_of(dict(list(found.items())[:MOST_SERIES]))


def _fits(
    connection: Connection,
    viewer: Viewer,
    its: Pin,
    fits: Mapping[Place, ForecastFitRow],
    chosen: Collection[Place],
) -> list[Fit]:
    """What came of the series of one pin; `chosen`: those that there is room for."""
    groups = select_series(connection, viewer.tenant, parse_selector(its.selector))
    found = [
        (labels, (group.group_id, slot))
        for group in groups
        for slot, labels in zip(group.slots.tolist(), group.labels, strict=True)
    ]
    return [_fit(labels, fits.get(place), is_chosen=place in chosen) for labels, place in sorted(found)]


def _fit(labels: Labels, row: ForecastFitRow | None, *, is_chosen: bool) -> Fit:
    if not is_chosen:
        return Fit(dict(labels), FitState.LEFT_OUT)
    if row is None:
        return Fit(dict(labels), FitState.WAITING)
    state = FitState.USED if row.is_better else FitState.WORSE if row.orders else FitState.FAILED
    return Fit(dict(labels), state, row.made_at, row.fitted_at, row.orders, row.ratio)
