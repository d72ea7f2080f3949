"""Every ingest URL: who, decode, accept, answer.

Our own routes answer errors as RFC 9457, which app/api/problems.py does; the compatible ones in their protocol's form.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from flask import Blueprint, Response, jsonify, request

from app import clock, selfmetrics
from app.actions import events as event_actions
from app.actions import received_alerts
from app.auth.current import current_request_id, current_viewer
from app.domain.exemplars import Exemplar
from app.domain.samples import Accepted, Batch, Rejection
from app.errors import Overloaded, UnknownContentType
from app.tsdb.exemplars import add as add_exemplars
from app.tsdb.refused import record_rejected
from app.tsdb.tenants import tenant_limits
from ingest import answers
from ingest.accept import accept, take
from ingest.answers import MOST_ERRORS, sender_of, sends
from ingest.bodies import plain_body
from ingest.protocols import alertmanager, events, exemplars, influx, json_forms, otlp, otlp_answers, otlp_protobuf
from ingest.protocols import remote_write as v1
from ingest.protocols import remote_write2 as v2
from ingest.recall import recall_of

blueprint = Blueprint("ingest", __name__)

JSON_ENCODINGS: Final = frozenset({"identity", "gzip", "zstd"})
REMOTE_WRITE_ENCODINGS: Final = frozenset({"snappy", "zstd"})
# What clients of InfluxDB take us for: the last version whose lines are all that we read.
INFLUX_VERSION: Final = "1.8.10"
DECODERS: Final = {v1.MESSAGE: v1.decode, v2.MESSAGE: v2.decode}
WRITTEN: Final = "X-Prometheus-Remote-Write"
LONGEST_IDEMPOTENCY_KEY: Final = 255


@blueprint.post("/api/v1/ingest")
@sends(json_forms.OURS)
def ingest() -> Response:
    """Our own JSON, rows or columns, and what Telegraf and collectd send: 202 with what was taken and what was not."""
    _check_json()
    batch, source = json_forms.decode(_body(), precision=request.args.get("precision", ""))
    accepted = _accepted(batch, source)
    _ask_to_repeat(accepted)
    response = jsonify(answers.told(accepted))
    response.status_code = 202
    return response


@blueprint.post("/api/v1/write")
@sends(v1.PROTOCOL, answers.plain)
def remote_write() -> Response:
    """Prometheus remote write 1.0 and 2.0: 204, or the status that makes its senders do the right thing."""
    decode = _remote_write_decoder()
    body = _body(REMOTE_WRITE_ENCODINGS, default="snappy")
    decoded = v1.decode(body, recall_of(current_viewer().tenant)) if decode is v1.decode else decode(body)
    accepted = _accepted(decoded.batch, v1.PROTOCOL)
    written, beside = _beside_samples(body, decoded, is_v2=decode is v2.decode)
    refusals = [f"time series {each.index}: {each.reason}" for each in [*accepted.rejected, *beside][:MOST_ERRORS]]
    status = 429 if accepted.retry_after_s else 400
    response = answers.plain(status, "\n".join(refusals)) if refusals else Response(status=204)
    if accepted.retry_after_s:
        response.headers["Retry-After"] = str(accepted.retry_after_s)
    if decode is v2.decode:
        response.headers[f"{WRITTEN}-Samples-Written"] = str(accepted.count)
        response.headers[f"{WRITTEN}-Histograms-Written"] = "0"
        response.headers[f"{WRITTEN}-Exemplars-Written"] = str(written)
    return response


@blueprint.get("/ping")
def influx_ping() -> Response:
    """InfluxDB's sign of life, which its clients ask for before they write; nobody needs to be known for it."""
    return Response(status=204, headers={"X-Influxdb-Version": INFLUX_VERSION, "X-Influxdb-Build": "OSS"})


@blueprint.post("/api/v2/write")
@blueprint.post("/write")
@sends(influx.PROTOCOL, answers.influx)
def influx_write() -> Response:
    """InfluxDB line protocol of version 1 and 2: 204, or 400 with the lines that were not taken."""
    batch = influx.decode(_body(), precision=request.args.get("precision", ""), now_ms=clock.now_ms())
    accepted = _accepted(batch, influx.PROTOCOL)
    _ask_to_repeat(accepted)
    if not accepted.rejected:
        return Response(status=204)
    lines = [f"line {each.index + 1}: {each.reason}" for each in accepted.rejected[:MOST_ERRORS]]
    written = f"{accepted.count} written, dropped={accepted.rejected_count}"
    return answers.influx(400, "\n".join([f"partial write: {written}", *lines]))


