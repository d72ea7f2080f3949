"""/api/v1/capacity: when links, disks, memory and session tables are full, and how true that was."""

from __future__ import annotations

import math
from typing import Annotated, Any

import msgspec
from flask import Blueprint, Response, request

from app.actions import capacity as actions
from app.api.openapi import Listed, answer, documented, json_body
from app.api.paging import page_of, requested_page
from app.api.parameters import text_parameter
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.forecast.capacity_kinds import KINDS
from app.domain.forecast.capacity_plan import Detail, Item, Reliability, saying
from app.domain.samples import Float64s
from app.domain.tenancy import READ, WRITE
from app.errors import InvalidInput
from app.queries import capacity as queries

blueprint = Blueprint("capacity", __name__)

FILTERS = {
    "kind": f"only of this kind: {', '.join(KINDS)}",
    "device": "only of this device",
    "q": "only with these words in the name of the device or the thing, or in the alias of the port",
    "within_days": "only what is likely full within so many days",
}
WHAT_IF = {
    "threshold": "another threshold, per cent",
    "growth": "how many times as fast it grows: 1 when left out",
}


class ThresholdIn(msgspec.Struct, forbid_unknown_fields=True):
    """The threshold of one thing, per cent of its size; null: that of its kind."""

    threshold: Annotated[float, msgspec.Meta(ge=1, le=100)] | None


class FanOut(msgspec.Struct):
    """Quantiles of the weekly median on each coming day, per cent; the first is the day after last_day."""

    low90: list[float]
    low50: list[float]
    middle: list[float]
    high50: list[float]
    high90: list[float]


class CapacityOut(msgspec.Struct):
    """One thing with where it goes. `daily`: per cent of its size, the newest on last_day; null = no figure.

    p30 … d90 and `says` are of the threshold and growth asked for; `chances`: full within 0, 1, 2 … days.
    """

    item: Item
    threshold: float
    growth: float
    daily: list[float | None]
    p30: float | None = None
    p90: float | None = None
    p180: float | None = None
    d10: float | None = None
    d50: float | None = None
    d90: float | None = None
    says: str = ""
    chances: list[float] = []
    fan: FanOut | None = None


@blueprint.get("/api/v1/capacity")
@documented("List what can be full, by when", answer=Listed[Item], query=FILTERS)
@guarded(READ, "capacity")
def list_items() -> Response:
    """A page of things, what is full first first."""
    page = requested_page("capacity")
    kind = text_parameter("kind")
    if kind and kind not in KINDS:
        raise InvalidInput("kind", f"must be one of {', '.join(KINDS)}")
    within = _number("within_days")
    wanted = queries.CapacityFilter(kind, text_parameter("device"), text_parameter("q"), within)
    after = None if page.after is None else (float(page.after[0]), int(page.after[1]))
    found = queries.items(current_viewer(), wanted, after=after, limit=page.limit + 1)
    return answer(page_of("capacity", found, page, lambda its: [its.rank, its.id]))


@blueprint.get("/api/v1/capacity/<int:item_id>")
@documented("One thing with its days and where it goes", answer=CapacityOut, query=WHAT_IF)
@guarded(READ, "capacity")
def get_item(item_id: int) -> Response:
    """One thing, as it is or as it would be."""
    growth = _number("growth")
    found = queries.detail(
        current_viewer(), item_id, threshold=_number("threshold"), growth=1.0 if growth is None else growth
    )
    return answer(_out(found))


@blueprint.put("/api/v1/capacity/<int:item_id>/threshold")
@documented("Set the threshold of one thing", body=ThresholdIn, answer=Item)
@guarded(WRITE, "capacity")
def put_threshold(item_id: int) -> Response:
    """Set it, and say anew when it is full."""
    actions.set_threshold(current_viewer(), item_id, json_body(ThresholdIn).threshold)
    return answer(queries.item(current_viewer(), item_id))


@blueprint.get("/api/v1/capacity/reliability")
@documented("What was said against what came", answer=Reliability, query={"horizon": "days ahead: 30, 90 or 180"})
@guarded(READ, "capacity")
def get_reliability() -> Response:
    """The bins of a reliability diagram, and scores."""
    horizon = _number("horizon")
    return answer(queries.reliability(current_viewer(), 90 if horizon is None else round(horizon)))


def _out(found: Detail) -> CapacityOut:
    written = CapacityOut(found.item, found.threshold, found.growth, _values(found.daily))
    if found.outlook is None:
        return written
    for name in ("p30", "p90", "p180", "d10", "d50", "d90"):
        setattr(written, name, getattr(found.outlook, name))
    days = (found.outlook.d10, found.outlook.d50, found.outlook.d90)
    written.says = saying(days, last_day=found.item.last_day, threshold=found.threshold)
    written.chances = list(found.outlook.chances)
    written.fan = FanOut(
        *(line.round(3).tolist() for line in (found.low90, found.low50, found.middle, found.high50, found.high90))
    )
    return written


def _values(line: Float64s) -> list[float | None]:
    return [None if math.isnan(value) else round(value, 3) for value in line.tolist()]


def _number(name: str) -> float | None:
    text: Any = request.args.get(name)
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        raise InvalidInput(name, "must be a number") from None
