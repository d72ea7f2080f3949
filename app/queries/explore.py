"""What Explore asks: the series of a picked metric or of a PromQL expression, ranked, and what to call them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Final

import numpy as np
from sqlalchemy import or_, select

from app.auth.permissions import require
from app.domain.labels import METRIC, Labels, Matcher, MatchOp, value_of
from app.domain.samples import Float64s, Int64s, is_absent
from app.domain.tenancy import READ, Viewer
from app.domain.timerange import UNITS_MS, Window
from app.promql.result import Matrix
from app.queries import metrics
from models.alerting import AlertRow
from models.session import tenant_session

# name -> (words, PromQL with {} for the selector and {r} for the range); "value" asks for the samples themselves.
FUNCTIONS: Final[Mapping[str, tuple[str, str]]] = {
    "value": ("value", "{s}"),
    "rate": ("rate", "rate({s}[{r}])"),
    "increase": ("increase", "increase({s}[{r}])"),
    "avg": ("average", "avg_over_time({s}[{r}])"),
    "max": ("maximum", "max_over_time({s}[{r}])"),
    "min": ("minimum", "min_over_time({s}[{r}])"),
    "p95": ("95th percentile", "quantile_over_time(0.95, {s}[{r}])"),
    "changes": ("changes", "changes({s}[{r}])"),
    "deriv": ("slope", "deriv({s}[{r}])"),
}
# A value as it was at most ten minutes ago: rollups answer that, and in a plain selector they do not.
LAST: Final = "last_over_time({s}[600s])"
AGGREGATIONS: Final = ("sum", "avg", "max", "min", "count")
# At this many points a series is drawn; more are asked for and reduced when there are few series.
FINE_POINTS: Final = 2_000
POINTS: Final = 600
FEW_SERIES: Final = 100
TIMEOUT_S: Final = 10.0
# How far a rate looks back where samples come every minute or faster, and where they come every five minutes.
OFTEN_MS: Final = 180_000
SELDOM_MS: Final = 900_000
# A series' own name is made of the labels that tell it from the others, in this order.
NAMING: Final[tuple[str, ...]] = ("device", "ifName", "sensor", "cpu", "pool", "storage")
_SPECIAL: Final = frozenset(r"\"")


@dataclass(frozen=True)
class Question:
    """What to ask: a picked metric, or `expr` in PromQL."""

    metric: str
    matchers: tuple[Matcher, ...] = ()
    function: str = "value"
    aggregation: str = "sum"
    by: tuple[str, ...] = ()
    expr: str = ""


@dataclass(frozen=True)
class Series:
    """One series. `values` (t,) float64, NaN = gap; `ts_ms` is the answer's."""

    name: str
    labels: Labels
    values: Float64s

    def last(self) -> float:
        """The last known value."""
        known = self.values[np.isfinite(self.values)]
        return float(known[-1]) if len(known) else float("nan")


@dataclass(frozen=True)
class Answer:
    """The strongest series of a question, by mean; `found` is how many there were.

    `tier_ms` is the coarsest resolution that was read, 0 if samples.
    """

    expr: str
    unit: str
    ts_ms: Int64s
    series: tuple[Series, ...]
    found: int
    step_ms: int
    warnings: tuple[str, ...] = ()
    tier_ms: int = 0


@dataclass(frozen=True)
class Annotation:
    """An alert that stood while the chart's time passed."""

    alert_id: int
    severity: str
    summary: str
    start_ms: int
    end_ms: int | None


def chart_series(viewer: Viewer, question: Question, window: Window, *, top: int) -> Answer:
    """The answer over `window`. Raises QueryError."""
    points = FINE_POINTS if _is_small(viewer, question, window) else POINTS
    step_ms = max(window.step_ms(points), 15_000 if window.length_ms > 900_000 else 5_000)
    asked = window.aligned(step_ms)
    expr, unit = expression(question, window, step_ms)
    matrix = _asked(viewer, expr, asked, step_ms)
    if not len(matrix):
        # Samples that come more seldom than the range is long: a wider one sees two of them.
        expr, unit = expression(question, window, step_ms, least_ms=SELDOM_MS)
        matrix = _asked(viewer, expr, asked, step_ms)
    return _ranked(matrix, expr, unit, step_ms=step_ms, top=top, question=question)


