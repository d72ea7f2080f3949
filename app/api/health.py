"""Probes for machines: /healthz (alive), /readyz (can serve), /metrics (own health); and the times of requests."""

from __future__ import annotations

import msgspec
from flask import Blueprint, Flask, Response, current_app, g, request

from app import clock, selfmetrics
from app.api.guard import client_address
from app.auth.tokens import secret_in, viewer_for_token
from app.domain.tenancy import READ, may
from app.queries import ingest
from app.runtime.draining import draining
from app.runtime.readiness import Readiness

blueprint = Blueprint("health", __name__)
STATE = "watchfloor.readiness"


@blueprint.get("/healthz")
def healthz() -> Response:
    """This process is alive; touches nothing else."""
    return Response("ok\n", content_type="text/plain; charset=utf-8")


@blueprint.get("/readyz")
def readyz() -> Response:
    """200 when this process can serve; 503 with what is missing."""
    board = draining()
    if board is not None and board.is_on():
        return _readiness({"stopping": "this server is being stopped"})
    readiness: Readiness = current_app.extensions.setdefault(STATE, Readiness())
    return _readiness(readiness.reasons())


@blueprint.get("/metrics")
def metrics() -> Response:
    """The program's own counters in Prometheus's text form; a token sees what is its tenant's besides."""
    return Response(selfmetrics.exposition() + _of_tenant(), content_type=selfmetrics.CONTENT_TYPE)


def _of_tenant() -> bytes:
    """The asking tenant's active series, and what was refused of its samples, by agent, protocol and reason."""
    secret = secret_in(request.authorization)
    if secret is None:
        return b""
    viewer = viewer_for_token(secret, client_address())
    if not may(viewer, READ, "ingest"):
        return b""
    usage = ingest.usage(viewer)
    used = selfmetrics.budget(viewer.tenant_name, active_series=usage.series, limit=usage.active_series)
    return used + selfmetrics.refusals(viewer.tenant_name, ingest.ever(viewer.tenant))


def measure(server: Flask) -> None:
    """Count every request and its time, by route: never by address, which has no bound."""

    @server.before_request
    def begin() -> None:
        g.begun_s = clock.monotonic_s()

    @server.after_request
    def end(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else "unknown"
        selfmetrics.REQUESTS.labels(request.method, route, response.status_code).inc()
        if "begun_s" in g:
            selfmetrics.REQUEST_SECONDS.labels(route).observe(clock.monotonic_s() - g.begun_s)
        return response


def _readiness(reasons: dict[str, str]) -> Response:
    body = msgspec.json.encode({"ready": not reasons, "reasons": reasons})
    return Response(body, status=503 if reasons else 200, content_type="application/json")
