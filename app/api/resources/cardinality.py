"""/api/v1/cardinality: which metrics and labels the series come from; Prometheus's form is /api/v1/status/tsdb."""

from __future__ import annotations

from flask import Blueprint, Response, request

from app.api.openapi import answer, documented
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.tenancy import READ
from app.errors import InvalidInput
from app.queries import cardinality as queries
from app.tsdb.cardinality import Cardinality

blueprint = Blueprint("cardinality", __name__)

LIMIT = {"limit": f"metrics and labels at most; 20 if left out, at most {queries.MOST}"}


@blueprint.get("/api/v1/cardinality")
@documented("Tell which metrics and labels the series come from", answer=Cardinality, query=LIMIT)
@guarded(READ, "cardinality")
def get() -> Response:
    """The greatest first, with what is new in the last day and week."""
    try:
        limit = int(request.args.get("limit", 20))
    except ValueError:
        raise InvalidInput("limit", "must be a whole number") from None
    return answer(queries.cardinality(current_viewer(), limit=limit))
