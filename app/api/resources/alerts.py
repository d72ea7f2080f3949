"""/api/v1/incidents: episodes of alerts and what people do to them; /api/v1/alerts in Prometheus's form.

Until alerts are correlated, an incident is one episode of one alert.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec
import numpy as np
from flask import Blueprint, Response, request

from app.actions import alerts as actions
from app.actions.alerts import Outcome
from app.api import prometheus_form
from app.api.openapi import Listed, answer, documented, json_body
from app.api.paging import Page, page_of, requested_page
from app.api.parameters import moment_parameter
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.clock import utc_now
from app.domain.alerting.alert import SEVERITIES, Alert, Severity, TimelineEntry
from app.domain.alerting.state import State
from app.domain.tenancy import READ, WRITE
from app.errors import Conflict, InvalidInput
from app.queries import alerts as queries
from app.queries import causes, channels
from app.queries.alerts import AlertFilter
from app.queries.causes import Related
from app.queries.channels import DeliveryRecord

blueprint = Blueprint("incidents", __name__)

T = TypeVar("T", State, Severity)
S = TypeVar("S", bound=msgspec.Struct)


class Note(msgspec.Struct, forbid_unknown_fields=True):
    """An acknowledgement; the note is optional."""

    note: str = ""


class Assignment(msgspec.Struct, forbid_unknown_fields=True):
    """Who gets it; null takes it from whoever has it."""

    user_id: int | None


class Snooze(msgspec.Struct, forbid_unknown_fields=True):
    """Until when, or for how many seconds, it is out of sight."""

    until: datetime | None = None
    duration_s: int | None = None


class Comment(msgspec.Struct, forbid_unknown_fields=True):
    """A line for the timeline."""

    text: str


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """An empty object."""


FILTERS = {
    "state": "pending, firing, resolved; several with commas, firing if left out, or all",
    "severity": "critical, major, minor, warning, unknown; several with commas",
    "needs_action": "true: firing, and nobody has acknowledged, taken or snoozed it",
    "mine": "true: assigned to the person who asks",
    "snoozed": "true or false",
    "site": "site by name",
    "device": "device by name",
    "interface": "interface by name",
    "rule_id": "rule",
    "text": "part of name, summary, device or interface",
    "since": "began at or after this moment",
}


@blueprint.get("/api/v1/incidents")
@documented("List incidents", answer=Listed[Alert], query=FILTERS)
@guarded(READ, "alerts")
def list_incidents() -> Response:
    """A page of alert episodes, the newest first."""
    page = requested_page("incidents")
    found = queries.open_alerts(current_viewer(), _filters(page))
    return answer(page_of("incidents", found, page, lambda alert: alert.id))


@blueprint.get("/api/v1/incidents/<int:incident_id>")
@documented("Get an incident", answer=Alert)
@guarded(READ, "alerts")
def get(incident_id: int) -> Response:
    """One episode, open or resolved."""
    return answer(queries.alert(current_viewer(), incident_id))


@blueprint.get("/api/v1/incidents/<int:incident_id>/timeline")
@documented("Tell what happened to an incident", answer=Listed[TimelineEntry])
@guarded(READ, "alerts")
def timeline(incident_id: int) -> Response:
    """All of it, oldest first."""
    return answer({"items": queries.timeline(current_viewer(), incident_id), "next": None})


@blueprint.get("/api/v1/incidents/<int:incident_id>/related")
@documented("Tell what else happened, and the likely cause", answer=Related)
@guarded(READ, "alerts")
def related(incident_id: int) -> Response:
    """Alerts that began near it in time and place."""
    return answer(causes.related(current_viewer(), incident_id))


@blueprint.get("/api/v1/incidents/<int:incident_id>/deliveries")
@documented("Tell who was told of an incident, who was not, and why", answer=Listed[DeliveryRecord])
@guarded(READ, "alerts")
def deliveries(incident_id: int) -> Response:
    """Every message that was planned, newest first."""
    viewer = current_viewer()
    queries.alert(viewer, incident_id)
    return answer({"items": channels.deliveries(viewer, alert_id=incident_id), "next": None})


@blueprint.post("/api/v1/incidents/<int:incident_id>/ack")
@documented("Acknowledge an incident", body=Note, answer=Alert)
@guarded(WRITE, "alerts")
def acknowledge(incident_id: int) -> Response:
    """409 says who was first."""
    note = _body(Note).note
    return _after(incident_id, actions.acknowledge(current_viewer(), [incident_id], note=note))


@blueprint.post("/api/v1/incidents/<int:incident_id>/unack")
@documented("Take an acknowledgement back", body=Nothing, answer=Alert)
@guarded(WRITE, "alerts")
def unacknowledge(incident_id: int) -> Response:
    """Back to needing action."""
    _body(Nothing)
    return _after(incident_id, actions.unacknowledge(current_viewer(), [incident_id]))


@blueprint.post("/api/v1/incidents/<int:incident_id>/assign")
@documented("Assign an incident", body=Assignment, answer=Alert)
@guarded(WRITE, "alerts")
def assign(incident_id: int) -> Response:
    """To a person of this tenant, or to nobody."""
    user_id = json_body(Assignment).user_id
    return _after(incident_id, actions.assign(current_viewer(), [incident_id], user_id=user_id))


@blueprint.post("/api/v1/incidents/<int:incident_id>/snooze")
@documented("Snooze an incident", body=Snooze, answer=Alert)
@guarded(WRITE, "alerts")
def snooze(incident_id: int) -> Response:
    """Out of sight for a while."""
    body = json_body(Snooze)
    if (body.until is None) == (body.duration_s is None):
        raise InvalidInput("until", "give either until or duration_s")
    if body.duration_s is not None and not 0 < body.duration_s <= actions.LONGEST_SNOOZE.total_seconds():
        raise InvalidInput("duration_s", "must be more than 0 and at most 30 days")
    until = body.until or utc_now() + timedelta(seconds=body.duration_s or 0)
    return _after(incident_id, actions.snooze(current_viewer(), [incident_id], until=until))


@blueprint.post("/api/v1/incidents/<int:incident_id>/unsnooze")
@documented("Bring a snoozed incident back", body=Nothing, answer=Alert)
@guarded(WRITE, "alerts")
def unsnooze(incident_id: int) -> Response:
    """Back into sight."""
    _body(Nothing)
    return _after(incident_id, actions.unsnooze(current_viewer(), [incident_id]))


@blueprint.post("/api/v1/incidents/<int:incident_id>/resolve")
@documented("Resolve an incident", body=Nothing, answer=Alert)
@guarded(WRITE, "alerts")
def resolve(incident_id: int) -> Response:
    """By hand; it stays resolved until its condition was away and comes again."""
    _body(Nothing)
    return _after(incident_id, actions.resolve(current_viewer(), [incident_id]))


@blueprint.post("/api/v1/incidents/<int:incident_id>/comment")
@documented("Comment on an incident", body=Comment, answer=Alert)
@guarded(WRITE, "alerts")
def comment(incident_id: int) -> Response:
    """A line in its timeline."""
    return _after(incident_id, actions.comment(current_viewer(), incident_id, json_body(Comment).text))


@blueprint.get("/api/v1/alerts")
@documented("List pending and firing alerts in Prometheus's form")
@guarded(READ, "alerts")
def prometheus_alerts() -> Response:
    """As Prometheus's /api/v1/alerts."""
    filters = AlertFilter(states=frozenset({State.PENDING, State.FIRING}), order="oldest")
    found = queries.open_alerts(current_viewer(), filters)
    return prometheus_form.answer({"alerts": [prometheus_alert(alert) for alert in found]})


