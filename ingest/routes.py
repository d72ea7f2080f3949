"""Every ingest URL: who, decode, accept, answer.

Our own routes answer errors as RFC 9457, which app/api/problems.py does; the compatible ones in their protocol's form.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Final

from flask import Blueprint, Response, jsonify, request

from app.auth.current import current_request_id, current_viewer
from app.domain.samples import Accepted, Batch
from app.domain.tenancy import Scope, Viewer
from app.errors import Forbidden, UnknownContentType
from ingest.accept import accept
from ingest.bodies import plain_body
from ingest.protocols import native

blueprint = Blueprint("ingest", __name__)

MOST_ERRORS: Final = 100
JSON_ENCODINGS: Final = frozenset({"identity", "gzip", "zstd"})
LONGEST_IDEMPOTENCY_KEY: Final = 255

View = Callable[[], Response]


def sends_samples(view: View) -> View:
    """Decorate an ingest view: only a token with the scope `ingest` gets in, never a person."""

    @wraps(view)
    def checked() -> Response:
        viewer = current_viewer()
        if viewer.scopes is None or Scope.INGEST not in viewer.scopes:
            raise Forbidden("sending samples needs an API token with the scope ingest")
        return view()

    checked.guarded = ("ingest", "samples")  # type: ignore[attr-defined]  # functions take attributes; mypy does not know
    return checked


@blueprint.post("/api/v1/ingest")
@sends_samples
def ingest() -> Response:
    """Our own JSON, rows or columns: 202 with what was taken and what was not."""
    if request.mimetype not in ("application/json", ""):
        raise UnknownContentType(f"content type {request.mimetype} is not application/json")
    batch = native.decode(plain_body(request, encodings=JSON_ENCODINGS, default="identity"))
    response = jsonify(_told(_accept(current_viewer(), batch, source=native.PROTOCOL)))
    response.status_code = 202
    return response


def _accept(viewer: Viewer, batch: Batch, *, source: str) -> Accepted:
    return accept(
        viewer.tenant,
        batch,
        source=source,
        request_id=current_request_id(),
        idempotency_key=request.headers.get("Idempotency-Key", "")[:LONGEST_IDEMPOTENCY_KEY] or None,
    )


def _told(accepted: Accepted) -> dict[str, object]:
    errors = [
        {"index": rejection.index, "reason": rejection.reason, "count": rejection.count}
        for rejection in accepted.rejected[:MOST_ERRORS]
    ]
    return {"accepted": accepted.count, "rejected": accepted.rejected_count, "errors": errors}
