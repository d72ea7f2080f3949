"""What the triage page shows beside an alert: the measured value around its beginning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from app.auth.permissions import require
from app.clock import now_ms
from app.domain.alerting.alert import Alert
from app.domain.labels import METRIC, Labels
from app.domain.samples import Float64s, Int64s, is_absent
from app.domain.tenancy import READ, Viewer
from app.domain.timerange import Window
from app.errors import NotFound, QueryError
from app.promql.parse import measured_side
from app.queries import metrics, rules

BEFORE_MS: Final = 100 * 60_000
AFTER_MS: Final = 20 * 60_000
POINTS: Final = 240


@dataclass(frozen=True)
class Measured:
    """The series an alert's rule measures. `values` (n,) float64, NaN = gap; `limit` is what it compares with."""

    expr: str
    window: Window
    ts_ms: Int64s
    values: Float64s
    limit: float | None


def measured(viewer: Viewer, alert: Alert) -> Measured | None:
    """The measured value from 100 min before the alert until 20 min after it ended or now; None without a rule."""
    require(viewer, READ, "alerts")
    if alert.rule_id is None:
        return None
    try:
        expr, limit = measured_side(rules.rule(viewer, alert.rule_id).rule.expr)
    except (NotFound, QueryError):
        return None
    began = int(alert.active_at.timestamp() * 1000)
    ended = int(alert.resolved_at.timestamp() * 1000) if alert.resolved_at else now_ms()
    window = Window(began - BEFORE_MS, min(ended + AFTER_MS, now_ms()))
    step = window.step_ms(POINTS)
    window = window.aligned(step)
    found = metrics.query_range(viewer, expr, start_ms=window.start_ms, end_ms=window.end_ms, step_ms=step)
    row = _row_of(found.labels, alert)
    if row is None:
        return None
    values = np.where(is_absent(found.values[row]), np.nan, found.values[row])
    return Measured(expr, window, found.ts_ms, values, limit)


def _row_of(labels: object, alert: Alert) -> int | None:
    """The series whose labels the alert has all; rules add labels, they do not take any away."""
    assert isinstance(labels, list | tuple)
    for index, candidate in enumerate(labels):
        if _fits(candidate, alert):
            return index
    return None


def _fits(labels: Labels, alert: Alert) -> bool:
    return all(name == METRIC or alert.labels.get(name) == value for name, value in labels)
