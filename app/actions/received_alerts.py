"""Alerts that others raise and send: each becomes an alert of the tenant, and ends as it does in Alertmanager.

An alert ends when it is sent with an end that has passed, or when its end passes and nobody has sent it again. Sending
the same alert again changes nothing that people see.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, func, or_, select, text
from sqlalchemy.orm import Session

from app import jobs, selfmetrics
from app.actions.outbox import plan
from app.actions.transitions import Change, News, add_events, event_of, insert_alerts, tell
from app.auth.permissions import require
from app.domain.alerting.received import ReceivedAlert, instance_of, name_of
from app.domain.alerting.rules import AlertEvent, Instance
from app.domain.alerting.state import Reason, State
from app.domain.samples import Rejection
from app.domain.tenancy import INGEST, TenantId, Viewer
from app.valkey import valkey
from models.alerting import AlertRow
from models.inventory import DeviceRow
from models.session import platform_session, tenant_session

SOURCE: Final = "alertmanager"
MOST_OPEN: Final = 20_000
AT_LIMIT: Final = "the tenant is at its limit of open alerts"
NOT_SENT_AGAIN: Final = "it was not sent again"
ENDED: Final = "its sender says that it is over"
_ONE_BY_ONE: Final = text("select pg_advisory_xact_lock(hashtext('watchfloor received alerts'), :tenant)")
# Uses alerts_received_idx: open alerts of others are few.
_EXPIRED: Final = text("""
    select distinct tenant_id from alerts
    where source <> 'rule' and (state <> 'resolved' or is_held) and ends_at <= :now
