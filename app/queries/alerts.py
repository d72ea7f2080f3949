"""Alerts as people ask for them: the list, one alert with its timeline, counts, history, what else happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, case, func, or_, select

from app.auth.permissions import require
from app.clock import utc_now
from app.domain.alerting.alert import SEVERITIES, Alert, Severity, TimelineEntry
from app.domain.alerting.state import State
from app.domain.tenancy import READ, Viewer
from app.errors import NotFound
from models.alerting import AlertEventRow, AlertRow
from models.session import tenant_session

MOST: Final = 5000
BUCKET_S: Final = 900


@dataclass(frozen=True)
class AlertFilter:
    """Which alerts, in which order. Empty sets and texts do not narrow; `states` empty means firing.

    `text` is looked for in name, summary, device and interface. `since`: began at or after.
    `order`: severity (then newest), newest, oldest or device. `after_id`: for paging by id, newest first.
    """

    severities: frozenset[Severity] = frozenset()
    states: frozenset[State] = frozenset()
    needs_action: bool = False
    is_mine: bool = False
    is_snoozed: bool | None = None
    site: str = ""
    device: str = ""
    interface: str = ""
    rule_id: int | None = None
    text: str = ""
    since: datetime | None = None
    order: str = "severity"
    before_id: int | None = None
    limit: int = MOST


@dataclass(frozen=True)
class HistoryBucket:
    """How many alerts began in the `bucket_s` seconds from `at` on, by severity."""

    at: datetime
    counts: Mapping[Severity, int]


def open_alerts(viewer: Viewer, filters: AlertFilter) -> list[Alert]:
    """The alerts that satisfy `filters`, at most `filters.limit`."""
    require(viewer, READ, "alerts")
    query = select(AlertRow).where(AlertRow.tenant_id == viewer.tenant, *_conditions(viewer, filters, utc_now()))
    query = query.order_by(*_order(filters)).limit(min(filters.limit, MOST))
    with tenant_session(viewer.tenant) as session:
        return [alert_of(row) for row in session.scalars(query)]


def alert(viewer: Viewer, alert_id: int) -> Alert:
    """One alert, open or resolved; raises NotFound."""
    require(viewer, READ, "alerts")
    query = select(AlertRow).where(AlertRow.tenant_id == viewer.tenant, AlertRow.id == alert_id)
    with tenant_session(viewer.tenant) as session:
        row = session.scalar(query)
        if row is None:
            raise NotFound(f"There is no alert {alert_id}.")
        return alert_of(row)


def timeline(viewer: Viewer, alert_id: int) -> list[TimelineEntry]:
    """What happened to an alert, oldest first; raises NotFound."""
    alert(viewer, alert_id)
    query = (
        select(AlertEventRow)
        .where(AlertEventRow.tenant_id == viewer.tenant, AlertEventRow.alert_id == alert_id)
        .order_by(AlertEventRow.at, AlertEventRow.id)
    )
    with tenant_session(viewer.tenant) as session:
        return [
            TimelineEntry(row.id, row.at, row.kind, row.actor, row.text, row.details) for row in session.scalars(query)
        ]


def counts(viewer: Viewer) -> dict[Severity, int]:
    """How many alerts fire now, by severity, worst first; every severity is present."""
    require(viewer, READ, "alerts")
    query = (
        select(AlertRow.severity, func.count())
        .where(AlertRow.tenant_id == viewer.tenant, AlertRow.state == State.FIRING)
        .group_by(AlertRow.severity)
    )
    with tenant_session(viewer.tenant) as session:
        found = {Severity(severity): count for severity, count in session.execute(query)}
    return {severity: found.get(severity, 0) for severity in SEVERITIES}


def triage_counts(viewer: Viewer) -> dict[str, int]:
    """How many alerts each view of the triage page holds: firing, needs_action, mine, snoozed, pending."""
    require(viewer, READ, "alerts")
    now = utc_now()
    firing = AlertRow.state == State.FIRING
    views: dict[str, ColumnElement[bool]] = {
        "firing": firing,
        "needs_action": and_(firing, *_needs_action(now)),
        "mine": and_(firing, AlertRow.assigned_to == (viewer.user_id or 0)),
        "snoozed": and_(firing, AlertRow.snoozed_until > now),
        "pending": AlertRow.state == State.PENDING,
    }
    columns = [func.count().filter(condition) for condition in views.values()]
    query = select(*columns).where(AlertRow.tenant_id == viewer.tenant, AlertRow.state != State.RESOLVED)
    with tenant_session(viewer.tenant) as session:
        return dict(zip(views, session.execute(query).one(), strict=True))


def history(viewer: Viewer, *, start: datetime, end: datetime, bucket_s: int = BUCKET_S) -> list[HistoryBucket]:
    """How many alerts began firing in each bucket of [start, end), by severity; empty buckets are present.

    Buckets are whole multiples of `bucket_s` since 1970.
    """
    require(viewer, READ, "alerts")
    bucket = func.floor(func.extract("epoch", AlertRow.fired_at) / bucket_s)
    query = (
        select(bucket, AlertRow.severity, func.count())
        .where(AlertRow.tenant_id == viewer.tenant, AlertRow.fired_at >= start, AlertRow.fired_at < end)
        .group_by(bucket, AlertRow.severity)
    )
    found: dict[int, dict[Severity, int]] = {}
    with tenant_session(viewer.tenant) as session:
        for index, severity, count in session.execute(query):
            found.setdefault(int(index), {})[Severity(severity)] = count
    first, last = int(start.timestamp()) // bucket_s, -(-int(end.timestamp()) // bucket_s)
    return [
        HistoryBucket(
            datetime.fromtimestamp(index * bucket_s, UTC),
            {severity: found.get(index, {}).get(severity, 0) for severity in SEVERITIES},
        )
        for index in range(first, last)
    ]


def episodes(viewer: Viewer, fingerprint: str, *, since: datetime) -> list[Alert]:
    """The earlier and present episodes of one label set that began since then, newest first."""
    require(viewer, READ, "alerts")
    query = (
        select(AlertRow)
        .where(AlertRow.tenant_id == viewer.tenant, AlertRow.fingerprint == fingerprint, AlertRow.active_at >= since)
        .order_by(AlertRow.active_at.desc())
        .limit(200)
    )
    with tenant_session(viewer.tenant) as session:
        return [alert_of(row) for row in session.scalars(query)]


def alert_of(row: AlertRow) -> Alert:
    """The domain's alert of a row."""
    return Alert(
        id=row.id,
        rule_id=row.rule_id,
        fingerprint=row.fingerprint,
        name=row.name,
        severity=Severity(row.severity),
        alert_class=row.alert_class,
        state=State(row.state),
        labels=row.labels,
        annotations=row.annotations,
        summary=row.summary,
        value=row.value,
        device_id=row.device_id,
        device=row.device_name,
        interface=row.interface_name,
        site=row.site_name,
        active_at=row.active_at,
        fired_at=row.fired_at,
        keep_firing_since=row.keep_firing_since,
        resolved_at=row.resolved_at,
        resolved_by=row.resolved_by,
        evaluated_at=row.evaluated_at,
        acknowledged_at=row.acknowledged_at,
        acknowledged_by=row.acknowledged_by,
        assigned_to=row.assigned_to,
        assigned_name=row.assigned_name,
        snoozed_until=row.snoozed_until,
        version=row.version,
        source=row.source,
        ends_at=row.ends_at,
    )


