"""The same data and the same queries in a real Prometheus and in our engine.

Prometheus here is Debian's 2.42, whose windows and look-back include their left edge; telemetry.py and the query times
are chosen so that nothing ever lies on one. Values are compared as the public compliance tester does: relative 1e-5.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.domain.samples import is_absent
from app.errors import QueryError
from app.promql.engine import query_instant, query_range
from app.promql.format import format_value
from app.promql.result import Matrix, RawMatrix, Scalar, String, Vector
from tests.factories.prometheus import BINARY, RealPrometheus, real_prometheus
from tests.factories.series import MemorySource
from tests.factories.telemetry import BASE_MS, blocks, flat, telemetry

pytestmark = pytest.mark.skipif(BINARY is None, reason="Debian's package prometheus is not installed")

FOLDER = Path(__file__).parent


def lines_of(*names: str) -> list[str]:
    """The lines of files beside this one, without comments."""
    texts = [(FOLDER / name).read_text() for name in names]
    return [line for text in texts for line in text.splitlines() if line and not line.startswith("#")]


QUERIES = lines_of("peer.queries", "more.queries")
# Queries that both refuse; behind a "~" those for which the words differ.
REFUSED = lines_of("peer.errors")
IN_FRONT = re.compile(r'^(?:invalid parameter "query": )?(?:\d+:\d+: )?')
PLACE = re.compile(r"(?:^|: )(\d+:\d+): parse error")
AT_S = BASE_MS // 1000 + 5407
START_S, END_S, STEP_S = BASE_MS // 1000 + 607, BASE_MS // 1000 + 6607, 120
RELATIVE = 1e-5

# By 2.42's own name.
OLD_NAMES = {"double_exponential_smoothing": "holt_winters"}

Answer = tuple[str, Any]


@pytest.fixture(scope="module")
def peers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RealPrometheus, MemorySource]]:
    """A Prometheus and a source that hold the same samples."""
    targets = telemetry()
    with real_prometheus(tmp_path_factory.mktemp("prometheus")) as prometheus:
        prometheus.write(flat(targets))
        yield prometheus, MemorySource(blocks(targets))


@pytest.mark.parametrize("expr", QUERIES)
def test_instant_queries_agree(peers: tuple[RealPrometheus, MemorySource], expr: str) -> None:
    prometheus, source = peers
    theirs = _theirs(prometheus.get("query", query=_in_old_words(expr), time=str(AT_S)))
    ours = _ours(lambda: query_instant(source, expr, at_ms=AT_S * 1000))
    is_ordered = expr.startswith(("sort", "topk", "bottomk"))
    _compare(ours, theirs, is_ordered=is_ordered)


@pytest.mark.parametrize("expr", QUERIES)
def test_range_queries_agree(peers: tuple[RealPrometheus, MemorySource], expr: str) -> None:
    prometheus, source = peers
    times = {"start": str(START_S), "end": str(END_S), "step": str(STEP_S)}
    theirs = _theirs(prometheus.get("query_range", query=_in_old_words(expr), **times))
    ours = _ours(lambda: query_range(source, expr, start_ms=START_S * 1000, end_ms=END_S * 1000, step_ms=STEP_S * 1000))
    _compare(ours, theirs, is_ordered=False)


@pytest.mark.parametrize("expr", ["up[1m]", "gappy[10m]", "up[5m:1m]", '"text"', "odd[2m] offset 10m"])
def test_raw_samples_and_strings_agree(peers: tuple[RealPrometheus, MemorySource], expr: str) -> None:
    prometheus, source = peers
    theirs = _theirs(prometheus.get("query", query=expr, time=str(AT_S)))
    _compare(_ours(lambda: query_instant(source, expr, at_ms=AT_S * 1000)), theirs, is_ordered=False)


@pytest.mark.parametrize("line", REFUSED)
def test_refusals_agree(peers: tuple[RealPrometheus, MemorySource], line: str) -> None:
    prometheus, source = peers
    expr = line.removeprefix("~")
    theirs = prometheus.get("query", query=_in_old_words(expr), time=str(AT_S))
    with pytest.raises(QueryError) as ours:
        query_instant(source, expr, at_ms=AT_S * 1000)
    assert (theirs["status"], theirs["errorType"]) == ("error", ours.value.kind)
    place = PLACE.search(str(ours.value))
    if place is not None:  # we say where only when we know
        assert PLACE.search(theirs["error"])[1] == place[1]
    if not line.startswith("~"):
        assert IN_FRONT.sub("", str(ours.value)) == IN_FRONT.sub("", theirs["error"])


def _in_old_words(expr: str) -> str:
    for new, old in OLD_NAMES.items():
        expr = expr.replace(new, old)
    return expr


def _ours(run: Callable[[], Any]) -> Answer:
    try:
        result = run()
    except QueryError as error:
        return "error", error.kind
    match result:
        case Scalar(value=value):
            return "scalar", format_value(value)
        case String(value=text):
            return "string", text
        case Vector():
            values = [format_value(value) for value in result.values.tolist()]
            return "vector", [
                (dict(labels), {result.ts_ms: value}) for labels, value in zip(result.labels, values, strict=True)
            ]
        case RawMatrix():
            rows = zip(result.labels, result.ts_ms, result.values, strict=True)
        case Matrix():
            rows = (
                (labels, result.ts_ms[~is_absent(row)], row[~is_absent(row)])
                for labels, row in zip(result.labels, result.values, strict=True)
            )
    return "matrix", [(dict(labels), _points(times, values)) for labels, times, values in rows]


def _points(times: np.ndarray, values: np.ndarray) -> dict[int, str]:
    return {ts: format_value(value) for ts, value in zip(times.tolist(), values.tolist(), strict=True)}


def _theirs(answer: dict[str, Any]) -> Answer:
    if answer["status"] == "error":
        return "error", answer["errorType"]
    data = answer["data"]
    if data["resultType"] in ("scalar", "string"):
        return data["resultType"], data["result"][1]
    return data["resultType"], [
        (
            series["metric"],
            {round(float(at) * 1000): value for at, value in series.get("values") or [series["value"]]},
        )
        for series in data["result"]
    ]


def _compare(ours: Answer, theirs: Answer, *, is_ordered: bool) -> None:
    assert ours[0] == theirs[0], (ours, theirs)
    if not isinstance(theirs[1], list):
        assert _alike(ours[1], theirs[1]) if ours[0] == "scalar" else ours[1] == theirs[1]
        return
    left, right = (ours[1], theirs[1]) if is_ordered else (sorted(x[1], key=_by_labels) for x in (ours, theirs))
    assert [labels for labels, _ in left] == [labels for labels, _ in right]
    for (labels, got), (_, wanted) in zip(left, right, strict=True):
        assert list(got) == list(wanted), labels
        wrong = {at: (got[at], wanted[at]) for at in got if not _alike(got[at], wanted[at])}
        assert not wrong, (labels, wrong)


def _by_labels(series: tuple[dict[str, str], Any]) -> list[tuple[str, str]]:
    return sorted(series[0].items())


def _alike(got: str, wanted: str) -> bool:
    a, b = float(got), float(wanted)
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return a == b or math.isclose(a, b, rel_tol=RELATIVE)
