"""/api/v1/forecasts: what series will be, as it is stored or computed when asked for, and how good past ones were."""

from __future__ import annotations

from datetime import timedelta

import msgspec
from flask import Blueprint, Response

from app import jobs
from app.actions import bands, inference
from app.actions import pins as actions
from app.api.openapi import Listed, answer, documented, json_body
from app.api.paging import page_of, requested_page
from app.api.parameters import moment_parameter, text_parameter
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.clock import now_ms, utc_now
from app.domain.forecast.outlook import (
    HORIZON_H,
    MOST_HORIZON,
    MOST_POINTS,
    MOST_SERIES,
    SEASON_H,
    Column,
    Predicted,
    PredictQuestion,
)
from app.domain.tenancy import READ, WRITE
from app.errors import InvalidInput
from app.promql.parse import parse, parse_selector
from app.queries import forecasts as queries
from app.queries.forecasts import FamilyQuality
from app.queries.pins import PinReport, reports

blueprint = Blueprint("forecasts", __name__)
QUALITY_BACK = timedelta(days=14)


class PredictIn(msgspec.Struct, forbid_unknown_fields=True):
    """Columns `{"labels", "ts" (ms), "values"}` with a season in steps; or stored series by a selector; or an `expr`
    in PromQL, by the hour."""

    series: list[Column] = []
    selector: str = ""
    expr: str = ""
    horizon: int = HORIZON_H
    season: int = SEASON_H


class PredictedOut(msgspec.Struct):
    """The series, in the order in which they came."""

    series: list[Predicted]


class PinIn(msgspec.Struct, forbid_unknown_fields=True):
    """A selector; its series (50 at most) are forecast by auto_arima, where that beats seasonal naive."""

    selector: str


class Made(msgspec.Struct):
    """The id of what was made."""

    id: int


class QualityOut(msgspec.Struct):
    """By run and family, the newest first."""

    items: list[FamilyQuality]


@blueprint.get("/api/v1/forecasts")
@documented(
    "List the newest forecast of each series",
    answer=Listed[Predicted],
    query={"selector": 'which series, such as ifHCInOctets{device="core-1"}'},
)
@guarded(READ, "metrics")
def list_forecasts() -> Response:
    """A page of series."""
    page = requested_page("forecasts")
    selector = text_parameter("selector")
    if not selector:
        raise InvalidInput("selector", "says which series; it is missing")
    offset = int(page.after) if page.after is not None else 0
    found = queries.newest_forecasts(current_viewer(), selector, now_ms=now_ms(), limit=page.limit + 1, offset=offset)
    return answer(page_of("forecasts", found, page, lambda _: offset + page.limit))


@blueprint.get("/api/v1/forecasts/quality")
@documented(
    "How often ranges held and how large errors were",
    answer=QualityOut,
    query={"since": "only of runs since this moment (RFC 3339); 14 days when left out"},
)
@guarded(READ, "metrics")
def quality() -> Response:
    """The figures of past runs."""
    since = moment_parameter("since") or utc_now() - QUALITY_BACK
    return answer(QualityOut(queries.quality(current_viewer(), since=since)))


@blueprint.get("/api/v1/forecasts/pins")
@documented("List the series that are forecast by auto_arima, and what came of it", answer=Listed[PinReport])
@guarded(READ, "models")
def list_pins() -> Response:
    """All of them."""
    return answer({"items": reports(current_viewer()), "next": None})


@blueprint.post("/api/v1/forecasts/pins")
@documented("Have series forecast by auto_arima", body=PinIn, answer=Made, status=201)
@guarded(WRITE, "models")
def pin() -> Response:
    """From the next run on."""
    return answer(Made(actions.pin(current_viewer(), json_body(PinIn).selector)), 201)


@blueprint.delete("/api/v1/forecasts/pins/<int:pin_id>")
@documented("Have them forecast like all others again", status=204)
@guarded(WRITE, "models")
def unpin(pin_id: int) -> Response:
    """From the next run on."""
    actions.unpin(current_viewer(), pin_id)
    return answer(None, 204)


@blueprint.post("/api/v1/forecasts/predict")
@documented("Continue stored series, an expression, or given values", body=PredictIn, answer=PredictedOut)
@guarded(READ, "metrics")
def predict() -> Response:
    """The next values with their ranges, by the code that every run uses; an ml worker computes it."""
    asked = msgspec.json.encode(_question(json_body(PredictIn)))
    found = inference.ask(current_viewer(), "metrics", jobs.PREDICT, asked)
    return answer(PredictedOut(inference.opened(found, list[Predicted], where="forecast")))


def _question(body: PredictIn) -> PredictQuestion:
    """What is asked; raises InvalidInput that names the field."""
    if [bool(body.series), bool(body.selector), bool(body.expr)].count(True) != 1:
        raise InvalidInput("series", "give one of `series`, `selector` and `expr`")
    if len(body.series) > MOST_SERIES or sum(len(its.ts) for its in body.series) > MOST_POINTS:
        raise InvalidInput("series", f"at most {MOST_SERIES} series and {MOST_POINTS} points")
    if any(len(its.ts) != len(its.values) or its.ts != sorted(set(its.ts)) for its in body.series):
        raise InvalidInput("series", "each needs as many values as times, and times in order")
    most = MOST_HORIZON if body.series else HORIZON_H
    if not 1 <= body.horizon <= most:
        raise InvalidInput("horizon", f"must be from 1 to {most}")
    if not 1 <= body.season <= MOST_POINTS or (not body.series and body.season != SEASON_H):
        raise InvalidInput("season", "is a number of steps, for given values alone")
    if body.series:
        return PredictQuestion(series=body.series, horizon=body.horizon, season=body.season)
    if body.selector:
        parse_selector(body.selector)
    else:
        parse(body.expr)
    return PredictQuestion(
        selector=body.selector, expr=body.expr, horizon=body.horizon, end_ms=bands.last_hour(now_ms())
    )