def earlier(viewer: Viewer, answer: Answer, window: Window, by: str) -> dict[Labels, Float64s]:
    """The values of the answer's series `by` (`1d`, `7d`) before, by labels, on the answer's own times."""
    asked = window.aligned(answer.step_ms).earlier(int(by[:-1]) * UNITS_MS[by[-1]])
    matrix = _asked(viewer, answer.expr, asked, answer.step_ms)
    wanted = {series.labels for series in answer.series}
    values = np.where(is_absent(matrix.values), np.nan, matrix.values)
    return {labels: values[index] for index, labels in enumerate(matrix.labels) if labels in wanted}


def expression(question: Question, window: Window, step_ms: int, *, least_ms: int = OFTEN_MS) -> tuple[str, str]:
    """The PromQL of a question, and the unit of its values (bps, bytes, ratio, ... or "").

    Rates and the like look back over at least `least_ms`, and over more where old data is coarse.
    """
    if question.expr:
        return question.expr, ""
    over_ms = max(least_ms, 4 * step_ms) if window.length_ms <= 6 * 3_600_000 else max(SELDOM_MS, 2 * step_ms)
    return _written(question, FUNCTIONS[question.function][1], over_ms)


def hourly_expression(question: Question, step_ms: int) -> str:
    """The PromQL of a question for full hours of weeks: as a chart with this step has it, over whole rollups."""
    if question.expr:
        return question.expr
    over_ms = -(-max(SELDOM_MS, 2 * step_ms) // SELDOM_MS) * SELDOM_MS
    form = LAST if question.function == "value" else FUNCTIONS[question.function][1]
    return _written(question, form, over_ms)[0]


def unit_of(metric: str, function: str) -> str:
    """The unit of a metric's values under a function, by the endings that its kind uses."""
    is_rate = function in ("rate", "deriv")
    if function == "changes":
        return "count"
    if metric.endswith(("Octets", "network_receive_bytes_total", "network_transmit_bytes_total")):
        return "bps" if is_rate else "bytes"
    endings = (
        ("Pkts", "pps" if is_rate else "count"),
        ("_ratio", "ratio"),
        ("_bytes", "bytes"),
        ("_seconds", "seconds"),
    )
    if metric == "ifSpeed":
        return "bps"
    return next((unit for ending, unit in endings if metric.endswith(ending)), "")


def metric_names(viewer: Viewer, window: Window) -> list[str]:
    """The metrics that have samples in the window."""
    return metrics.label_values(viewer, METRIC, start_ms=window.start_ms, end_ms=window.end_ms)


def label_pairs(viewer: Viewer, metric: str, window: Window, *, most: int = 2_000) -> dict[str, list[str]]:
    """The labels of a metric's series with their values: what can be filtered by and grouped by."""
    if not metric:
        return {}
    found = metrics.series(
        viewer, [[Matcher(METRIC, MatchOp.EQUAL, metric)]], start_ms=window.start_ms, end_ms=window.end_ms
    )
    values: dict[str, set[str]] = {}
    for labels in found[:most]:
        for name, value in labels:
            if name != METRIC:
                values.setdefault(name, set()).add(value)
    return {name: sorted(values[name]) for name in sorted(values)}


def nearest_names(viewer: Viewer, metric: str, window: Window) -> list[str]:
    """Metrics with a similar name, for a question that found nothing."""
    names = metric_names(viewer, window)
    folded = {name.lower(): name for name in names}
    close = get_close_matches(metric.lower(), list(folded), n=3, cutoff=0.5)
    return [folded[name] for name in close if folded[name] != metric]


def alert_annotations(viewer: Viewer, devices: Sequence[str], window: Window, *, most: int = 5) -> list[Annotation]:
    """The worst alerts on these devices that stood in the window, in order of time."""
    require(viewer, READ, "alerts")
    start, end = (datetime.fromtimestamp(ms / 1000, UTC) for ms in (window.start_ms, window.end_ms))
    query = (
        select(AlertRow)
        .where(
            AlertRow.tenant_id == viewer.tenant,
            AlertRow.device_name.in_(devices),
            AlertRow.fired_at <= end,
            or_(AlertRow.resolved_at.is_(None), AlertRow.resolved_at >= start),
        )
        .order_by(AlertRow.fired_at.desc())
        .limit(200)
    )
    with tenant_session(viewer.tenant) as session:
        found = [_annotation(row) for row in session.scalars(query) if row.fired_at is not None]
    weight = {"critical": 0, "major": 1, "minor": 2, "warning": 3}
    worst = sorted(found, key=lambda each: (weight.get(each.severity, 4), -each.start_ms))[:most]
    return sorted(worst, key=lambda each: each.start_ms)


def names_of(series: Sequence[Labels]) -> list[str]:
    """A short name for each: the values of the labels that differ among them."""
    if len(series) == 1:
        return [_full_name(series[0])]
    keys = {name for labels in series for name, _ in labels}
    differing = [name for name in keys if len({value_of(labels, name) for labels in series}) > 1 and name != METRIC]
    wanted = [name for name in NAMING if name in differing]
    if len({tuple(value_of(labels, name) for name in wanted) for labels in series}) < len(series):
        wanted += sorted(name for name in differing if name not in wanted)
    return [
        " ".join(filter(None, (value_of(labels, name) for name in wanted))) or _full_name(labels) for labels in series
    ]


def _written(question: Question, form: str, over_ms: int) -> tuple[str, str]:
    """The PromQL of a picked metric, and the unit of its values."""
    selector = question.metric + _braces(question.matchers)
    expr = form.format(s=selector, r=f"{over_ms // 1000}s")
    unit = unit_of(question.metric, question.function)
    if unit == "bps" and question.metric != "ifSpeed":
        expr = f"{expr} * 8"
    if question.by:
        expr = f"{question.aggregation} by ({', '.join(question.by)}) ({expr})"
    return expr, "" if question.aggregation == "count" and question.by else unit


def _asked(viewer: Viewer, expr: str, window: Window, step_ms: int) -> Matrix:
    return metrics.query_range(
        viewer, expr, start_ms=window.start_ms, end_ms=window.end_ms, step_ms=step_ms, timeout_s=TIMEOUT_S
    )


def _ranked(matrix: Matrix, expr: str, unit: str, *, step_ms: int, top: int, question: Question) -> Answer:
    values = np.where(is_absent(matrix.values) | ~np.isfinite(matrix.values), np.nan, matrix.values)
    known = np.isfinite(values)
    counts = known.sum(axis=1)
    sums = np.where(known, values, 0.0).sum(axis=1)
    mean = np.where(counts > 0, sums / np.maximum(counts, 1), -np.inf)
    order = np.argsort(-mean, kind="stable")
    order = order[counts[order] > 0]
    chosen = [matrix.labels[index] for index in order[:top]]
    names = names_of(chosen) if chosen else []
    if len(chosen) == 1 and not chosen[0]:
        names = [question.metric or expr]
    series = tuple(
        Series(name, labels, values[index]) for name, labels, index in zip(names, chosen, order, strict=False)
    )
    return Answer(expr, unit, matrix.ts_ms, series, len(order), step_ms, matrix.warnings, matrix.account.tier_ms)


def _is_small(viewer: Viewer, question: Question, window: Window) -> bool:
    if question.expr:
        return False
    matchers = [Matcher(METRIC, MatchOp.EQUAL, question.metric), *question.matchers]
    return len(metrics.series(viewer, [matchers], start_ms=window.start_ms, end_ms=window.end_ms)) <= FEW_SERIES


def _braces(matchers: Sequence[Matcher]) -> str:
    if not matchers:
        return ""
    return "{" + ", ".join(f'{each.name}{each.op}"{_escaped(each.value)}"' for each in matchers) + "}"


def _escaped(value: str) -> str:
    return "".join(f"\\{letter}" if letter in _SPECIAL else letter for letter in value).replace("\n", "\\n")


def _full_name(labels: Labels) -> str:
    metric = value_of(labels, METRIC)
    rest = [f"{name}={value}" for name, value in labels if name != METRIC]
    short = [value_of(labels, name) for name in NAMING if value_of(labels, name)]
    return " ".join(short) or metric or ", ".join(rest) or "total"


def _annotation(row: AlertRow) -> Annotation:
    assert row.fired_at is not None, "filtered by the caller"
    end_ms = int(row.resolved_at.timestamp() * 1000) if row.resolved_at else None
    return Annotation(row.id, row.severity, row.summary, int(row.fired_at.timestamp() * 1000), end_ms)
