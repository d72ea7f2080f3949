"""The Prometheus HTTP API for queries, in its own forms and error types, so that its clients work unchanged.

Source: Prometheus 3, "HTTP API" (prometheus.io/docs/prometheus/latest/querying/api).
"""

from __future__ import annotations

import platform
import re
from collections.abc import Sequence

from flask import Blueprint, Response, request

from app.api.openapi import documented
from app.api.prometheus_form import (
    TRUNCATED,
    answer,
    duration_parameter,
    encode_result,
    exemplars_of,
    failure,
    limit_parameter,
    time_parameter,
    time_range_parameters,
    truncated,
)
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.clock import now_ms
from app.domain.labels import Labels, Matcher
from app.domain.tenancy import READ
from app.errors import Forbidden, InvalidInput, Overloaded, QueryError, Unauthenticated, Unavailable, WatchfloorError
from app.promql.ast_json import ast_of
from app.promql.parse import format_query, parse_selector
from app.promql.result import Result
from app.promql.rollups import resolution_name
from app.queries import exemplars, metrics
from app.queries.gate import Spent
from app.queries.metrics import NOUN

blueprint = Blueprint("prometheus", __name__, url_prefix="/api/v1")

# The version whose language and forms this API speaks; Grafana switches features on by it.
SPEAKS_VERSION = "3.5.0"
BOTH = ("GET", "POST")
DAY_MS = 86_400_000

TIME = "Unix seconds or RFC 3339"
DURATION = "seconds, or such as 1h30m"
OPTIONS = {
    "timeout": DURATION,
    "lookback_delta": DURATION,
    "limit": "how many series at most",
    "stats": "all: what the query cost",
}
SELECTION = {"match[]": "a selector; several add up", "start": TIME, "end": TIME, "limit": "how many at most"}

# Prometheus's errorType -> status.
STATUS = {"bad_data": 400, "execution": 422, "timeout": 503, "canceled": 499, "internal": 500}

_ESCAPED_NAME = re.compile(r"_([0-9A-Fa-f]{1,6})_|__")


@blueprint.route("/query", methods=BOTH)
@documented("The value of a PromQL expression at one moment", query={"query": "PromQL", "time": TIME, **OPTIONS})
@guarded(READ, NOUN)
def query() -> Response:
    """The value of an expression at one moment."""
    limit = limit_parameter()
    at_ms = time_parameter("time", now_ms())
    timeout_s, lookback_ms = _query_options()
    spent = Spent()
    try:
        result = metrics.query_instant(
            current_viewer(),
            _expr(),
            at_ms=at_ms,
            timeout_s=timeout_s,
            lookback_ms=lookback_ms,
            spent=spent,
        )
    except QueryError as error:
        return _query_failure(error)
    return _told(encode_result(result, limit, _stats(result, spent)), result)


@blueprint.route("/query_range", methods=BOTH)
@documented(
    "The value of a PromQL expression over time",
    query={"query": "PromQL", "start": TIME, "end": TIME, "step": DURATION, **OPTIONS},
)
@guarded(READ, NOUN)
def query_range() -> Response:
    """The value of an expression over time."""
    limit = limit_parameter()
    start_ms, end_ms = time_range_parameters()
    step_ms = duration_parameter("step")
    if step_ms <= 0:
        why = "zero or negative query resolution step widths are not accepted. Try a positive integer"
        raise InvalidInput("step", why)
    timeout_s, lookback_ms = _query_options()
    spent = Spent()
    try:
        result = metrics.query_range(
            current_viewer(),
            _expr(),
            start_ms=start_ms,
            end_ms=end_ms,
            step_ms=step_ms,
            timeout_s=timeout_s,
            lookback_ms=lookback_ms,
            spent=spent,
        )
    except QueryError as error:
        return _query_failure(error)
    return _told(encode_result(result, limit, _stats(result, spent)), result)


