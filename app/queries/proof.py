"""How good detection and forecasts are: what was injected on purpose beside what was found and what was said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.auth.permissions import require
from app.domain.alerting import anomaly_rules
from app.domain.alerting.anomaly_rules import AnomalyRule, Unusual
from app.domain.anomaly.base import Profile
from app.domain.anomaly.profiles import boundary
from app.domain.anomaly.verdicts import multiplier
from app.domain.injections import NEVER, Comparison, Family, Found, Injection, compared
from app.domain.tenancy import READ, TenantId, Viewer
from app.promql.parse import parse_selector
from app.queries.anomalies import unusual_of
from app.queries.feedback import steps_of
from app.queries.rules import rule_of
from models.alerting import RuleRow
from models.anomalies import AnomalyRow, DetectorStateRow
from models.capacity import CapacityItemRow
from models.injections import InjectionRow
from models.session import tenant_session

NOUN = "proof"
# The newest so many of a time are compared.
MOST_ANOMALIES = 20_000
# What capacity planning calls a thing by, beside its device; a growth that names none is the only one of its kind.
OBJECT = "ifName"


@dataclass(frozen=True)
class Foreseen:
    """Something that grows: when it is full (None: never), and the dates between which that was expected.

    `early` and `late` are the 10 and 90 % quantiles; None: beyond a year. `is_said` is False while nothing is said.
    """

    growth: Injection
    full_at: datetime | None
    is_said: bool
    early: datetime | None
    late: datetime | None

    @property
    def is_held(self) -> bool | None:
        """Whether the day lies in the range; None while nothing is said."""
        if not self.is_said:
            return None
        if self.full_at is None:
            return self.late is None
        is_early_enough = self.early is not None and self.early <= self.full_at
        return is_early_enough and (self.late is None or self.full_at <= self.late)


@dataclass(frozen=True)
class Proof:
    """The comparison since a moment. `judged_to`: up to where detection came; what began later is in `open`.

    `boundaries` are the scores from which each profile calls something an anomaly, in this tenant.
    """

    since: datetime
    judged_to: datetime | None
    boundaries: Mapping[Profile, float]
    by_profile: Mapping[Profile, Comparison]
    by_rules: Comparison  # of what the tenant's anomaly rules, as they are now, would tell of
    open: Sequence[Injection]
    growth: Sequence[Foreseen]
    series: int  # that detection looks at
    days: int
    is_cut: bool  # there are more anomalies than were compared

    def weekly_rate(self, its: Comparison) -> float | None:
        """False alarms of one series in a week; None before any is looked at."""
        return len(its.false_alarms) / self.series * 7 / self.days if self.series else None

    @property
    def is_empty(self) -> bool:
        """Whether nothing was injected."""
        return not (self.open or self.growth or any(its.outcomes for its in self.by_profile.values()))


def proof(viewer: Viewer, *, now: datetime, days: int = 7) -> Proof:
    """Compare the last `days` days of the viewer's tenant, and everything that grows."""
    require(viewer, READ, NOUN)
    since = now - timedelta(days=days)
    with tenant_session(viewer.tenant) as session:
        log = _log(session, viewer.tenant, since)
        rows = _found(session, viewer.tenant, since)
        judged_to, series = _judged(session, viewer.tenant)
        factor = multiplier(steps_of(session, viewer.tenant))
        rules = _rules(session, viewer.tenant, factor)
        growth = _growth(session, viewer.tenant)
    known = [each for each in log if judged_to is not None and each.started_at <= judged_to]
    later = [each for each in log if each.family is Family.ODDITY and each not in known]
    anomalies = [found for found, _ in rows]
    told = [found for found, its in rows if any(anomaly_rules.applies(rule, its) for rule in rules)]
    boundaries = {profile: boundary(profile, multiplier=factor) for profile in Profile}
    return Proof(
        since=since,
        judged_to=judged_to,
        boundaries=boundaries,
        by_profile={
            profile: compared(known, anomalies, boundary=least) if known else Comparison((), 0, 0, ())
            for profile, least in boundaries.items()
        },
        by_rules=compared(known, told, boundary=0.0),
        open=later,
        growth=growth,
        series=series,
        days=days,
        is_cut=len(anomalies) == MOST_ANOMALIES,
    )


