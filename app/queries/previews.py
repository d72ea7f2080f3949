"""How often rules that watch anomalies would have fired, and what rules that watch capacity would tell of now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.auth.permissions import require
from app.domain.alerting import anomaly_rules, capacity_rules
from app.domain.alerting.anomaly_rules import AnomalyRule
from app.domain.alerting.capacity_rules import Filling
from app.domain.alerting.preview import Preview, Stretch, episodes_in
from app.domain.alerting.rules import Rule
from app.domain.anomaly.verdicts import multiplier
from app.domain.forecast.capacity_plan import NO_CHANCE, saying
from app.domain.labels import METRIC, labels_of, value_of
from app.domain.tenancy import READ, TenantId, Viewer
from app.promql.parse import parse_selector
from app.queries.anomalies import is_expected, unusual_of
from app.queries.feedback import steps_of
from models.anomalies import AnomalyRow
from models.capacity import CapacityItemRow, CapacityRunRow
from models.session import tenant_session

NOUN: Final = "rules"
# How far apart detection and capacity planning look.
SCORED_S: Final = 60
PLANNED_S: Final = 86_400
# What no run of capacity planning has seen for so long raises nothing.
FRESH_DAYS: Final = 7


def of_anomalies(viewer: Viewer, draft: Rule, *, start: datetime, end: datetime) -> Preview:
    """What `draft` would have raised of the stored anomalies with any part between two moments.

    As detection is now: with the tenant's sensitivity, and without what people said was expected. Raises QueryError
    for what is no selector.
    """
    require(viewer, READ, NOUN)
    # Uses anomalies_recent_idx: one that goes on for longer than a day before the start is not seen.
    query = select(AnomalyRow).where(
        AnomalyRow.tenant_id == viewer.tenant,
        AnomalyRow.started_at.between(start - timedelta(days=1), end),
        AnomalyRow.last_at >= start,
        ~is_expected(viewer.tenant),
    )
    criteria = anomaly_rules.criteria_of(draft.criteria)
    matchers = parse_selector(draft.expr)
    with tenant_session(viewer.tenant) as session:
        factor = multiplier(steps_of(session, viewer.tenant))
        watched = AnomalyRule(draft, matchers, replace(criteria, least_score=criteria.least_score * factor))
        rows = [row for row in session.scalars(query) if anomaly_rules.applies(watched, unusual_of(row))]
        stretches = [_stretch(row) for row in rows]
    series = len({its.labels for its in stretches})
    kept = replace(draft, keep_firing_for_s=anomaly_rules.kept_s(draft))
    return Preview(SCORED_S, series, tuple(episodes_in(kept, stretches, until=end)))


def of_capacity(viewer: Viewer, draft: Rule, *, now: datetime) -> Preview:
    """What `draft` would tell of by the newest run of capacity planning: all of it is open. Raises QueryError."""
    require(viewer, READ, NOUN)
    matchers, criteria = parse_selector(draft.expr), capacity_rules.criteria_of(draft.criteria)
    with tenant_session(viewer.tenant) as session:
        ran_at = session.scalar(select(CapacityRunRow.ran_at).where(CapacityRunRow.tenant_id == viewer.tenant))
        things = fillings(session, viewer.tenant, today=now.date())
    chosen = [its for its in things if all(each.matches(value_of(its.labels, each.name)) for each in matchers)]
    raised = capacity_rules.instances(draft, matchers, criteria, chosen)
    since = min(ran_at or now, now)
    stretches = [Stretch(its.labels, its.value, since, now) for its in raised.values()]
    # A rule of capacity holds from one run to the next: what it waits for is no part of the question.
    found = episodes_in(replace(draft, for_s=0.0), stretches, until=now)
    return Preview(PLANNED_S, len(chosen), tuple(found))


def fillings(session: Session, tenant: TenantId, *, today: date) -> list[Filling]:
    """Everything that may be full within a year, as the newest runs have said."""
    # Uses capacity_items_rank_idx: what has no chance at all is at the end of the order.
    query = select(CapacityItemRow).where(
        CapacityItemRow.tenant_id == tenant,
        CapacityItemRow.rank < NO_CHANCE,
        CapacityItemRow.last_day >= today - timedelta(days=FRESH_DAYS),
    )
    return [_filling(row) for row in session.scalars(query)]


def _filling(row: CapacityItemRow) -> Filling:
    chances: Sequence[float] = np.frombuffer(row.chances or b"", dtype="<f4").tolist()
    named = {**row.labels, "device": row.device_name, "kind": row.kind, "object": row.object}
    says = saying((row.d10, row.d50, row.d90), last_day=row.last_day, threshold=row.threshold)
    return Filling(labels_of(named), chances, says, row.now or 0.0)


def _stretch(row: AnomalyRow) -> Stretch:
    labels = labels_of({**row.labels, "metric": row.labels.get(METRIC, "")})
    return Stretch(labels, row.value, row.started_at.astimezone(UTC), row.last_at.astimezone(UTC))