def _conditions(viewer: Viewer, filters: AlertFilter, now: datetime) -> list[ColumnElement[bool]]:
    states = filters.states or {State.FIRING}
    conditions: list[ColumnElement[bool]] = [AlertRow.state.in_(states)]
    if filters.severities:
        conditions.append(AlertRow.severity.in_(filters.severities))
    if filters.needs_action:
        conditions += [AlertRow.state == State.FIRING, *_needs_action(now)]
    if filters.is_mine:
        conditions.append(AlertRow.assigned_to == (viewer.user_id or 0))
    if filters.is_snoozed is not None:
        awake = or_(AlertRow.snoozed_until.is_(None), AlertRow.snoozed_until <= now)
        conditions.append(~awake if filters.is_snoozed else awake)
    equal = (
        (AlertRow.site_name, filters.site),
        (AlertRow.device_name, filters.device),
        (AlertRow.interface_name, filters.interface),
    )
    conditions += [column == value for column, value in equal if value]
    if filters.rule_id is not None:
        conditions.append(AlertRow.rule_id == filters.rule_id)
    if filters.text:
        columns = (AlertRow.name, AlertRow.summary, AlertRow.device_name, AlertRow.interface_name)
        conditions.append(or_(*(column.icontains(filters.text, autoescape=True) for column in columns)))
    if filters.since is not None:
        conditions.append(func.coalesce(AlertRow.fired_at, AlertRow.active_at) >= filters.since)
    if filters.before_id is not None:
        conditions.append(AlertRow.id < filters.before_id)
    return conditions


def _needs_action(now: datetime) -> list[ColumnElement[bool]]:
    return [
        AlertRow.acknowledged_at.is_(None),
        AlertRow.assigned_to.is_(None),
        or_(AlertRow.snoozed_until.is_(None), AlertRow.snoozed_until <= now),
    ]


def _order(filters: AlertFilter) -> Sequence[Any]:
    newest = func.coalesce(AlertRow.fired_at, AlertRow.active_at).desc()
    match filters.order:
        case "newest":
            return (newest, AlertRow.id.desc())
        case "oldest":
            return (func.coalesce(AlertRow.fired_at, AlertRow.active_at), AlertRow.id)
        case "device":
            return (AlertRow.device_name, AlertRow.interface_name, AlertRow.id)
        case "id":
            return (AlertRow.id.desc(),)
    rank = case({severity: severity.rank for severity in SEVERITIES}, value=AlertRow.severity, else_=len(SEVERITIES))
    return (rank, newest, AlertRow.device_name, AlertRow.interface_name, AlertRow.id)
