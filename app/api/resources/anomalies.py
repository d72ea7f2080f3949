"""/api/v1/anomalies: when series were unusual, and why."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint, Response, request

from app.api.openapi import Listed, answer, documented
from app.api.paging import page_of, requested_page
from app.api.parameters import moment_parameter, text_parameter
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.anomaly.found import Anomaly
from app.domain.tenancy import READ
from app.errors import InvalidInput
from app.queries import anomalies as queries

blueprint = Blueprint("anomalies", __name__)

FILTERS = {
    "metric": "only of this metric",
    "device": "only of this device",
    "interface": "only of this interface",
    "least_score": "only with this score or a higher one; 1.0, the boundary of the balanced profile, when left out",
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
        since=moment_parameter("since"),
        until=moment_parameter("until"),
    )
    found = queries.anomalies(current_viewer(), wanted, before=_place(page.after), limit=page.limit + 1)
    return answer(page_of("anomalies", found, page, lambda its: [its.started_at.isoformat(), its.id]))


@blueprint.get("/api/v1/anomalies/<int:anomaly_id>")
@documented("One anomaly", answer=Anomaly)
@guarded(READ, "anomalies")
def get_anomaly(anomaly_id: int) -> Response:
    """One anomaly."""
    return answer(queries.anomaly(current_viewer(), anomaly_id))


def _least_score() -> float:
    try:
        return float(request.args.get("least_score", 1.0))
    except ValueError:
        raise InvalidInput("least_score", "must be a number") from None


def _place(after: Any) -> tuple[datetime, int] | None:
    return None if after is None else (datetime.fromisoformat(after[0]), int(after[1]))