@blueprint.route("/series", methods=BOTH)
@documented("The series that satisfy any selector", query=SELECTION)
@guarded(READ, NOUN)
def series() -> Response:
    """The series that satisfy any `match[]`."""
    if not _values("match[]"):
        return failure("bad_data", "no match[] parameter provided", 400)
    limit = limit_parameter()
    start_ms, end_ms = _optional_range()
    found = metrics.series(current_viewer(), _matcher_sets(), start_ms=start_ms, end_ms=end_ms)
    return _listed([_as_object(labels) for labels in found], limit)


@blueprint.route("/labels", methods=BOTH)
@documented("The names of all labels", query=SELECTION)
@guarded(READ, NOUN)
def labels() -> Response:
    """The names of all labels."""
    limit = limit_parameter()
    start_ms, end_ms = _optional_range()
    found = metrics.label_names(current_viewer(), _matcher_sets(), start_ms=start_ms, end_ms=end_ms)
    return _listed(found, limit)


@blueprint.get("/label/<path:name>/values")
@documented("The values of one label", query=SELECTION)
@guarded(READ, NOUN)
def label_values(name: str) -> Response:
    """The values of one label; a name that is no identifier comes in U__ escaping."""
    limit = limit_parameter()
    start_ms, end_ms = _optional_range()
    found = metrics.label_values(
        current_viewer(), unescape_name(name), _matcher_sets(), start_ms=start_ms, end_ms=end_ms
    )
    return _listed(found, limit)


@blueprint.get("/metadata")
@documented(
    "Type, help and unit of metrics",
    query={
        "metric": "one metric only",
        "limit": "how many metrics at most",
        "limit_per_metric": "how many entries of each at most",
    },
)
@guarded(READ, NOUN)
def metadata() -> Response:
    """Type, help and unit of metrics."""
    limit, limit_per_metric = _number("limit"), _number("limit_per_metric")
    found: dict[str, list[dict[str, str]]] = {}
    for one in metrics.metadata(current_viewer(), request.values.get("metric", "")):
        found.setdefault(one.metric, []).append({"type": one.kind, "help": one.help, "unit": one.unit})
    kept = list(found.items())[: limit if limit >= 0 else None]
    most = limit_per_metric if limit_per_metric > 0 else None
    return answer({name: known[:most] for name, known in kept})


@blueprint.route("/query_exemplars", methods=BOTH)
@documented("Exemplars of the series of an expression", query={"query": "PromQL", "start": TIME, "end": TIME})
@guarded(READ, NOUN)
def query_exemplars() -> Response:
    """Single observations behind samples, such as the trace that one belongs to."""
    start_ms, end_ms = _optional_range()
    if end_ms < start_ms:
        raise InvalidInput("end", "end timestamp must not be before start timestamp")
    try:
        found = exemplars.exemplars(current_viewer(), _expr(), start_ms=start_ms, end_ms=end_ms)
    except QueryError as error:
        return _query_failure(error)
    return answer([exemplars_of(series, kept) for series, kept in found.items()])


@blueprint.route("/format_query", methods=BOTH)
@documented("A PromQL expression, laid out", query={"query": "PromQL"})
@guarded(READ, NOUN)
def formatted_query() -> Response:
    """The expression, laid out."""
    try:
        return answer(format_query(_expr()))
    except QueryError as error:
        return _query_failure(error)


@blueprint.route("/parse_query", methods=BOTH)
@documented("The tree of a PromQL expression", query={"query": "PromQL"})
@guarded(READ, NOUN)
def parsed_query() -> Response:
    """The expression's tree, as Prometheus's own."""
    try:
        return answer(ast_of(_expr()))
    except QueryError as error:
        return _query_failure(error)


@blueprint.get("/status/buildinfo")
@documented("Which Prometheus this API is like")
@guarded(READ, NOUN)
def buildinfo() -> Response:
    """Which Prometheus this API is like."""
    return answer(
        {
            "version": SPEAKS_VERSION,
            "revision": "watchfloor",
            "branch": "",
            "buildUser": "",
            "buildDate": "",
            "goVersion": f"python{platform.python_version()}",
        }
    )


