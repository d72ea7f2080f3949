"""Filling the outbox: who is told of an alert's start or end, written in the transaction of the change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.domain.alerting.alert import Severity
from app.domain.alerting.plan import Delivery, Route, plan_deliveries
from app.domain.alerting.rules import AlertEvent
from app.domain.tenancy import TenantId
from models.alerting import AlertRow, ChannelRow, DeliveryRow

# So many jobs are started at once: each goes on with whatever else is due, and every one costs an fsync.
JOBS_AT_ONCE: Final = 8


def plan(
    session: Session, tenant: TenantId, events: Sequence[tuple[AlertRow, AlertEvent]], *, now: datetime
) -> list[int]:
    """Write the outbox rows of these events, also of what is not sent, with its reason.

    Answers ids of rows that are due, enough to start sending. Each (alert, event, channel) has one row for ever, so
    the same event planned twice is sent once.
    """
    if not events:
        return []
    routes = _routes(session)
    announced = _announced(session, [row.id for row, event in events if event is AlertEvent.RESOLVED])
    rows: list[dict[str, Any]] = []
    for row, event in events:
        severity = Severity(row.severity)
        is_snoozed = row.snoozed_until is not None and row.snoozed_until > now
        told = announced.get(row.id, set())
        for delivery in plan_deliveries(event, routes, severity=severity, is_snoozed=is_snoozed, announced=told):
            rows.append(_row(tenant, row, delivery, now))
    if not rows:
        return []
    session.execute(insert(DeliveryRow).on_conflict_do_nothing(index_elements=["channel_id", "key"]), rows)
    query = select(DeliveryRow.id).where(
        DeliveryRow.tenant_id == tenant,
        DeliveryRow.alert_id.in_([row.id for row, _ in events]),
        DeliveryRow.state == "queued",
        DeliveryRow.attempts == 0,
    )
    return list(session.scalars(query.order_by(DeliveryRow.id).limit(JOBS_AT_ONCE)))


def _routes(session: Session) -> list[Route]:
    query = select(ChannelRow.id, ChannelRow.min_severity, ChannelRow.send_resolved, ChannelRow.is_enabled).order_by(
        ChannelRow.id
    )
    return [
        Route(id_, Severity(severity), resolved, enabled) for id_, severity, resolved, enabled in session.execute(query)
    ]


def _announced(session: Session, alert_ids: Sequence[int]) -> dict[int, set[int]]:
    """Which channels were told of the start of these alerts, or will be: one that failed for good was not."""
    query = select(DeliveryRow.alert_id, DeliveryRow.channel_id).where(
        DeliveryRow.alert_id.in_(alert_ids),
        DeliveryRow.event == AlertEvent.FIRING,
        DeliveryRow.state.in_(("queued", "sent")),
    )
    told: dict[int, set[int]] = {}
    for alert_id, channel_id in session.execute(query) if alert_ids else ():
        told.setdefault(alert_id, set()).add(channel_id)
    return told


def _row(tenant: TenantId, row: AlertRow, delivery: Delivery, now: datetime) -> dict[str, Any]:
    return {
        "tenant_id": tenant,
        "channel_id": delivery.channel_id,
        "alert_id": row.id,
        "key": f"wf-{row.id}-{delivery.event}-{delivery.channel_id}",
        "event": delivery.event,
        "state": "queued" if delivery.is_sent else "suppressed",
        "reason": delivery.reason,
        "payload": _payload(row, delivery.event) if delivery.is_sent else {},
        "due_at": now,
    }


def _payload(row: AlertRow, event: AlertEvent) -> dict[str, Any]:
    """What is told, as it was at the moment of the change: every try says the same."""
    return {
        "status": event,
        "alert_id": row.id,
        "rule_id": row.rule_id,
        "fingerprint": row.fingerprint,
        "name": row.name,
        "severity": row.severity,
        "class": row.alert_class,
        "summary": row.summary,
        "labels": row.labels,
        "annotations": row.annotations,
        "value": None if row.value is None else repr(row.value),
        "device": row.device_name,
        "interface": row.interface_name,
        "site": row.site_name,
        "starts_at": (row.fired_at or row.active_at).isoformat(),
        "ends_at": row.resolved_at.isoformat() if row.resolved_at else None,
        "resolved_by": row.resolved_by,
    }