def _log(session: Session, tenant: TenantId, since: datetime) -> list[Injection]:
    # Uses injections_time_idx.
    query = select(InjectionRow).where(
        InjectionRow.tenant_id == tenant,
        InjectionRow.family != Family.GROWTH.value,
        InjectionRow.started_at >= since,
    )
    return [_injection(row) for row in session.scalars(query.order_by(InjectionRow.started_at))]


def _found(session: Session, tenant: TenantId, since: datetime) -> list[tuple[Found, Unusual]]:
    """The newest anomalies, and what rules see of each."""
    # Uses anomalies_recent_idx backwards.
    query = select(AnomalyRow).where(AnomalyRow.tenant_id == tenant, AnomalyRow.started_at >= since)
    rows = session.scalars(query.order_by(AnomalyRow.started_at.desc()).limit(MOST_ANOMALIES))
    return [(Found(row.metric, row.labels, row.started_at, row.last_at, row.score), unusual_of(row)) for row in rows]


def _rules(session: Session, tenant: TenantId, factor: float) -> list[AnomalyRule]:
    """The anomaly rules that are on, and work."""
    found = []
    query = select(RuleRow).where(
        RuleRow.tenant_id == tenant, RuleRow.kind == anomaly_rules.KIND, RuleRow.is_enabled, RuleRow.health != "error"
    )
    for row in session.scalars(query):
        criteria = anomaly_rules.criteria_of(row.criteria)
        criteria = replace(criteria, least_score=criteria.least_score * factor)
        found.append(AnomalyRule(rule_of(row), parse_selector(row.expr), criteria))
    return found


def _judged(session: Session, tenant: TenantId) -> tuple[datetime | None, int]:
    """Up to where every group is scored, None before the first; and how many series there are in all of them."""
    state = DetectorStateRow
    query = select(func.min(state.scored_to), func.coalesce(func.sum(state.slots), 0)).where(state.tenant_id == tenant)
    scored_to, series = session.execute(query).one()
    return scored_to, int(series)


def _growth(session: Session, tenant: TenantId) -> list[Foreseen]:
    query = select(InjectionRow).where(InjectionRow.tenant_id == tenant, InjectionRow.family == Family.GROWTH.value)
    grown = [_injection(row) for row in session.scalars(query.order_by(InjectionRow.ended_at, InjectionRow.ref))]
    devices = {each.labels.get("device", "") for each in grown}
    items = select(CapacityItemRow).where(CapacityItemRow.tenant_id == tenant, CapacityItemRow.device_name.in_(devices))
    said = list(session.scalars(items)) if grown else []
    return [_foreseen(each, said) for each in grown]


def _foreseen(growth: Injection, said: Sequence[CapacityItemRow]) -> Foreseen:
    wanted = growth.labels.get(OBJECT)
    its = [
        row
        for row in said
        if row.kind == growth.kind
        and row.device_name == growth.labels.get("device")
        and (wanted is None or row.object == wanted)
        # A day on which another threshold is reached is another day.
        and abs(row.threshold - growth.magnitude) < 0.01
        and row.p30 is not None
    ]
    full_at = None if growth.ended_at == NEVER else growth.ended_at
    if not its:
        return Foreseen(growth, full_at, False, None, None)
    return Foreseen(growth, full_at, True, _date(its[0], its[0].d10), _date(its[0], its[0].d90))


def _date(row: CapacityItemRow, day: float | None) -> datetime | None:
    """The midnight of a day that is counted from the day after the last one seen."""
    if day is None:
        return None
    return datetime.combine(row.last_day + timedelta(days=1 + int(day)), time(0), UTC)


def _injection(row: InjectionRow) -> Injection:
    return Injection(
        ref=row.ref,
        family=Family(row.family),
        kind=row.kind,
        metric=row.metric,
        labels=row.labels,
        affected=row.affected,
        started_at=row.started_at,
        ended_at=row.ended_at,
        magnitude=row.magnitude,
    )
