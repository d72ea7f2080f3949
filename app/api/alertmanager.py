"""GET /api/v2/alerts: the tenant's firing alerts as Alertmanager lists them, so that `amtool alert query` works.

Source: Alertmanager's OpenAPI of version 2, gettableAlerts. Alerts are sent to the same address (ingest/routes.py).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

from flask import Blueprint, Response, jsonify, request

from app.api.openapi import documented
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.clock import utc_now
from app.domain.alerting.alert import Alert
from app.domain.labels import Matcher, MatchOp
from app.domain.tenancy import READ
from app.errors import InvalidInput, Overloaded, Unauthenticated, Unavailable, WatchfloorError
from app.queries import alerts as queries
from app.queries.alerts import MOST, AlertFilter

blueprint = Blueprint("alertmanager", __name__)

SNOOZED: Final = "snoozed"
# Of what an alert was not sent with.
NEVER: Final = datetime(1, 1, 1, tzinfo=UTC)
_MATCHER: Final = re.compile(
    r"""\s*(?P<name>[A-Za-z_][A-Za-z0-9_]*|"(?:[^"\\]|\\.)*")\s*(?P<op>=~|!~|!=|=)\s*"""
    r"""(?P<value>"(?:[^"\\]|\\.)*"|[^",{}]*?)\s*(?:,|$)"""
)
_ESCAPE: Final = re.compile(r"\\(.)")
QUERY: Final = {
    "active": "false: without those that nobody has snoozed",
    "silenced": "false: without those that somebody has snoozed",
    "inhibited": "false: without those that another one inhibits",
    "unprocessed": "taken for Alertmanager's sake",
    "filter": 'a matcher, such as severity="critical" or alertname=~"Link.*"; several must all hold',
    "receiver": "a regular expression of receivers; every alert here has one, by the name of its tenant",
}


@blueprint.get("/api/v2/alerts")
@documented("List firing alerts in Alertmanager's form", query=QUERY)
@guarded(READ, "alerts")
def list_alerts() -> Response:
    """Those that fire now; somebody's snooze counts as a silence."""
    viewer = current_viewer()
    wanted = {name: _flag(name) for name in ("active", "silenced", "inhibited", "unprocessed")}
    matchers = [matcher for text in request.args.getlist("filter") for matcher in matchers_of(text)]
    receiver = request.args.get("receiver", "")
    if receiver and not Matcher("receiver", MatchOp.REGEX, receiver).matches(viewer.tenant_name):
        return jsonify([])
    now = utc_now()
    found = []
    for alert in queries.open_alerts(viewer, AlertFilter(order="newest", limit=MOST)):
        is_silenced = alert.snoozed_until is not None and alert.snoozed_until > now
        if not wanted["silenced" if is_silenced else "active"]:
            continue
        labels = labels_of(alert)
        if all(matcher.matches(labels.get(matcher.name, "")) for matcher in matchers):
            found.append(_form(alert, labels, viewer.tenant_name, is_silenced=is_silenced))
    return jsonify(found)


@blueprint.errorhandler(WatchfloorError)
def refused(error: WatchfloorError) -> Response:
    """Every refusal as Alertmanager's: a text as JSON."""
    response = jsonify(str(error))
    response.status_code = error.status
    if isinstance(error, Unauthenticated):
        response.headers["WWW-Authenticate"] = 'Bearer realm="watchfloor"'
    if isinstance(error, Overloaded | Unavailable):
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def matchers_of(text: str) -> list[Matcher]:
    """The matchers of one `filter`: one, or several with commas, in braces or not. Raises InvalidInput."""
    body = text.strip()
    if body.startswith("{") and body.endswith("}"):
        body = body[1:-1]
    found, at = [], 0
    while at < len(body):
        match = _MATCHER.match(body, at)
        if match is None:
            raise InvalidInput("filter", f"bad matcher format: {text}")
        found.append(Matcher(_unquoted(match["name"]), MatchOp(match["op"]), _unquoted(match["value"])))
        at = match.end()
    if not found:
        raise InvalidInput("filter", f"bad matcher format: {text}")
    return found


def labels_of(alert: Alert) -> dict[str, str]:
    """Its labels with the two that Alertmanager's users ask for."""
    return {"alertname": alert.name, "severity": alert.severity.value, **alert.labels}


def _unquoted(text: str) -> str:
    if not text.startswith('"'):
        return text
    return _ESCAPE.sub(lambda escape: "\n" if escape[1] == "n" else escape[1], text[1:-1])


def _flag(name: str) -> bool:
    value = request.args.get(name, "true")
    if value not in ("true", "false"):
        raise InvalidInput(name, "must be true or false")
    return value == "true"


def _form(alert: Alert, labels: dict[str, str], receiver: str, *, is_silenced: bool) -> dict[str, Any]:
    annotations = {"summary": alert.summary, **alert.annotations} if alert.summary else dict(alert.annotations)
    return {
        "labels": labels,
        "annotations": annotations,
        "startsAt": _moment(alert.fired_at or alert.active_at),
        "endsAt": _moment(alert.ends_at or NEVER),
        "updatedAt": _moment(alert.evaluated_at or alert.active_at),
        "fingerprint": alert.fingerprint,
        "receivers": [{"name": receiver}],
        "generatorURL": f"{request.host_url}alerts?id={alert.id}",
        "status": {
            "state": "suppressed" if is_silenced else "active",
            "silencedBy": [f"{SNOOZED}-{alert.id}"] if is_silenced else [],
            "inhibitedBy": [],
            "mutedBy": [],
        },
    }


def _moment(at: datetime) -> str:
    """RFC 3339 in milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if at != NEVER else ZERO


ZERO: Final = "0001-01-01T00:00:00.000Z"
