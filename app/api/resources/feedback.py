"""/api/v1/anomalies/feedback: verdicts of people, on anomalies, on alerts and on stretches of series."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from flask import Blueprint, Response

from app.actions import feedback as actions
from app.api.openapi import Listed, answer, documented, json_body
from app.api.paging import page_of, requested_page
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.anomaly.verdicts import Mark, Sensitivity, Verdict
from app.domain.tenancy import READ, WRITE
from app.queries import feedback as queries

blueprint = Blueprint("feedback", __name__)

Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class VerdictIn(msgspec.Struct, forbid_unknown_fields=True):
    """`expected`: normal for this network, training leaves it out. `real`: detection is right, training keeps it."""

    verdict: Verdict
    note: str = ""


class StretchIn(msgspec.Struct, forbid_unknown_fields=True):
    """The series with exactly these labels (`__name__` is the metric), from `start` to `end` (RFC 3339)."""

    labels: dict[str, str]
    start: Moment
    end: Moment
    verdict: Verdict
    note: str = ""


@blueprint.get("/api/v1/anomalies/feedback")
@documented("List verdicts, the newest first; undone ones too", answer=Listed[Mark])
@guarded(READ, "anomalies")
def list_marks() -> Response:
    """A page of verdicts."""
    page = requested_page("feedback")
    before = None if page.after is None else int(page.after[0])
    found = queries.marks(current_viewer(), before_id=before, limit=page.limit + 1)
    return answer(page_of("feedback", found, page, lambda its: [its.id]))


@blueprint.get("/api/v1/anomalies/sensitivity")
@documented("How sensitive detection is, and the verdicts that made it so", answer=Sensitivity)
@guarded(READ, "anomalies")
def get_sensitivity() -> Response:
    """The tenant's multiplier."""
    return answer(queries.sensitivity(current_viewer()))


@blueprint.post("/api/v1/anomalies/feedback")
@documented("Say what a stretch of a series was", body=StretchIn, answer=Mark, status=201)
@guarded(WRITE, "anomalies")
def mark_series() -> Response:
    """A verdict on a stretch of one series."""
    body = json_body(StretchIn)
    made = actions.mark_series(current_viewer(), body.labels, body.start, body.end, body.verdict, note=body.note)
    return answer(made, 201)


@blueprint.post("/api/v1/anomalies/<int:anomaly_id>/feedback")
@documented("Say what an anomaly was", body=VerdictIn, answer=Mark, status=201)
@guarded(WRITE, "anomalies")
def mark_anomaly(anomaly_id: int) -> Response:
    """A verdict on an anomaly."""
    body = json_body(VerdictIn)
    return answer(actions.mark_anomaly(current_viewer(), anomaly_id, body.verdict, note=body.note), 201)


@blueprint.post("/api/v1/incidents/<int:alert_id>/feedback")
@documented("Say what an alert was", body=VerdictIn, answer=Mark, status=201)
@guarded(WRITE, "anomalies")
def mark_alert(alert_id: int) -> Response:
    """A verdict on an alert."""
    body = json_body(VerdictIn)
    return answer(actions.mark_alert(current_viewer(), alert_id, body.verdict, note=body.note), 201)


@blueprint.post("/api/v1/anomalies/feedback/<int:mark_id>/undo")
@documented("Take a verdict back, and what it did to the sensitivity", answer=Mark)
@guarded(WRITE, "anomalies")
def undo(mark_id: int) -> Response:
    """Undo a verdict."""
    return answer(actions.undo(current_viewer(), mark_id))
