"""What senders of each protocol are told: refusals in the form that their clients read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Final

import msgspec
from flask import Response, request

from app.auth.current import current_request_id, current_viewer
from app.domain.samples import Accepted, Rejection
from app.domain.tenancy import Scope, Viewer
from app.errors import Forbidden, Overloaded, Unavailable, WatchfloorError
from app.tsdb.refused import Sender
from ingest import refused
from ingest.protocols import otlp_answers

MOST_ERRORS: Final = 100
PROTOBUF: Final = "application/x-protobuf"
# The words of InfluxDB's API for a status.
INFLUX_CODES: Final = {
    400: "invalid",
    401: "unauthorized",
    403: "forbidden",
    413: "request too large",
    415: "unsupported media type",
    429: "too many requests",
    503: "unavailable",
}

View = Callable[[], Response]
Form = Callable[[int, str], Response]


def sender_of(viewer: Viewer, source: str) -> Sender:
    """Who sends: the name of the token is the agent's."""
    return Sender(viewer.name.removeprefix("token "), source, current_request_id())


def sends(source: str, form: Form | None = None) -> Callable[[View], View]:
    """Decorate an ingest view: only a token with the scope `ingest` gets in, never a person.

    Refusals of whole requests are noted under `source`, and answered by `form`; without one as RFC 9457.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def answered() -> Response:
            viewer = current_viewer()
            try:
                if viewer.scopes is None or Scope.INGEST not in viewer.scopes:
                    raise Forbidden("sending samples needs an API token with the scope ingest")
                return view()
            except WatchfloorError as error:
                if not isinstance(error, Overloaded):  # accept() has noted that, with the number of samples
                    refused.note(viewer.tenant, sender_of(viewer, source), error)
                if form is None:
                    raise
                return _later(form(error.status, str(error)), error)

        answered.guarded = ("ingest", "samples")  # type: ignore[attr-defined]  # functions take attributes; mypy does not know
        return answered

    return decorate


def plain(status: int, text: str) -> Response:
    """As text, for Prometheus."""
    return Response(text + "\n", status=status, content_type="text/plain; charset=utf-8")


def influx(status: int, text: str) -> Response:
    """As InfluxDB's API of the route's version answers."""
    is_v2 = request.path.startswith("/api/v2/")
    body = {"code": INFLUX_CODES.get(status, "internal error"), "message": text} if is_v2 else {"error": text}
    response = Response(msgspec.json.encode(body), status=status, content_type="application/json")
    if not is_v2:
        response.headers["X-Influxdb-Error"] = text.partition("\n")[0][:200].encode("ascii", "replace").decode()
    return response


def otlp(status: int, text: str) -> Response:
    """As a Status message in the form of the request."""
    return otlp_form(otlp_answers.status(status, text, is_json=is_json()), status)


def otlp_form(content: bytes, status: int = 200) -> Response:
    """An answer in the form of the request."""
    return Response(content, status=status, content_type="application/json" if is_json() else PROTOBUF)


def alertmanager(status: int, text: str) -> Response:
    """As Alertmanager's API answers: the error as a JSON string."""
    return Response(msgspec.json.encode(text), status=status, content_type="application/json")


def is_json() -> bool:
    """Whether the request is JSON."""
    return request.mimetype == "application/json"


def told(accepted: Accepted) -> dict[str, object]:
    """What our own routes say of a batch."""
    return {"accepted": accepted.count, "rejected": accepted.rejected_count, "errors": errors(accepted.rejected)}


def errors(rejected: Sequence[Rejection]) -> list[dict[str, object]]:
    """The first refusals by item."""
    return [{"index": each.index, "reason": each.reason, "count": each.count} for each in rejected[:MOST_ERRORS]]


def _later(response: Response, error: WatchfloorError) -> Response:
    if isinstance(error, (Overloaded, Unavailable)):
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response
