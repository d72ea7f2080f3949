"""Which series people want forecast by auto_arima."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select

from app.auth.permissions import require
from app.domain.labels import Labels
from app.domain.tenancy import READ, TenantId, Viewer
from app.promql.parse import parse_selector
from app.tsdb.places import Place, groups_of
from app.tsdb.selection import Group, select_series
from models.forecasts import ForecastPinRow
from models.session import tenant_session

NOUN: Final = "models"
# Of one pin, and of all pins of a tenant together: the rest wait for a pin to go.
MOST_SERIES: Final = 50


@dataclass(frozen=True)
class Pin:
    """A selector whose series are pinned."""

    id: int
    selector: str
    made_by: str
    created_at: datetime


def pins(viewer: Viewer) -> list[Pin]:
    """All pins of the tenant, by selector."""
    require(viewer, READ, NOUN)
    query = select(ForecastPinRow).where(ForecastPinRow.tenant_id == viewer.tenant).order_by(ForecastPinRow.selector)
    with tenant_session(viewer.tenant) as session:
        return [Pin(row.id, row.selector, row.made_by, row.created_at) for row in session.scalars(query)]


def pinned_groups(connection: Connection, tenant: TenantId) -> list[Group]:
    """The series that any pin names, each once; those of the oldest pins when there are too many."""
    query = select(ForecastPinRow.selector).where(ForecastPinRow.tenant_id == tenant).order_by(ForecastPinRow.id)
    found: dict[Place, Labels] = {}
    for selector in connection.scalars(query):
        for group in select_series(connection, tenant, parse_selector(selector)):
            places = ((group.group_id, slot) for slot in group.slots.tolist())
            found |= dict(zip(places, group.labels, strict=True))
    return groups_of(dict(list(found.items())[:MOST_SERIES]))
