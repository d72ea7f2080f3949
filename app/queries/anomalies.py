"""Anomalies as people and programs ask for them: the newest first, by series, device, time and score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, or_, select, tuple_

from app.auth.permissions import require
from app.domain.alerting.anomaly_rules import KIND, Unusual
from app.domain.anomaly.base import View
from app.domain.anomaly.found import Anomaly
from app.domain.anomaly.verdicts import Verdict
from app.domain.labels import labels_of
from app.domain.tenancy import READ, TenantId, Viewer
from app.errors import NotFound
from app.tsdb.places import Place
from models.alerting import AlertRow, RuleRow
from models.anomalies import AnomalyRow
from models.feedback import FeedbackMarkRow
from models.session import tenant_session

NOUN = "anomalies"
# An alert comes at the next cycle, and when a tenant is behind some cycles later.
RAISED_WITHIN: Final = timedelta(minutes=15)


@dataclass(frozen=True)
class AnomalyFilter:
    """Which anomalies; an empty field does not matter. Those count that lie in [since, until) with any part."""

    metric: str = ""
    device: str = ""
    interface: str = ""
    least_score: float = 1.0
    since: datetime | None = None
    until: datetime | None = None
    view: str = ""
    text: str = ""  # looked for in metric, device and interface
    verdict: str = ""  # expected | real | none


def anomalies(
    viewer: Viewer,
    wanted: AnomalyFilter = AnomalyFilter(),
    *,
    before: tuple[datetime, int] | None = None,
    limit: int = 100,
) -> list[Anomaly]:
    """The newest first, at most `limit` of those that began before the one of that start and id."""
    require(viewer, READ, NOUN)
    # Uses anomalies_recent_idx backwards, or anomalies_device_idx.
    query = select(AnomalyRow).where(AnomalyRow.tenant_id == viewer.tenant, AnomalyRow.score >= wanted.least_score)
    equal = (
        (AnomalyRow.metric, wanted.metric),
        (AnomalyRow.device_name, wanted.device),
        (AnomalyRow.interface_name, wanted.interface),
    )
    for column, value in equal:
        if value:
            query = query.where(column == value)
    query = query.where(*_more(viewer, wanted))
    if wanted.since is not None:
        query = query.where(AnomalyRow.last_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(AnomalyRow.started_at < wanted.until)
    if before is not None:
        query = query.where(tuple_(AnomalyRow.started_at, AnomalyRow.id) < before)
    with tenant_session(viewer.tenant) as session:
        rows = session.scalars(query.order_by(AnomalyRow.started_at.desc(), AnomalyRow.id.desc()).limit(limit))
        return [anomaly_of(row) for row in rows]


def related(viewer: Viewer, its: Anomaly, *, within: timedelta, limit: int = 6) -> list[Anomaly]:
    """The other anomalies of the same device that began near it in time, the worst first."""
    require(viewer, READ, NOUN)
    if not its.device:
        return []
    # Uses anomalies_device_idx.
    query = select(AnomalyRow).where(
        AnomalyRow.tenant_id == viewer.tenant,
        AnomalyRow.device_name == its.device,
        AnomalyRow.started_at.between(its.started_at - within, its.last_at + within),
        AnomalyRow.id != its.id,
        AnomalyRow.score >= 1.0,
    )
    with tenant_session(viewer.tenant) as session:
        return [anomaly_of(row) for row in session.scalars(query.order_by(AnomalyRow.score.desc()).limit(limit))]


def alert_of_anomaly(viewer: Viewer, its: Anomaly) -> int | None:
    """The alert that a rule raised for it, the newest if there are several; None where there is none."""
    require(viewer, READ, "alerts")
    # Uses alerts_recent_idx.
    query = (
        select(AlertRow.id)
        .join(RuleRow, RuleRow.id == AlertRow.rule_id)
        .where(
            AlertRow.tenant_id == viewer.tenant,
            RuleRow.kind == KIND,
            AlertRow.device_name == its.device,
            AlertRow.interface_name == its.interface,
            AlertRow.labels["metric"].astext == its.metric,
            AlertRow.fired_at.between(its.started_at, its.last_at + RAISED_WITHIN),
        )
        .order_by(AlertRow.fired_at.desc())
        .limit(1)
    )
    with tenant_session(viewer.tenant) as session:
        return session.scalar(query)


def places_of(viewer: Viewer, anomaly_ids: Sequence[int]) -> dict[int, Place]:
    """Where the series of these anomalies are stored."""
    require(viewer, READ, NOUN)
    query = select(AnomalyRow.id, AnomalyRow.group_id, AnomalyRow.slot).where(
        AnomalyRow.tenant_id == viewer.tenant, AnomalyRow.id.in_(anomaly_ids)
    )
    with tenant_session(viewer.tenant) as session:
        return {row.id: (row.group_id, row.slot) for row in session.execute(query)}


def anomaly(viewer: Viewer, anomaly_id: int) -> Anomaly:
    """One of them; raises NotFound."""
    require(viewer, READ, NOUN)
    query = select(AnomalyRow).where(AnomalyRow.tenant_id == viewer.tenant, AnomalyRow.id == anomaly_id)
    with tenant_session(viewer.tenant) as session:
        row = session.scalar(query)
        if row is None:
            raise NotFound(f"There is no anomaly {anomaly_id}.")
        return anomaly_of(row)


def _more(viewer: Viewer, wanted: AnomalyFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.view:
        known = {view.name.lower(): view for view in View}
        conditions.append(AnomalyRow.view == known.get(wanted.view, -1))
    if wanted.text:
        columns = (AnomalyRow.metric, AnomalyRow.device_name, AnomalyRow.interface_name)
        conditions.append(or_(*(column.icontains(wanted.text, autoescape=True) for column in columns)))
    if wanted.verdict:
        standing = select(FeedbackMarkRow.id).where(
            FeedbackMarkRow.tenant_id == viewer.tenant,
            FeedbackMarkRow.anomaly_id == AnomalyRow.id,
            FeedbackMarkRow.undone_at.is_(None),
        )
        is_none = wanted.verdict == "none"
        if not is_none:
            standing = standing.where(FeedbackMarkRow.verdict == wanted.verdict)
        conditions.append(~standing.exists() if is_none else standing.exists())
    return conditions


def is_expected(tenant: TenantId) -> ColumnElement[bool]:
    """Whether somebody said of an anomaly of the outer query that it was expected: it raises no alert."""
    said = select(FeedbackMarkRow.id).where(
        FeedbackMarkRow.tenant_id == tenant,
        FeedbackMarkRow.anomaly_id == AnomalyRow.id,
        FeedbackMarkRow.verdict == Verdict.EXPECTED,
        FeedbackMarkRow.undone_at.is_(None),
    )
    return said.exists()


def anomaly_of(row: AnomalyRow) -> Anomaly:
    """The domain's anomaly of a row."""
    view = View(row.view)
    return Anomaly(
        id=row.id,
        metric=row.metric,
        labels=row.labels,
        device=row.device_name,
        interface=row.interface_name,
        started_at=row.started_at,
        last_at=row.last_at,
        peak_at=row.peak_at,
        score=row.score,
        value=row.value,
        is_rate=row.is_rate,
        expected_lo=row.expected_lo,
        expected_hi=row.expected_hi,
        nearest=row.nearest,
        view=view.name.lower(),
        why=view.sentence,
        points=row.points,
    )


def unusual_of(row: AnomalyRow) -> Unusual:
    """What rules see of an anomaly."""
    return Unusual(
        labels=labels_of(row.labels),
        score=row.score,
        value=row.value,
        expected_lo=row.expected_lo,
        expected_hi=row.expected_hi,
        nearest=row.nearest,
        why=View(row.view).sentence,
        source=row.source,
    )
