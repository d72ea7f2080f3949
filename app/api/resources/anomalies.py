"""/api/v1/anomalies: when series were unusual, and why."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from flask import Blueprint, Response, request

from app import jobs
from app.actions import inference
from app.api.openapi import Listed, answer, documented, json_body
from app.api.paging import page_of, requested_page
from app.api.parameters import moment_parameter, text_parameter
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.anomaly.changed import Changed
from app.domain.anomaly.found import Anomaly
from app.domain.anomaly.question import MOST_POINTS, MOST_SERIES, Column, ScoredColumn, ScoreQuestion
from app.domain.anomaly.together import Together
from app.domain.tenancy import READ
from app.domain.timerange import Window
from app.errors import InvalidInput
from app.promql.parse import parse_selector
from app.queries import anomalies as queries
from app.queries import changed

blueprint = Blueprint("anomalies", __name__)


class ScoreIn(msgspec.Struct, forbid_unknown_fields=True):
    """Columns `{"labels", "ts" (ms), "values"}`, or a selector with start and end (RFC 3339)."""

    series: list[Column] = []
    selector: str = ""
    start: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    end: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


class ScoresOut(msgspec.Struct):
    """The scored series, in the order in which they came."""

    series: list[ScoredColumn]


FILTERS = {
    "metric": "only of this metric",
    "device": "only of this device",
    "interface": "only of this interface",
    "least_score": "only with this score or a higher one; 1.0, the boundary of the balanced profile, when left out",
    "view": "only where this view fired: value, log, day, week, residual, peers, forest",
    "verdict": "only with this verdict: expected, real, or none",
    "since": "only those that lasted until this moment or longer (RFC 3339)",
    "until": "only those that began before this moment (RFC 3339)",
}


@blueprint.get("/api/v1/anomalies")
@documented("List anomalies, the newest first", answer=Listed[Anomaly], query=FILTERS)
@guarded(READ, "anomalies")
def list_anomalies() -> Response:
    """A page of anomalies."""
    page = requested_page("anomalies")
    wanted = queries.AnomalyFilter(
        metric=text_parameter("metric"),
        device=text_parameter("device"),
        interface=text_parameter("interface"),
        least_score=_least_score(),
        view=text_parameter("view"),
        verdict=text_parameter("verdict"),
        since=moment_parameter("since"),
        until=moment_parameter("until"),
    )
    found = queries.anomalies(current_viewer(), wanted, before=_place(page.after), limit=page.limit + 1)
    return answer(page_of("anomalies", found, page, lambda its: [its.started_at.isoformat(), its.id]))


@blueprint.get("/api/v1/anomalies/changed")
@documented(
    "What changed in a window: every series, ranked by how unusual it was",
    answer=Changed,
    query={
        "from": "the beginning of the window (RFC 3339)",
        "to": "its end",
        "limit": f"how many series at most (1 to {changed.MOST}); 50 when left out",
    },
)
@guarded(READ, "anomalies")
def list_changed() -> Response:
    """The series that were most unusual in a window."""
    start, end = moment_parameter("from"), moment_parameter("to")
    if start is None or end is None:
        raise InvalidInput("from", "give the window by `from` and `to`")
    limit = request.args.get("limit", "50")
    if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit) <= changed.MOST:
        raise InvalidInput("limit", f"must be from 1 to {changed.MOST}")
    window = Window(round(start.timestamp() * 1000), round(end.timestamp() * 1000))
    return answer(changed.changed(current_viewer(), window, limit=int(limit)))


@blueprint.get("/api/v1/anomalies/<int:anomaly_id>")
@documented("One anomaly", answer=Anomaly)
@guarded(READ, "anomalies")
def get_anomaly(anomaly_id: int) -> Response:
    """One anomaly."""
    return answer(queries.anomaly(current_viewer(), anomaly_id))


@blueprint.get("/api/v1/anomalies/<int:anomaly_id>/together")
@documented("How the device's readings were together at an anomaly", answer=Together)
@guarded(READ, "anomalies")
def get_together(anomaly_id: int) -> Response:
    """An isolation forest over the residuals of the device: which of its series made the moment unusual."""
    return answer(inference.together(current_viewer(), anomaly_id))


@blueprint.post("/api/v1/anomalies/score")
@documented("Score stored series, or given values", body=ScoreIn, answer=ScoresOut)
@guarded(READ, "anomalies")
def score() -> Response:
    """Each point scored by those before it, as detection does; a worker computes it."""
    asked = msgspec.json.encode(_question(json_body(ScoreIn)))
    found = inference.ask(current_viewer(), "anomalies", jobs.SCORE, asked)
    return answer(ScoresOut(inference.opened(found, list[ScoredColumn], where="selector")))


def _question(body: ScoreIn) -> ScoreQuestion:
    """What is asked; raises InvalidInput that names the field."""
    if bool(body.series) == bool(body.selector):
        raise InvalidInput("series", "give either `series` or a `selector`")
    if len(body.series) > MOST_SERIES or sum(len(its.ts) for its in body.series) > MOST_POINTS:
        raise InvalidInput("series", f"at most {MOST_SERIES} series and {MOST_POINTS} points")
    if any(len(its.ts) != len(its.values) or its.ts != sorted(its.ts) for its in body.series):
        raise InvalidInput("series", "each needs as many values as times, and times in order")
    if not body.selector:
        return ScoreQuestion(body.series)
    parse_selector(body.selector)
    if body.start is None or body.end is None or body.start >= body.end:
        raise InvalidInput("start", "a selector needs `start` and `end`, in this order")
    start_ms, end_ms = (round(moment.timestamp() * 1000) for moment in (body.start, body.end))
    return ScoreQuestion(selector=body.selector, start_ms=start_ms, end_ms=end_ms)


def _least_score() -> float:
    try:
        return float(request.args.get("least_score", 1.0))
    except ValueError:
        raise InvalidInput("least_score", "must be a number") from None


def _place(after: Any) -> tuple[datetime, int] | None:
    return None if after is None else (datetime.fromisoformat(after[0]), int(after[1]))
