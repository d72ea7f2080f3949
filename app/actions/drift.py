"""Looking for drift: how the models in service hold, what of their inputs has moved, how much detection finds.

A look that is past its bound queues a training, once: the same measure of the same family not again for a week.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
from sqlalchemy import delete, func, select

from app.actions.models import begin_run
from app.domain.forecast.families import family_of
from app.domain.mlmodels import sample, stability
from app.domain.mlmodels.drift import DAYS, Look, Measure
from app.domain.mlmodels.model import GLOBAL_BOOSTING, Stage, Why
from app.domain.mlmodels.stability import Reference
from app.domain.tenancy import TenantId
from app.tsdb import hourly
from app.tsdb.hourly import HOUR_MS, Member
from models.anomalies import AnomalyRow
from models.forecasts import ForecastQualityRow
from models.mlmodels import DriftRow, ModelRow
from models.session import tenant_connection, tenant_session

log = logging.getLogger(__name__)

SEASON: Final = 24
# So many series of a family are looked at; three weeks of features behind each hour of the last week.
LOOKED_AT: Final = 300
LOOKED_BACK_HOURS: Final = 29 * SEASON
STABILITY_EACH: Final = timedelta(days=7)
ALERT_DAYS: Final = 7
# Of fewer hours a share says nothing.
FEWEST_POINTS: Final = 500
ONE_TRAINING_IN: Final = timedelta(days=7)
KEPT: Final = timedelta(days=180)


def check(tenant: TenantId, now: datetime) -> tuple[list[Look], int | None]:
    """Look at every family with a model in service; answers the looks, and the training that was begun for them."""
    references = _references(tenant)
    if not references:
        return [], None
    with tenant_connection(tenant) as connection:
        members = hourly.by_family(hourly.all_groups(connection, tenant))
    looks = _alert_rates(tenant, {family: len(its) for family, its in members.items() if family in references}, now)
    looks += [look for look in _forecasts(tenant, now) if look.family in references]
    for family, reference in references.items():
        if _is_due(tenant, family, now) and members.get(family):
            looks += _stability(tenant, family, reference, members[family], now)
    run_id = _train_if_needed(tenant, looks, now)
    _save(tenant, looks, now, run_id)
    return looks, run_id


def _references(tenant: TenantId) -> dict[str, Reference]:
    query = select(ModelRow.family, ModelRow.reference).where(
        ModelRow.tenant_id == tenant, ModelRow.stage == Stage.CHAMPION, ModelRow.kind == GLOBAL_BOOSTING
    )
    with tenant_session(tenant) as session:
        return {family: Reference.from_document(its) for family, its in session.execute(query) if its}


def _alert_rates(tenant: TenantId, series: Mapping[str, int], now: datetime) -> list[Look]:
    """Anomalies of a series in a day, over the last week."""
    query = (
        select(AnomalyRow.metric, func.count())
        .where(
            AnomalyRow.tenant_id == tenant,
            AnomalyRow.score >= 1.0,
            AnomalyRow.started_at >= now - timedelta(days=ALERT_DAYS),
        )
        .group_by(AnomalyRow.metric)
    )
    counts: dict[str, int] = {}
    with tenant_session(tenant) as session:
        for metric, count in session.execute(query):
            family = family_of(metric)
            counts[family] = counts.get(family, 0) + count
    return [
        Look(
            family,
            Measure.ALERT_RATE,
            counts.get(family, 0) / size / ALERT_DAYS,
            f"{counts.get(family, 0)} anomalies of {size} series in {ALERT_DAYS} days",
        )
        for family, size in series.items()
    ]


def _forecasts(tenant: TenantId, now: datetime) -> list[Look]:
    """How forecasts of the last two weeks held against what came, by family; where enough came to say so."""
    its = ForecastQualityRow
    query = (
        select(
            its.family,
            func.sum(its.points),
            func.sum(its.inside95),
            func.sum(its.error),
            func.sum(its.naive_error),
        )
        .where(its.tenant_id == tenant, its.is_backtest.is_(False), its.made_at >= now - timedelta(days=DAYS))
        .group_by(its.family)
    )
    with tenant_session(tenant) as session:
        rows = session.execute(query).all()
    looks = []
    for family, points, inside, error, naive_error in rows:
        if points >= FEWEST_POINTS:
            note = f"{int(points):,} hours of series in {DAYS} days"
            looks.append(Look(family, Measure.COVERAGE, float(inside) / float(points), note))
            if naive_error > 0:
                looks.append(Look(family, Measure.AGAINST_NAIVE, float(error) / float(naive_error), note))
    return looks


def _is_due(tenant: TenantId, family: str, now: datetime) -> bool:
    """Whether the inputs were not looked at this week, or not since this model is in service."""
    looked = select(func.max(DriftRow.at)).where(
        DriftRow.tenant_id == tenant, DriftRow.family == family, DriftRow.measure == Measure.STABILITY
    )
    promoted = select(func.max(ModelRow.promoted_at)).where(
        ModelRow.tenant_id == tenant, ModelRow.family == family, ModelRow.stage == Stage.CHAMPION
    )
    with tenant_session(tenant) as session:
        at, since = session.scalar(looked), session.scalar(promoted)
    return at is None or now - at >= STABILITY_EACH or (since is not None and since > at)


def _stability(
    tenant: TenantId, family: str, reference: Reference, members: Sequence[Member], now: datetime
) -> list[Look]:
    """How far the family's features of the last week are from those of training; nothing where nothing moves."""
    chosen = sample.split([its.labels for its in members], quota=LOOKED_AT).learned
    end_ms = int(now.timestamp() * 1000) // HOUR_MS * HOUR_MS
    with tenant_connection(tenant) as connection:
        hours = hourly.read(
            connection,
            tenant,
            hourly.grouped([members[place] for place in chosen]),
            start_ms=end_ms - LOOKED_BACK_HOURS * HOUR_MS,
            end_ms=end_ms,
        )
    moving = sample.moving(hours.values, hours=7 * SEASON, season=SEASON)
    if not moving.any():
        return []
    index = stability.index_of(reference, hours.values[moving], season=SEASON)
    farthest = max(index, key=lambda name: index[name])
    value = float(np.mean(list(index.values())))
    note = f"farthest: {farthest}, {index[farthest]:.2f}; {int(moving.sum())} series"
    return [Look(family, Measure.STABILITY, value, note)]


