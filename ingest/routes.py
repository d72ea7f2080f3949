"""Every ingest URL: who, decode, accept, answer.

Our own routes answer errors as RFC 9457, which app/api/problems.py does; the compatible ones in their protocol's form.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Final

from flask import Blueprint, Response, jsonify, request

from app import clock
from app.auth.current import current_request_id, current_viewer
from app.domain.samples import Accepted, Batch
from app.domain.tenancy import Scope, Viewer
from app.errors import Forbidden, Overloaded, Unavailable, UnknownContentType, WatchfloorError
from ingest.accept import accept
from ingest.bodies import plain_body
from ingest.protocols import influx, native, otlp, otlp_answers
from ingest.protocols import remote_write as v1
from ingest.protocols import remote_write2 as v2

blueprint = Blueprint("ingest", __name__)

MOST_ERRORS: Final = 100
JSON_ENCODINGS: Final = frozenset({"identity", "gzip", "zstd"})
REMOTE_WRITE_ENCODINGS: Final = frozenset({"snappy", "zstd", "gzip"})
DECODERS: Final = {v1.MESSAGE: v1.decode, v2.MESSAGE: v2.decode}
WRITTEN: Final = "X-Prometheus-Remote-Write"
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


def plain_errors(view: View) -> View:
    """Decorate a view whose senders expect errors as text."""

    @wraps(view)
    def answered() -> Response:
        try:
            return view()
        except WatchfloorError as error:
            response = _plain(error.status, str(error))
            if isinstance(error, (Overloaded, Unavailable)):
                response.headers["Retry-After"] = str(error.retry_after_s)
            return response

    return answered


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


@blueprint.post("/api/v1/write")
@sends_samples
@plain_errors
def remote_write() -> Response:
    """Prometheus remote write 1.0 and 2.0: 204, or the status that makes its senders do the right thing."""
    decode = _remote_write_decoder()
    decoded = decode(plain_body(request, encodings=REMOTE_WRITE_ENCODINGS, default="snappy"))
    accepted = _accept(current_viewer(), decoded.batch, source=v1.PROTOCOL)
    refusals = [f"time series {r.index}: {r.reason}" for r in accepted.rejected[:MOST_ERRORS]]
    if decoded.histograms:
        refusals.append(f"{decoded.histograms} native histograms: not supported")
    response = _plain(400, "\n".join(refusals)) if refusals else Response(status=204)
    if decode is v2.decode:
        response.headers[f"{WRITTEN}-Samples-Written"] = str(accepted.count)
        response.headers[f"{WRITTEN}-Histograms-Written"] = "0"
        response.headers[f"{WRITTEN}-Exemplars-Written"] = "0"
    return response


@blueprint.post("/api/v2/write")
@blueprint.post("/write")
@sends_samples
@plain_errors
def influx_write() -> Response:
    """InfluxDB line protocol of version 1 and 2: 204, or 400 with the lines that were not taken."""
    body = plain_body(request, encodings=JSON_ENCODINGS, default="identity")
    batch = influx.decode(body, precision=request.args.get("precision", ""), now_ms=clock.now_ms())
    accepted = _accept(current_viewer(), batch, source=influx.PROTOCOL)
    if not accepted.rejected:
        return Response(status=204)
    return _plain(400, "\n".join(f"line {r.index + 1}: {r.reason}" for r in accepted.rejected[:MOST_ERRORS]))


@blueprint.post("/v1/metrics")
@sends_samples
def otlp_metrics() -> Response:
    """OpenTelemetry metrics: 200, with a partial success when something was refused, in the form of the request."""
    is_json = request.mimetype == "application/json"
    try:
        if not is_json and request.mimetype != v1.CONTENT_TYPE:
            raise UnknownContentType(f"content type {request.mimetype} is neither JSON nor protobuf")
        body = plain_body(request, encodings=JSON_ENCODINGS, default="identity")
        batch = otlp.decode_json(body) if is_json else otlp.decode_protobuf(body)
        accepted = _accept(current_viewer(), batch, source=otlp.PROTOCOL)
    except WatchfloorError as error:
        content = otlp_answers.status(error.status, str(error), is_json=is_json)
        response = Response(content, status=error.status)
        if isinstance(error, (Overloaded, Unavailable)):
            response.headers["Retry-After"] = str(error.retry_after_s)
    else:
        reasons = "; ".join(sorted({rejection.reason for rejection in accepted.rejected}))[:1000]
        response = Response(otlp_answers.answer(accepted.rejected_count, reasons, is_json=is_json))
    response.content_type = "application/json" if is_json else v1.CONTENT_TYPE
    return response


def _remote_write_decoder() -> Callable[[bytes], v1.Decoded]:
    """By the message that the content type names; 1.0 is what it means when it names none."""
    message = request.mimetype_params.get("proto", v1.MESSAGE)
    if request.mimetype != v1.CONTENT_TYPE or message not in DECODERS:
        raise UnknownContentType(f"content type {request.content_type} is not a remote write request")
    return DECODERS[message]


def _plain(status: int, text: str) -> Response:
    return Response(text + "\n", status=status, content_type="text/plain; charset=utf-8")


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
