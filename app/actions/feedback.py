"""What people say of anomalies: expected or real; each verdict moves the tenant's sensitivity and can be undone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.actions.audit import record
from app.auth.permissions import require
from app.clock import utc_now
from app.domain.anomaly.verdicts import Mark, Verdict, step_of
from app.domain.labels import METRIC
from app.domain.tenancy import WRITE, TenantId, Viewer
from app.errors import Conflict, InvalidInput, NotFound
from app.queries.alerts import alert
from app.queries.anomalies import anomaly
from app.queries.feedback import NOUN, mark_of
from app.queries.points import highest_score, point
from models.feedback import DetectionSettingsRow, FeedbackMarkRow
from models.session import tenant_session

MAX_NOTE: Final = 1000
LONGEST_MS: Final = 31 * 86_400_000
# Labels by which an alert names what it is about.
SUBJECT: Final = ("device", "ifName")


@dataclass(frozen=True)
class _Subject:
    """What a verdict is about: series with these labels, from start to end; score None: nothing was scored there."""

    labels: Mapping[str, str]
    start_at: datetime
    end_at: datetime
    score: float | None
    anomaly_id: int | None = None
    alert_id: int | None = None
    same: tuple[ColumnElement[bool], ...] = field(default=())  # the marks that are about the same


def mark_anomaly(viewer: Viewer, anomaly_id: int, verdict: Verdict, *, note: str = "") -> Mark:
    """A verdict on an anomaly, in the place of another that stands on it. Raises NotFound, Conflict if it is given."""
    require(viewer, WRITE, NOUN)
    its = anomaly(viewer, anomaly_id)
    same = (FeedbackMarkRow.anomaly_id == anomaly_id,)
    subject = _Subject(its.labels, its.started_at, its.last_at, its.score, anomaly_id=anomaly_id, same=same)
    return _mark(viewer, subject, verdict, note)


def mark_alert(viewer: Viewer, alert_id: int, verdict: Verdict, *, note: str = "") -> Mark:
    """A verdict on an alert, from its beginning to its end or now. Raises NotFound, Conflict if it is given."""
    require(viewer, WRITE, NOUN)
    its = alert(viewer, alert_id)
    labels = {name: its.labels[name] for name in SUBJECT if its.labels.get(name)}
    told = its.annotations.get("score", "")
    score = float(told) if told.replace(".", "", 1).isdigit() else None
    if its.labels.get("metric"):
        # Of an anomaly: the alert has all labels of the series, its name under `metric`.
        labels |= {METRIC: its.labels["metric"]}
    if not labels:
        raise InvalidInput("alert", "names no device and no series that could be left out of training")
    same = (FeedbackMarkRow.alert_id == alert_id,)
    end_at = its.resolved_at or utc_now()
    return _mark(viewer, _Subject(labels, its.active_at, end_at, score, alert_id=alert_id, same=same), verdict, note)


def mark_series(
    viewer: Viewer, labels: Mapping[str, str], start_at: datetime, end_at: datetime, verdict: Verdict, *, note: str = ""
) -> Mark:
    """A verdict on a stretch of one series, also where no anomaly was found. Raises NotFound, InvalidInput."""
    require(viewer, WRITE, NOUN)
    length_ms = (end_at - start_at).total_seconds() * 1000
    if not 0 <= length_ms <= LONGEST_MS:
        raise InvalidInput("end", "must lie behind `start`, by 31 days at most")
    score = highest_score(viewer.tenant, labels, start_at, end_at)
    same = (FeedbackMarkRow.labels == dict(labels), FeedbackMarkRow.start_at == start_at)
    return _mark(viewer, _Subject(labels, start_at, end_at, score, same=same), verdict, note)


def mark_point(
    viewer: Viewer, labels: Mapping[str, str], at: datetime, verdict: Verdict, *, step: timedelta, note: str = ""
) -> Mark:
    """A verdict on a point of a chart with such steps: on the anomaly that was found there, else on the stretch around.

    Raises NotFound, Conflict if it is given.
    """
    its = point(viewer, labels, at, step=step)
    if its.anomaly is not None:
        return mark_anomaly(viewer, its.anomaly.id, verdict, note=note)
    return mark_series(viewer, labels, its.start_at, its.end_at, verdict, note=note)


def undo(viewer: Viewer, mark_id: int) -> Mark:
    """Take a verdict back, and what it did to the sensitivity; one in whose place it was put stands again.

    Raises NotFound, Conflict if that was done.
    """
    require(viewer, WRITE, NOUN)
    query = select(FeedbackMarkRow).where(FeedbackMarkRow.tenant_id == viewer.tenant, FeedbackMarkRow.id == mark_id)
    with tenant_session(viewer.tenant) as session:
        settings = _settings(session, viewer.tenant)
        row = session.scalar(query)
        if row is None:
            raise NotFound(f"There is no mark {mark_id}.")
        if row.undone_at is not None:
            raise Conflict(f"This verdict was taken back by {row.undone_by} before.")
        _take_back(session, viewer, settings, row)
        replaced = session.get(FeedbackMarkRow, row.replaced_id) if row.replaced_id is not None else None
        if replaced is not None:
            _put_back(session, viewer, settings, replaced)
        return mark_of(row)


def _mark(viewer: Viewer, subject: _Subject, verdict: Verdict, note: str) -> Mark:
    note = note.replace("\0", "").strip()
    if len(note) > MAX_NOTE:
        raise InvalidInput("note", f"is longer than {MAX_NOTE} characters")
    standing = select(FeedbackMarkRow).where(
        FeedbackMarkRow.tenant_id == viewer.tenant, FeedbackMarkRow.undone_at.is_(None), *subject.same
    )
    now = utc_now()
    with tenant_session(viewer.tenant) as session:
        settings = _settings(session, viewer.tenant)
        replaced = session.scalar(standing.order_by(FeedbackMarkRow.id.desc()))
        if replaced is not None:
            if replaced.verdict == verdict:
                raise Conflict(f"{replaced.made_by} has said {verdict} of this already.")
            _take_back(session, viewer, settings, replaced)
        step = step_of(verdict, subject.score, settings.steps)
        settings.steps, settings.changed_at = settings.steps + step, now
        made = FeedbackMarkRow(
            tenant_id=viewer.tenant,
            anomaly_id=subject.anomaly_id,
            alert_id=subject.alert_id,
            labels=dict(subject.labels),
            start_at=subject.start_at,
            end_at=subject.end_at,
            score=subject.score,
            verdict=verdict,
            note=note,
            step=step,
            replaced_id=None if replaced is None else replaced.id,
            made_by=viewer.name,
            made_at=now,
        )
        session.add(made)
        session.flush()
        session.refresh(made)
        _audit(session, viewer, f"mark {verdict}", made, settings)
        return mark_of(made)


def _take_back(session: Session, viewer: Viewer, settings: DetectionSettingsRow, row: FeedbackMarkRow) -> None:
    now = utc_now()
    row.undone_at, row.undone_by = now, viewer.name
    settings.steps, settings.changed_at = settings.steps - row.step, now
    session.flush()
    _audit(session, viewer, "undo mark", row, settings)


def _put_back(session: Session, viewer: Viewer, settings: DetectionSettingsRow, row: FeedbackMarkRow) -> None:
    """A verdict stands again, and moves the sensitivity as far as it did."""
    row.undone_at, row.undone_by = None, ""
    settings.steps = settings.steps + row.step
    session.flush()
    _audit(session, viewer, "put mark back", row, settings)


def _audit(session: Session, viewer: Viewer, action: str, row: FeedbackMarkRow, settings: DetectionSettingsRow) -> None:
    about = {"anomaly": row.anomaly_id, "alert": row.alert_id, "labels": row.labels, "note": row.note}
    after = {name: value for name, value in about.items() if value} | {"verdict": row.verdict, "steps": settings.steps}
    record(session, viewer, action=action, noun=NOUN, object_id=row.id, after=after)


def _settings(session: Session, tenant: TenantId) -> DetectionSettingsRow:
    """The tenant's row, locked: verdicts of two people move it one after the other."""
    made = insert(DetectionSettingsRow).values(tenant_id=tenant, steps=0, changed_at=utc_now())
    session.execute(made.on_conflict_do_nothing())
    query = select(DetectionSettingsRow).where(DetectionSettingsRow.tenant_id == tenant).with_for_update()
    return session.scalars(query).one()