def _train_if_needed(tenant: TenantId, looks: Sequence[Look], now: datetime) -> int | None:
    bad = [look for look in looks if look.is_drifting]
    if not bad:
        return None
    query = select(DriftRow.family, DriftRow.measure).where(
        DriftRow.tenant_id == tenant, DriftRow.run_id.is_not(None), DriftRow.at > now - ONE_TRAINING_IN
    )
    with tenant_session(tenant) as session:
        answered = {(family, measure) for family, measure in session.execute(query)}
    fresh = [look for look in bad if (look.family, look.measure) not in answered]
    if not fresh:
        return None
    note = ", ".join(f"{look.measure} of {look.family}: {look.value:.2f}" for look in fresh)
    log.warning("drift", extra={"tenant": tenant, "looks": note})
    return begin_run(tenant, Why.DRIFT, asked_by="drift", note=note)


def _save(tenant: TenantId, looks: Sequence[Look], now: datetime, run_id: int | None) -> None:
    with tenant_session(tenant) as session:
        session.execute(delete(DriftRow).where(DriftRow.tenant_id == tenant, DriftRow.at < now - KEPT))
        session.add_all(_row(tenant, look, now, run_id if look.is_drifting else None) for look in looks)


def _row(tenant: TenantId, look: Look, now: datetime, run_id: int | None) -> DriftRow:
    facts: dict[str, Any] = {"value": look.value, "bound": look.bound, "is_drifting": look.is_drifting}
    return DriftRow(
        tenant_id=tenant, family=look.family, measure=look.measure, at=now, note=look.note, run_id=run_id, **facts
    )
