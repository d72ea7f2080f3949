"""What the page of anomalies draws: the course of a series around an anomaly, small for many and whole for one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from app.auth.permissions import require
from app.clock import now_ms
from app.domain.anomaly.found import Anomaly
from app.domain.anomaly.ribbon import Ribbon
from app.domain.labels import METRIC, Matcher, MatchOp
from app.domain.samples import Float64s, Int64s, is_absent
from app.domain.tenancy import READ, Viewer
from app.domain.timerange import Window
from app.queries import metrics
from app.queries.anomalies import places_of
from app.queries.device import quoted
from app.queries.explore import unit_of
from app.queries.ribbon import ribbon
from app.tsdb import places
from models.session import tenant_connection

# Small courses: those whose peaks lie in one slot are read at once, from so much before it until so much after.
SLOT_MS: Final = 2 * 3_600_000
SMALL_BEFORE_MS, SMALL_AFTER_MS = 3 * 3_600_000, 3_600_000
SMALL_POINTS: Final = 36
# The whole one.
BEFORE_MS, AFTER_MS = 8 * 3_600_000, 2 * 3_600_000
POINTS: Final = 400
RATE_MS: Final = 180_000


@dataclass(frozen=True)
class Course:
    """A series around an anomaly. `values` (n,), NaN = gap, in the unit of the anomaly's value."""

    expr: str
    window: Window
    ts_ms: Int64s
    values: Float64s
    ribbon: Ribbon | None


def small_courses(viewer: Viewer, anomalies: Sequence[Anomaly]) -> dict[int, list[float]]:
    """The course around each anomaly in a few points, NaN = gap, by its id."""
    require(viewer, READ, "anomalies")
    where = places_of(viewer, [its.id for its in anomalies])
    by_slot: dict[int, list[Anomaly]] = {}
    for its in anomalies:
        by_slot.setdefault(int(its.peak_at.timestamp() * 1000) // SLOT_MS, []).append(its)
    found: dict[int, list[float]] = {}
    with tenant_connection(viewer.tenant, read_only=True) as connection:
        labels = places.labels_at(connection, viewer.tenant, sorted(set(where.values())))
        for slot, members in by_slot.items():
            wanted = {where[its.id]: labels[where[its.id]] for its in members if where.get(its.id) in labels}
            start_ms = slot * SLOT_MS - SMALL_BEFORE_MS
            end_ms = min((slot + 1) * SLOT_MS + SMALL_AFTER_MS, now_ms())
            values = places.courses(
                connection, viewer.tenant, wanted, start_ms=start_ms, end_ms=end_ms, points=SMALL_POINTS
            )
            found |= {its.id: values[where[its.id]].tolist() for its in members if where.get(its.id) in wanted}
    return found


def course(viewer: Viewer, its: Anomaly) -> Course:
    """The series from some hours before the anomaly until some after it or now, with its scores."""
    require(viewer, READ, "anomalies")
    began, ended = (int(at.timestamp() * 1000) for at in (its.started_at, its.last_at))
    window = Window(began - BEFORE_MS, min(ended + AFTER_MS, now_ms()))
    step_ms = window.step_ms(POINTS)
    window = window.aligned(step_ms)
    expr = expression(its, step_ms)
    found = metrics.query_range(viewer, expr, start_ms=window.start_ms, end_ms=window.end_ms, step_ms=step_ms)
    values = np.where(is_absent(found.values[0]), np.nan, found.values[0]) if len(found) else np.empty(0)
    matchers = [Matcher(name, MatchOp.EQUAL, value) for name, value in sorted(its.labels.items())]
    ts_ms = found.ts_ms if len(found) else np.empty(0, dtype=np.int64)
    return Course(expr, window, ts_ms, values, ribbon(viewer, [matchers], window))


def expression(its: Anomaly, step_ms: int) -> str:
    """The PromQL of an anomaly's series, in the unit of its value."""
    names = sorted(name for name in its.labels if name != METRIC)
    selector = its.metric + "{" + ", ".join(f"{name}={quoted(its.labels[name])}" for name in names) + "}"
    return f"rate({selector}[{max(RATE_MS, 4 * step_ms) // 1000}s])" if its.is_rate else selector


def unit_and_factor(its: Anomaly) -> tuple[str, float]:
    """The unit in which people read the values of an anomaly, and by what they are multiplied before."""
    unit = unit_of(its.metric, "rate" if its.is_rate else "value")
    return unit, 8.0 if unit == "bps" and its.is_rate else 1.0
