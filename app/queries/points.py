"""What is known of one moment of one stored series: how unusual it was, what people said of it, how it is forecast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from sqlalchemy import select

from app.auth.permissions import require
from app.domain.anomaly.found import Anomaly
from app.domain.anomaly.verdicts import Mark, multiplier
from app.domain.labels import METRIC, Matcher, MatchOp, labels_of
from app.domain.samples import is_absent
from app.domain.tenancy import READ, TenantId, Viewer
from app.errors import NotFound
from app.promql.bare import selector_of
from app.queries.anomalies import anomaly_of
from app.queries.feedback import mark_of, steps_of, verdicts_on
from app.queries.pins import Pin, pins
from app.tsdb import scores
from app.tsdb.selection import select_series
from models.anomalies import AnomalyRow
from models.feedback import FeedbackMarkRow
from models.session import tenant_connection, tenant_session

NOUN: Final = "anomalies"
# A rate shows what happened some minutes before: a point stands for so much on both sides at least.
LEAST: Final = timedelta(minutes=3)


@dataclass(frozen=True)
class Point:
    """A moment of a series and the stretch that a verdict on it is about.

    The stretch is that of the anomaly that was found there, else that of a standing verdict, else a step on both sides.
    score: the highest in it, None where nothing was scored; steps: how far the tenant's sensitivity was moved.
    """

    labels: Mapping[str, str]
    start_at: datetime
    end_at: datetime
    score: float | None
    steps: int
    anomaly: Anomaly | None
    mark: Mark | None
    pin: Pin | None

    @property
    def boundary(self) -> float:
        """The score at which it is an anomaly for this tenant."""
        return multiplier(self.steps)


def point(viewer: Viewer, labels: Mapping[str, str], at: datetime, *, step: timedelta) -> Point:
    """What is known of the series with exactly these labels at a moment of a chart. Raises NotFound."""
    require(viewer, READ, NOUN)
    around = max(step, LEAST)
    start_at, end_at = at - around, at + around
    unusual = _anomaly(viewer.tenant, labels, start_at, end_at)
    mark = verdicts_on(viewer, [unusual.id]).get(unusual.id) if unusual else _mark(viewer.tenant, labels, at)
    if unusual is not None:
        start_at, end_at = unusual.started_at, unusual.last_at
    elif mark is not None:
        start_at, end_at = mark.start_at, mark.end_at
    scored = highest_score(viewer.tenant, labels, start_at, end_at)
    selector = selector_of(labels_of(labels))
    with tenant_session(viewer.tenant) as session:
        steps = steps_of(session, viewer.tenant)
    return Point(
        labels=dict(labels),
        start_at=start_at,
        end_at=end_at,
        score=unusual.score if unusual else scored,
        steps=steps,
        anomaly=unusual,
        mark=mark,
        pin=next((its for its in pins(viewer) if its.selector == selector), None),
    )


def highest_score(tenant: TenantId, labels: Mapping[str, str], start_at: datetime, end_at: datetime) -> float | None:
    """The highest score of the series with exactly these labels in a stretch; None where nothing was scored.

    Raises NotFound.
    """
    matchers = [Matcher(name, MatchOp.EQUAL, value) for name, value in sorted(labels.items())]
    start_ms, end_ms = (round(at.timestamp() * 1000) for at in (start_at, end_at))
    with tenant_connection(tenant) as connection:
        for group in select_series(connection, tenant, matchers) if matchers else ():
            for place, its in enumerate(group.labels):
                if dict(its) == dict(labels):
                    slot = int(group.slots[place])
                    found = scores.read(connection, tenant, [group.group_id], start_ms=start_ms, end_ms=end_ms)
                    values = found[group.group_id][1][:, slot : slot + 1] if found else np.empty(0)
                    known = values[~is_absent(values)]
                    return float(known.max()) if len(known) else None
    raise NotFound("There is no series with exactly these labels.")


def _anomaly(tenant: TenantId, labels: Mapping[str, str], start_at: datetime, end_at: datetime) -> Anomaly | None:
    """The worst anomaly of the series with any part in a stretch."""
    # Uses anomalies_device_idx.
    query = select(AnomalyRow).where(
        AnomalyRow.tenant_id == tenant,
        AnomalyRow.device_name == labels.get("device", ""),
        AnomalyRow.metric == labels.get(METRIC, ""),
        AnomalyRow.labels == dict(labels),
        AnomalyRow.started_at <= end_at,
        AnomalyRow.last_at >= start_at,
    )
    with tenant_session(tenant) as session:
        row = session.scalar(query.order_by(AnomalyRow.score.desc()).limit(1))
        return None if row is None else anomaly_of(row)


def _mark(tenant: TenantId, labels: Mapping[str, str], at: datetime) -> Mark | None:
    """The newest verdict on a stretch of this series that stands and has the moment in it."""
    # Uses feedback_marks_time_idx.
    query = select(FeedbackMarkRow).where(
        FeedbackMarkRow.tenant_id == tenant,
        FeedbackMarkRow.start_at <= at,
        FeedbackMarkRow.end_at >= at,
        FeedbackMarkRow.labels == dict(labels),
        FeedbackMarkRow.alert_id.is_(None),
        FeedbackMarkRow.undone_at.is_(None),
    )
    with tenant_session(tenant) as session:
        row = session.scalar(query.order_by(FeedbackMarkRow.id.desc()).limit(1))
        return None if row is None else mark_of(row)
