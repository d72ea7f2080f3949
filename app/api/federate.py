"""/federate: the newest sample of every chosen series in Prometheus's text format, for a Prometheus above us.

Source: Prometheus, "Federation"; text format 0.0.4 and its escaping of names ("Content negotiation").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

from flask import Blueprint, Response, request

from app.api.openapi import documented
from app.api.prometheus import STATUS
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.clock import now_ms
from app.domain.labels import METRIC, value_of
from app.domain.tenancy import READ
from app.errors import Overloaded, QueryError, Unauthenticated, Unavailable, WatchfloorError
from app.promql.engine import Newest
from app.promql.format import format_value
from app.promql.parse import parse_selector
from app.queries import metrics
from app.queries.metrics import NOUN

blueprint = Blueprint("federate", __name__)

PLAIN_NAME: Final = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
PLAIN_LABEL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NOT_PLAIN: Final = re.compile(r"[^A-Za-z0-9_:]")
_ESCAPES: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
UTF8: Final = "allow-utf-8"


@blueprint.get("/federate")
@documented(
    "The newest sample of the chosen series in Prometheus's text format",
    query={"match[]": "a selector; several add up"},
)
@guarded(READ, NOUN)
def federate() -> Response:
    """Series whose newest sample is within the look-back and not stale, with the samples' own times."""
    try:
        sets = [parse_selector(text) for text in request.args.getlist("match[]")]
        found = metrics.newest(current_viewer(), sets, at_ms=now_ms()) if sets else []
    except QueryError as error:
        return _failure(str(error), STATUS.get(error.kind, 400))
    # A Prometheus 3 says in Accept that names may be anything; others get them with underscores.
    takes_any = f"escaping={UTF8}" in request.headers.get("Accept", "").replace(" ", "")
    content_type = f"{TEXT}; escaping={UTF8}" if takes_any else TEXT
    return Response("".join(_lines(found, takes_any=takes_any)), content_type=content_type)


@blueprint.errorhandler(WatchfloorError)
def refused(error: WatchfloorError) -> Response:
    """Every refusal as a line of text, as Prometheus answers here."""
    response = _failure(str(error), error.status)
    if isinstance(error, Unauthenticated):
        response.headers["WWW-Authenticate"] = 'Bearer realm="watchfloor"'
    if isinstance(error, Overloaded | Unavailable):
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def _failure(why: str, status: int) -> Response:
    return Response(why + "\n", status=status, content_type="text/plain; charset=utf-8")


def _lines(found: Iterable[Newest], *, takes_any: bool) -> Iterator[str]:
    named = [each for each in found if value_of(each.labels, METRIC)]
    named.sort(key=lambda each: value_of(each.labels, METRIC))
    for name, samples in groupby(named, key=lambda each: value_of(each.labels, METRIC)):
        is_plain = PLAIN_NAME.fullmatch(name) is not None
        shown = name if is_plain else (_quoted(name) if takes_any else _NOT_PLAIN.sub("_", name))
        yield f"# TYPE {shown} untyped\n"
        for sample in samples:
            yield _line(sample, name, takes_any=takes_any)


def _line(sample: Newest, name: str, *, takes_any: bool) -> str:
    labels = [
        f"{_label_name(label, takes_any=takes_any)}={_quoted(value)}"
        for label, value in sample.labels
        if label != METRIC
    ]
    if not value_of(sample.labels, "instance"):
        # So that the Prometheus above does not put our own address there, with honor_labels.
        labels.append('instance=""')
    head = name
    if PLAIN_NAME.fullmatch(name) is None:
        head = "" if takes_any else _NOT_PLAIN.sub("_", name)
        labels = [_quoted(name), *labels] if takes_any else labels
    return f"{head}{{{','.join(labels)}}} {format_value(sample.value)} {sample.ts_ms}\n"


def _label_name(name: str, *, takes_any: bool) -> str:
    if PLAIN_LABEL.fullmatch(name):
        return name
    return _quoted(name) if takes_any else _NOT_PLAIN.sub("_", name).replace(":", "_")


def _quoted(text: str) -> str:
    return f'"{text.translate(_ESCAPES)}"'