""")
_EVENTS: Final[Mapping[Reason, tuple[str, AlertEvent | None]]] = {
    Reason.FIRED_AT_ONCE: ("fired", AlertEvent.FIRING),
    Reason.VANISHED: ("resolved", AlertEvent.RESOLVED),
    Reason.RELEASED: ("released", None),
}

Moved = tuple[AlertRow, Reason, str]


def receive(viewer: Viewer, alerts: Sequence[ReceivedAlert], *, now: datetime) -> list[Rejection]:
    """Take alerts as their sender says they are now; answers those that could not be taken."""
    require(viewer, INGEST, "alerts")
    if not alerts:
        return []
    latest = {instance_of(alert).fingerprint: alert for alert in alerts}
    rejected: list[Rejection] = []
    with tenant_session(viewer.tenant) as session:
        session.execute(_ONE_BY_ONE, {"tenant": viewer.tenant})
        known = _open_rows(session, viewer.tenant, list(latest))
        room = MOST_OPEN - _count_open(session, viewer.tenant)
        moved: list[Moved] = []
        for fingerprint, alert in latest.items():
            row = known.get(fingerprint)
            if row is not None:
                moved += _update(row, alert, now)
            elif alert.is_firing(now):
                if room <= 0:
                    rejected.append(Rejection(alert.index, AT_LIMIT))
                    continue
                room -= 1
                moved.append((_begin(viewer.tenant, alert, now), Reason.FIRED_AT_ONCE, alert.generator_url))
        news = _save(session, viewer.tenant, moved, now)
    tell(viewer.tenant, news)
    return rejected


def expire(tenant: TenantId, *, now: datetime) -> int:
    """End the alerts of a tenant whose end has passed; answers how many."""
    query = (
        select(AlertRow)
        .where(AlertRow.tenant_id == tenant, AlertRow.source == SOURCE, _is_open(), AlertRow.ends_at <= now)
        .order_by(AlertRow.id)
        .with_for_update()
    )
    with tenant_session(tenant) as session:
        session.execute(_ONE_BY_ONE, {"tenant": tenant})
        moved = [_end(row, row.ends_at or now, NOT_SENT_AGAIN, now) for row in session.scalars(query)]
        news = _save(session, tenant, moved, now)
    tell(tenant, news)
    return len(moved)


def enqueue_expired(now: datetime) -> int:
    """Put a job on the queue for each tenant with alerts whose end has passed; answers how many."""
    with platform_session() as session:
        tenants = list(session.scalars(_EXPIRED, {"now": now}))
    for tenant in tenants:
        if valkey().set(f"alerts:expire:{tenant}", 1, nx=True, ex=10):
            jobs.enqueue(jobs.EXPIRE, tenant=tenant)
    return len(tenants)


def _is_open() -> ColumnElement[bool]:
    return or_(AlertRow.state != State.RESOLVED, AlertRow.is_held)


def _open_rows(session: Session, tenant: TenantId, fingerprints: Sequence[str]) -> dict[str, AlertRow]:
    """The open and held alerts by fingerprint, locked: a person may be changing one right now."""
    query = (
        select(AlertRow)
        .where(
            AlertRow.tenant_id == tenant,
            AlertRow.source == SOURCE,
            _is_open(),
            AlertRow.fingerprint.in_(fingerprints),
        )
        .order_by(AlertRow.id)
        .with_for_update()
    )
    return {row.fingerprint: row for row in session.scalars(query)}


def _count_open(session: Session, tenant: TenantId) -> int:
    query = select(func.count()).where(AlertRow.tenant_id == tenant, AlertRow.source == SOURCE, _is_open())
    return session.scalar(query) or 0


def _begin(tenant: TenantId, alert: ReceivedAlert, now: datetime) -> AlertRow:
    instance = instance_of(alert)
    began_at = min(alert.starts_at, now)
    return AlertRow(
        tenant_id=tenant,
        rule_id=None,
        source=SOURCE,
        fingerprint=instance.fingerprint,
        name=name_of(alert),
        alert_class=alert.labels.get("class", "other"),
        state=State.FIRING,
        labels=dict(instance.labels),
        device_id=None,
        device_name=alert.labels.get("device", ""),
        interface_name=alert.labels.get("ifName", ""),
        site_name=alert.labels.get("site", ""),
        active_at=began_at,
        fired_at=began_at,
        ends_at=alert.ends_at,
        evaluated_at=now,
        is_held=False,
        version=1,
        **_texts(instance),
    )


def _texts(instance: Instance) -> dict[str, object]:
    """What is refreshed each time that the alert is sent."""
    return {
        "severity": instance.severity,
        "annotations": dict(instance.annotations),
        "summary": instance.summary,
    }


def _update(row: AlertRow, alert: ReceivedAlert, now: datetime) -> list[Moved]:
    """Take an alert that is open here already."""
    if not alert.is_firing(now):
        # An end before this episode's beginning is late news of an earlier one.
        return [] if alert.ends_at < row.active_at else [_end(row, alert.ends_at, ENDED, now)]
    row.ends_at = alert.ends_at
    texts = _texts(instance_of(alert))
    if not row.is_held and any(getattr(row, name) != value for name, value in texts.items()):
        row.evaluated_at = now
        for name, value in texts.items():
            setattr(row, name, value)
    return []


def _end(row: AlertRow, at: datetime, why: str, now: datetime) -> Moved:
    row.version += 1
    row.evaluated_at = now
    if row.is_held:
        row.is_held = False
        return row, Reason.RELEASED, why
    row.state, row.resolved_at = State.RESOLVED, min(max(at, row.fired_at or at), now)
    return row, Reason.VANISHED, why


def _save(session: Session, tenant: TenantId, moved: Sequence[Moved], now: datetime) -> News:
    """Rows, timeline and outbox."""
    session.flush()
    new = [row for row, reason, _ in moved if reason is Reason.FIRED_AT_ONCE]
    _find_devices(session, new)
    insert_alerts(session, new)
    lines, told = [], []
    for row, reason, words in moved:
        kind, event = _EVENTS[reason]
        is_new = reason is Reason.FIRED_AT_ONCE
        details = {"generatorURL": words} if is_new and words else {}
        lines.append(event_of(row, at=now, kind=kind, text=row.summary if is_new else words, details=details))
        selfmetrics.TRANSITIONS.labels(reason).inc()
        if event is not None:
            told.append((row, event))
    add_events(session, lines)
    due = plan(session, tenant, told, now=now)
    return News([Change(row.id, row.state) for row, _, _ in moved], due)


def _find_devices(session: Session, rows: Sequence[AlertRow]) -> None:
    """A scrape target that is a device of ours names the device, port or not."""
    hosts = {host: row for row in rows if not row.device_name and (host := _host_of(row))}
    if not hosts:
        return
    known = set(session.scalars(select(DeviceRow.name).where(DeviceRow.name.in_(list(hosts)))))
    for row in rows:
        if not row.device_name and _host_of(row) in known:
            row.device_name = _host_of(row)


def _host_of(row: AlertRow) -> str:
    instance: str = row.labels.get("instance", "")
    return instance.rpartition(":")[0] or instance