@blueprint.post("/v1/metrics")
@sends(otlp.PROTOCOL, answers.otlp)
def otlp_metrics() -> Response:
    """OpenTelemetry metrics: 200, with a partial success when something was refused, in the form of the request."""
    if not answers.is_json() and request.mimetype != answers.PROTOBUF:
        raise UnknownContentType(f"content type {request.mimetype} is neither JSON nor protobuf")
    batch = otlp.decode_json(_body()) if answers.is_json() else otlp_protobuf.decode(_body())
    accepted = _accepted(batch, otlp.PROTOCOL)
    _ask_to_repeat(accepted)
    reasons = "; ".join(sorted({each.reason for each in accepted.rejected}))[:1000]
    points = len({each.index for each in accepted.rejected})  # a histogram is one point and many samples
    return answers.otlp_form(otlp_answers.answer(points, reasons, is_json=answers.is_json()))


@blueprint.post("/api/v2/alerts")
@sends(alertmanager.PROTOCOL, answers.alertmanager)
def alertmanager_alerts() -> Response:
    """Alertmanager's alerts: 200; 400 names those that were not taken, the others are."""
    _check_json()
    viewer = current_viewer()
    decoded = alertmanager.decode(_body(), now=clock.utc_now())
    sender = sender_of(viewer, alertmanager.PROTOCOL)
    take(viewer.tenant, sender, len(decoded.alerts), tenant_limits(viewer.tenant))
    rejected = [*decoded.rejected, *received_alerts.receive(viewer, decoded.alerts, now=clock.utc_now())]
    if not rejected:
        return Response(status=200)
    record_rejected(viewer.tenant, rejected, sender)
    return answers.alertmanager(400, "; ".join(f"alert {each.index}: {each.reason}" for each in rejected[:MOST_ERRORS]))


@blueprint.post("/api/v1/events")
@sends(events.PROTOCOL)
def ingest_events() -> Response:
    """Events: 202 with what was taken and what was not."""
    _check_json()
    viewer = current_viewer()
    limit = tenant_limits(viewer.tenant)
    decoded = events.decode(_body(), window=limit.window(clock.now_ms()))
    sender = sender_of(viewer, events.PROTOCOL)
    take(viewer.tenant, sender, len(decoded.events), limit)
    event_actions.add(viewer, decoded.events, agent=sender.agent)
    selfmetrics.EVENTS_ACCEPTED.inc(len(decoded.events))
    if decoded.rejected:
        record_rejected(viewer.tenant, decoded.rejected, sender)
    response = jsonify(answers.told(Accepted(len(decoded.events), decoded.rejected)))
    response.status_code = 202
    return response


def _beside_samples(body: bytes, decoded: v1.Decoded, *, is_v2: bool) -> tuple[int, list[Rejection]]:
    """How many exemplars were written, and what else of a request was refused."""
    viewer = current_viewer()
    kept: list[Exemplar] = []
    refused: list[Rejection] = []
    if decoded.exemplars:
        window = tenant_limits(viewer.tenant).window(clock.now_ms())
        kept, refused = exemplars.decode(body, is_v2=is_v2, window=window)
        add_exemplars(viewer.tenant, kept)
    if decoded.histograms:
        refused.append(Rejection(-1, "native histograms: not supported", decoded.histograms))
    if refused:
        record_rejected(viewer.tenant, refused, sender_of(viewer, v1.PROTOCOL))
    return len(kept), refused


def _check_json() -> None:
    if request.mimetype not in ("application/json", ""):
        raise UnknownContentType(f"content type {request.mimetype} is not application/json")


def _body(encodings: frozenset[str] = JSON_ENCODINGS, default: str = "identity") -> bytes:
    """The body within the tenant's limit."""
    most_bytes = tenant_limits(current_viewer().tenant).most_body_bytes
    return plain_body(request, encodings=encodings, default=default, most_bytes=most_bytes)


def _remote_write_decoder() -> Callable[[bytes], v1.Decoded]:
    """By the message that the content type names; 1.0 is what it means when it names none."""
    message = request.mimetype_params.get("proto", v1.MESSAGE)
    if request.mimetype != v1.CONTENT_TYPE or message not in DECODERS:
        raise UnknownContentType(f"content type {request.content_type} is not a remote write request")
    return DECODERS[message]


def _accepted(batch: Batch, source: str) -> Accepted:
    viewer = current_viewer()
    return accept(
        viewer.tenant,
        batch,
        source=source,
        request_id=current_request_id(),
        agent=sender_of(viewer, source).agent,
        idempotency_key=request.headers.get("Idempotency-Key", "")[:LONGEST_IDEMPOTENCY_KEY] or None,
    )


def _ask_to_repeat(accepted: Accepted) -> None:
    """The good samples are stored; what is over the budget of new series is taken when the sender repeats it all."""
    if accepted.retry_after_s:
        reasons = sorted({each.reason for each in accepted.rejected})
        raise Overloaded("; ".join(reasons)[:1000], retry_after_s=accepted.retry_after_s)
