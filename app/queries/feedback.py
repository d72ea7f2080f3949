"""Verdicts on anomalies as people and programs ask for them, and the sensitivity that they led to."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.auth.permissions import require
from app.domain.anomaly.base import Profile
from app.domain.anomaly.profiles import boundary
from app.domain.anomaly.verdicts import Mark, Sensitivity, Verdict, multiplier
from app.domain.tenancy import READ, TenantId, Viewer
from models.feedback import DetectionSettingsRow, FeedbackMarkRow
from models.session import tenant_session

NOUN = "anomalies"


def marks(viewer: Viewer, *, before_id: int | None = None, limit: int = 100) -> list[Mark]:
    """The verdicts, undone ones too, the newest first; `before_id` for paging."""
    require(viewer, READ, NOUN)
    query = select(FeedbackMarkRow).where(FeedbackMarkRow.tenant_id == viewer.tenant)
    if before_id is not None:
        query = query.where(FeedbackMarkRow.id < before_id)
    with tenant_session(viewer.tenant) as session:
        return [mark_of(row) for row in session.scalars(query.order_by(FeedbackMarkRow.id.desc()).limit(limit))]


def verdicts_on(viewer: Viewer, anomaly_ids: Sequence[int]) -> dict[int, Mark]:
    """The verdict that stands on each of these anomalies; those without one are left out."""
    require(viewer, READ, NOUN)
    # Uses feedback_marks_anomaly_idx.
    query = select(FeedbackMarkRow).where(
        FeedbackMarkRow.tenant_id == viewer.tenant,
        FeedbackMarkRow.anomaly_id.in_(anomaly_ids),
        FeedbackMarkRow.undone_at.is_(None),
    )
    with tenant_session(viewer.tenant) as session:
        return {row.anomaly_id: mark_of(row) for row in session.scalars(query) if row.anomaly_id is not None}


def verdict_on_alert(viewer: Viewer, alert_id: int) -> Mark | None:
    """The verdict that stands on an alert."""
    require(viewer, READ, NOUN)
    # Uses feedback_marks_alert_idx.
    query = select(FeedbackMarkRow).where(
        FeedbackMarkRow.tenant_id == viewer.tenant,
        FeedbackMarkRow.alert_id == alert_id,
        FeedbackMarkRow.undone_at.is_(None),
    )
    with tenant_session(viewer.tenant) as session:
        row = session.scalar(query)
        return None if row is None else mark_of(row)


def sensitivity(viewer: Viewer) -> Sensitivity:
    """The tenant's multiplier, and how many verdicts stand."""
    require(viewer, READ, NOUN)
    counted = (
        select(FeedbackMarkRow.verdict, func.count())
        .where(FeedbackMarkRow.tenant_id == viewer.tenant, FeedbackMarkRow.undone_at.is_(None))
        .group_by(FeedbackMarkRow.verdict)
    )
    with tenant_session(viewer.tenant) as session:
        steps = steps_of(session, viewer.tenant)
        found = {row[0]: row[1] for row in session.execute(counted)}
    factor = multiplier(steps)
    return Sensitivity(
        multiplier=factor,
        boundary=boundary(Profile.BALANCED, multiplier=factor),
        steps=steps,
        expected=found.get(Verdict.EXPECTED, 0),
        real=found.get(Verdict.REAL, 0),
    )


def steps_of(session: Session, tenant: TenantId) -> int:
    """The steps of a tenant's sensitivity; 0 where nobody moved it."""
    query = select(DetectionSettingsRow.steps).where(DetectionSettingsRow.tenant_id == tenant)
    return session.scalar(query) or 0


def mark_of(row: FeedbackMarkRow) -> Mark:
    """The domain's mark of a row."""
    return Mark(
        id=row.id,
        anomaly_id=row.anomaly_id,
        alert_id=row.alert_id,
        labels=row.labels,
        start_at=row.start_at,
        end_at=row.end_at,
        score=row.score,
        verdict=Verdict(row.verdict),
        note=row.note,
        step=row.step,
        made_by=row.made_by,
        made_at=row.made_at,
        undone_by=row.undone_by,
        undone_at=row.undone_at,
        replaced_id=row.replaced_id,
    )
