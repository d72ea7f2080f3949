"""How the Prometheus HTTP API writes parameters and answers; beside prometheus.py, which has the routes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec
import numpy as np
from flask import Response, request

from app.domain.exemplars import Exemplar
from app.domain.labels import Labels
from app.domain.samples import is_absent
from app.errors import InvalidInput
from app.promql.format import format_plain, format_value
from app.promql.result import Matrix, RawMatrix, Result, Scalar, String, Vector

T = TypeVar("T")

TRUNCATED = "results truncated due to limit"

_DURATION = re.compile(
    r"(?:(?P<y>\d+)y)?(?:(?P<w>\d+)w)?(?:(?P<d>\d+)d)?(?:(?P<h>\d+)h)?(?:(?P<m>\d+)m)?(?:(?P<s>\d+)s)?(?:(?P<ms>\d+)ms)?"
)
_UNIT_MS = {
    "y": 31_536_000_000,
    "w": 604_800_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1000,
    "ms": 1,
}
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")

# The most that int64 nanoseconds hold, which is Prometheus's bound for times and durations.
_MOST_S = 2**63 / 1e9


def time_parameter(name: str, default_ms: int) -> int:
    """A moment, as Unix seconds or RFC 3339, in ms; raises InvalidInput."""
    text = request.values.get(name, "")
    if not text:
        return default_ms
    try:
        return _parse_time(text)
    except ValueError:
        why = f"invalid time value for '{name}': cannot parse {_quoted(text)} to a valid timestamp"
        raise InvalidInput(name, why) from None


def time_range_parameters() -> tuple[int, int]:
    """`start` and `end`, both required, in ms; raises InvalidInput."""
    moments = []
    for name in ("start", "end"):
        text = request.values.get(name, "")
        try:
            moments.append(_parse_time(text))
        except ValueError:
            raise InvalidInput(name, f"cannot parse {_quoted(text)} to a valid timestamp") from None
    if moments[1] < moments[0]:
        raise InvalidInput("end", "end timestamp must not be before start time")
    return moments[0], moments[1]


def duration_parameter(name: str, default_ms: float | None = None) -> int:
    """A duration, as seconds or `1h30m`, in ms; raises InvalidInput."""
    text = request.values.get(name, "")
    if not text and default_ms is not None:
        return int(default_ms)
    try:
        seconds = float(text)
    except ValueError:
        found = _DURATION.fullmatch(text)
        if not text or found is None:
            raise InvalidInput(name, f"cannot parse {_quoted(text)} to a valid duration") from None
        return sum(int(count) * _UNIT_MS[unit] for unit, count in found.groupdict().items() if count)
    if not abs(seconds) < _MOST_S:
        raise InvalidInput(name, f"cannot parse {_quoted(text)} to a valid duration. It overflows int64")
    return int(seconds * 1000)


def limit_parameter() -> int:
    """`limit`; 0 when there is none. Raises InvalidInput."""
    text = request.values.get("limit", "")
    if not text:
        return 0
    try:
        limit = int(text)
    except ValueError:
        raise InvalidInput("limit", f"strconv.Atoi: parsing {_quoted(text)}: invalid syntax") from None
    if limit < 0:
        raise InvalidInput("limit", "limit must be non-negative")
    return limit


def truncated(items: Sequence[T], limit: int) -> tuple[Sequence[T], bool]:
    """The first `limit` items (0: all), and whether any are missing."""
    return (items[:limit], True) if 0 < limit < len(items) else (items, False)


def answer(data: object, *, warnings: Sequence[str] = ()) -> Response:
    """A success with `data`."""
    return _response(msgspec.json.encode(data), warnings)


def failure(kind: str, why: str, status: int) -> Response:
    """An error of Prometheus's type `kind`."""
    body = msgspec.json.encode({"status": "error", "errorType": kind, "error": why})
    return Response(body, status=status, content_type="application/json")


