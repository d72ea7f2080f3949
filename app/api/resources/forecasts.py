"""/api/v1/forecasts: what series will be, as it is stored or computed when asked for, and how good past ones were."""

from __future__ import annotations

from datetime import timedelta

import msgspec
from flask import Blueprint, Response

from app import jobs
from app.actions import bands, inference
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
from app.domain.tenancy import READ
from app.errors import InvalidInput
from app.promql.parse import parse, parse_selector
from app.queries import forecasts as queries
from app.queries.forecasts import FamilyQuality

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


@blueprint.post("/api/v1/forecasts/predict")
@documented("Continue stored series, an expression, or given values", body=PredictIn, answer=PredictedOut)
@guarded(READ, "metrics")
def predict() -> Response:
    """The next values with their ranges, by the code that every run uses; an ml worker computes it."""
    asked = msgspec.json.encode(_question(json_body(PredictIn)))
    found = bands.decoded(inference.ask(current_viewer(), "metrics", jobs.PREDICT, asked))
    return answer(PredictedOut(found))


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