@blueprint.errorhandler(WatchfloorError)
def refused(error: WatchfloorError) -> Response:
    """Every refusal in Prometheus's form."""
    match error:
        case QueryError():
            return failure(error.kind, str(error), STATUS.get(error.kind, 400))
        case InvalidInput():
            return failure("bad_data", f'invalid parameter "{error.field}": {error.reason}', 400)
        case Unauthenticated():
            response = failure("unauthorized", str(error), error.status)
            response.headers["WWW-Authenticate"] = 'Bearer realm="watchfloor"'
            return response
        case Forbidden():
            return failure("forbidden", str(error), error.status)
        case Overloaded() | Unavailable():
            response = failure("unavailable", str(error), error.status)
            response.headers["Retry-After"] = str(error.retry_after_s)
            return response
        case _:
            return failure("internal", str(error), error.status)


def unescape_name(name: str) -> str:
    """A label name from its U__ escaping: `__` is an underscore, `_2e_` the character of that code point."""
    if not name.startswith("U__"):
        return name

    def character(found: re.Match[str]) -> str:
        if found[1] is None:
            return "_"
        code = int(found[1], 16)
        return chr(code) if code <= 0x10FFFF else found[0]

    return _ESCAPED_NAME.sub(character, name[3:])


def _expr() -> str:
    return request.values.get("query", "")


def _values(name: str) -> list[str]:
    return request.args.getlist(name) + request.form.getlist(name)


def _query_options() -> tuple[float, int]:
    timeout_s = duration_parameter("timeout", metrics.MOST_SECONDS * 1000) / 1000
    lookback_ms = duration_parameter("lookback_delta", metrics.LOOKBACK_MS)
    return timeout_s, lookback_ms if lookback_ms > 0 else metrics.LOOKBACK_MS


def _told(response: Response, result: Result) -> Response:
    """Say in the answer from which resolution it comes: raw, 5m, 1h or 1d."""
    response.headers["X-Resolution"] = resolution_name(result.account.tier_ms)
    return response


def _stats(result: Result, spent: Spent) -> object:
    """What the query cost, when `stats` asks for it; without samples per step, which are not counted here."""
    if not request.values.get("stats"):
        return None
    return {
        "timings": {
            "evalTotalTime": spent.worked_s,
            "resultSortTime": 0.0,
            "queryPreparationTime": 0.0,
            "innerEvalTime": spent.worked_s,
            "execQueueTime": spent.queued_s,
            "execTotalTime": spent.queued_s + spent.worked_s,
        },
        "samples": {"totalQueryableSamples": result.account.samples, "peakSamples": result.account.peak},
    }


def _optional_range() -> tuple[int, int]:
    # Without an end: whatever the clocks of senders say, within the day that any tenant may accept ahead.
    return time_parameter("start", 0), time_parameter("end", now_ms() + DAY_MS)


def _matcher_sets() -> list[Sequence[Matcher]]:
    sets: list[Sequence[Matcher]] = []
    for text in _values("match[]"):
        try:
            sets.append(parse_selector(text))
        except QueryError as error:
            raise InvalidInput("match[]", str(error)) from error
    return sets


def _number(name: str) -> int:
    text = request.values.get(name, "")
    try:
        return int(text) if text else -1
    except ValueError:
        raise QueryError(f"{name} must be a number") from None


def _as_object(labels: Labels) -> dict[str, str]:
    return dict(labels)


def _listed(items: Sequence[object], limit: int) -> Response:
    kept, was_cut = truncated(items, limit)
    return answer(kept, warnings=(TRUNCATED,) if was_cut else ())


def _query_failure(error: QueryError) -> Response:
    """A query that cannot be parsed is a bad parameter; one that cannot be run is not."""
    text = str(error)
    if error.kind == "bad_data" and not text.startswith("exceeded maximum resolution"):
        text = f'invalid parameter "query": {text}'
    return failure(error.kind, text, STATUS.get(error.kind, 400))