def encode_result(result: Result, limit: int, stats: object = None) -> Response:
    """The answer to a query; at most `limit` series of it (0: all). `stats` stands beside it, if there is any."""
    warnings: tuple[str, ...] = ()
    if not isinstance(result, Scalar | String):
        warnings = result.warnings
        if 0 < limit < len(result):
            warnings = (*warnings, TRUNCATED)
    kind, parts = _encoded(result, limit or None)
    # Joined by hand: a chart's answer has 100,000 values, for which objects would cost ten times as much.
    extra = f',"stats":{msgspec.json.encode(stats).decode()}' if stats else ""
    body = f'{{"resultType":"{kind}","result":{parts}{extra}}}'.encode()
    return _response(body, warnings, result.account.infos)


def exemplars_of(series: Labels, exemplars: Sequence[Exemplar]) -> dict[str, object]:
    """The exemplars of one series."""
    written = [
        {"labels": dict(each.labels), "value": format_value(each.value), "timestamp": each.ts_ms / 1000}
        for each in exemplars
    ]
    return {"seriesLabels": dict(series), "exemplars": written}


def _encoded(result: Result, limit: int | None) -> tuple[str, str]:
    match result:
        case Scalar(ts_ms=ts_ms, value=value):
            return "scalar", f'[{_timestamp(ts_ms)},"{format_plain(value)}"]'
        case String(ts_ms=ts_ms, value=text):
            return "string", f"[{_timestamp(ts_ms)},{msgspec.json.encode(text).decode()}]"
        case Vector():
            at = _timestamp(result.ts_ms)
            pairs = zip(result.labels[:limit], result.values.tolist(), strict=False)
            return "vector", _array(
                f'{{"metric":{_metric(labels)},"value":[{at},"{format_value(value)}"]}}' for labels, value in pairs
            )
        case Matrix():
            return "matrix", _array(_matrix_series(result, limit))
        case RawMatrix():
            found = zip(result.labels[:limit], result.ts_ms, result.values, strict=False)
            return "matrix", _array(
                _series(labels, [_timestamp(ts) for ts in times.tolist()], values.tolist())
                for labels, times, values in found
            )


def _matrix_series(result: Matrix, limit: int | None) -> Iterable[str]:
    times = [_timestamp(ts_ms) for ts_ms in result.ts_ms.tolist()]
    for labels, row, gone in zip(result.labels[:limit], result.values, is_absent(result.values), strict=False):
        if gone.any():
            there = np.flatnonzero(~gone)
            yield _series(labels, [times[index] for index in there.tolist()], row[there].tolist())
        else:
            yield _series(labels, times, row.tolist())


def _series(labels: Labels, times: Sequence[str], values: Sequence[float]) -> str:
    points = ",".join([f'[{at},"{format_value(value)}"]' for at, value in zip(times, values, strict=True)])
    return f'{{"metric":{_metric(labels)},"values":[{points}]}}'


def _metric(labels: Labels) -> str:
    return msgspec.json.encode(dict(labels)).decode()


def _array(parts: Iterable[str]) -> str:
    return f"[{','.join(parts)}]"


def _timestamp(ts_ms: int) -> str:
    """Seconds with up to three decimals, without a float in between."""
    sign, size = ("-", -ts_ms) if ts_ms < 0 else ("", ts_ms)
    whole, rest = divmod(size, 1000)
    return f"{sign}{whole}.{rest:03d}" if rest else f"{sign}{whole}"


def _response(data: bytes, warnings: Sequence[str], infos: Sequence[str] = ()) -> Response:
    tail = b',"warnings":' + msgspec.json.encode(list(warnings)) if warnings else b""
    # Prometheus sends at most ten of each.
    tail += b',"infos":' + msgspec.json.encode(list(infos[:10])) if infos else b""
    return Response(b'{"status":"success","data":' + data + tail + b"}", content_type="application/json")


def _parse_time(text: str) -> int:
    try:
        seconds = float(text)
    except ValueError:
        if _RFC3339.fullmatch(text) is None:
            raise
        moment = datetime.fromisoformat(text.upper())
        return math.floor(moment.timestamp() * 1000 + 0.0005)
    if not abs(seconds) < _MOST_S:
        raise ValueError(text)
    return round(seconds * 1000)


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()