def prometheus_alert(alert: Alert) -> dict[str, object]:
    """One alert as Prometheus writes it."""
    written: dict[str, object] = {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "state": alert.state,
        "activeAt": alert.active_at,
        "value": _scientific(float("nan") if alert.value is None else alert.value),
    }
    if alert.keep_firing_since is not None:
        written["keepFiringSince"] = alert.keep_firing_since
    return written


def _scientific(value: float) -> str:
    """As Go's %e with the fewest digits: 0.95 is 9.5e-01."""
    if math.isfinite(value):
        return np.format_float_scientific(value, trim="-", exp_digits=2)
    return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")


def _body(kind: type[S]) -> S:
    """A body that may be left out altogether."""
    return json_body(kind) if request.content_length else kind()


def _after(incident_id: int, outcome: Outcome) -> Response:
    """The incident as it is now; 409 when it was left as it was."""
    if outcome.refused:
        raise Conflict(f"Incident {incident_id}: {outcome.refused[0].reason}.")
    return answer(queries.alert(current_viewer(), incident_id))


def _filters(page: Page) -> AlertFilter:
    given = request.args
    snoozed = _flag("snoozed")
    return AlertFilter(
        severities=_words("severity", Severity, SEVERITIES),
        states=_words("state", State, tuple(State)),
        needs_action=_flag("needs_action") or False,
        is_mine=_flag("mine") or False,
        is_snoozed=snoozed,
        site=given.get("site", ""),
        device=given.get("device", ""),
        interface=given.get("interface", ""),
        rule_id=_whole("rule_id"),
        text=given.get("text", ""),
        since=moment_parameter("since"),
        order="id",
        before_id=page.after,
        limit=page.limit + 1,
    )


def _words(name: str, kind: type[T], every: tuple[T, ...]) -> frozenset[T]:
    written = request.args.get(name, "")
    if written == "all":
        return frozenset(every)
    words = [word.strip() for word in written.split(",") if word.strip()]
    for word in words:
        if word not in every:
            raise InvalidInput(name, f"must be of {', '.join(every)} or all")
    return frozenset(kind(word) for word in words)


def _flag(name: str) -> bool | None:
    written = request.args.get(name, "").lower()
    if written not in ("", "true", "false", "1", "0"):
        raise InvalidInput(name, "must be true or false")
    return None if not written else written in ("true", "1")


def _whole(name: str) -> int | None:
    written = request.args.get(name, "")
    if not written:
        return None
    if not written.isdecimal() or len(written) > 9:
        raise InvalidInput(name, "must be a whole number")
    return int(written)
