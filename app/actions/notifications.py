"""Delivering the outbox: claim with a lease, send with no transaction open, record what came of it.

At least once, always with the same key: a crash between sending and recording sends again when the lease ends.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, or_, select, text, update
from sqlalchemy.orm import Session

from app import jobs, selfmetrics
from app.auth.sealing import unseal
from app.clock import monotonic_s, utc_now
from app.domain.alerting.plan import PlanReason, retry_delay_s
from app.domain.alerting.rules import AlertEvent
from app.domain.tenancy import TenantId
from app.errors import Conflict, DeliveryError
from app.notify.base import Message, outbound
from app.notify.registry import notifier_for
from app.valkey import valkey
from models.alerting import AlertEventRow, ChannelRow, DeliveryRow
from models.session import platform_session, tenant_session

log = logging.getLogger(__name__)

# Longer than any send: connecting, sending and reading end within 10 s each.
LEASE: Final = timedelta(seconds=90)
WAIT_FOR_START: Final = timedelta(seconds=5)
# A job that was put on the queue is not put there again for so long.
REQUEUE_S: Final = 10
# How long a job goes on with other messages of its tenant that are due.
GO_ON_S: Final = 15.0
# The oldest due message of each tenant: the job that it starts goes on with the others.
DUE = text("""
    select distinct on (tenant_id) tenant_id, id from deliveries
    where state = 'queued' and due_at <= :now and (lease_until is null or lease_until <= :now)
    order by tenant_id, due_at, id
""")


class Result(StrEnum):
    """What became of one job."""

    SENT = "sent"
    FAILED = "failed"
    RETRY = "retry"
    SUPPRESSED = "suppressed"
    WAITS = "waits"
    NOT_DUE = "not_due"


@dataclass(frozen=True)
class _Task:
    """A claimed delivery with all that sending needs."""

    id: int
    alert_id: int
    channel: str
    kind: str
    config: dict[str, Any]
    secret: str
    message: Message
    tries: int
    lease_until: datetime


def enqueue_due(now: datetime) -> int:
    """Put one job on the queue for each tenant with messages that are due and held by nobody; answers how many."""
    with platform_session() as session:
        rows = session.execute(DUE, {"now": now}).all()
    count = 0
    for tenant, delivery_id in rows:
        if valkey().set(f"notify:queued:{tenant}:{delivery_id}", 1, nx=True, ex=REQUEUE_S):
            jobs.enqueue(jobs.DELIVER, tenant=tenant, delivery_id=delivery_id)
            count += 1
    return count


def deliver(tenant: TenantId, delivery_id: int, *, now: datetime) -> Result:
    """Send one message of the outbox, if it is due and nobody else has it."""
    with tenant_session(tenant) as session:
        claimed = _claim(session, tenant, delivery_id, now)
    if isinstance(claimed, Result):
        return claimed
    try:
        answer = notifier_for(claimed.kind).send(claimed.message, claimed.config, claimed.secret, outbound())
    except DeliveryError as error:
        log.warning("delivery failed", extra={"tenant": tenant, "delivery": delivery_id, "reason": error.reason})
        with tenant_session(tenant) as session:
            result = _record_failure(session, tenant, claimed, error)
    else:
        with tenant_session(tenant) as session:
            result = _record_success(session, tenant, claimed, answer)
    selfmetrics.DELIVERIES.labels(claimed.kind, result).inc()
    return result


def deliver_all_due(tenant: TenantId, delivery_id: int) -> int:
    """Send this message and go on with others of the tenant that are due, for a while; answers how many were sent."""
    ends_s = monotonic_s() + GO_ON_S
    following: int | None = delivery_id
    sent = 0
    while following is not None:
        sent += deliver(tenant, following, now=utc_now()) is Result.SENT
        following = _next_due(tenant, utc_now()) if monotonic_s() < ends_s else None
    return sent


def message_of(row: DeliveryRow, channel: ChannelRow) -> Message:
    """The message of an outbox row, as it was written when the alert changed."""
    told = row.payload
    return Message(
        key=row.key,
        channel=channel.name,
        status=row.event,
        name=told["name"],
        severity=told["severity"],
        summary=told["summary"],
        labels=told["labels"],
        annotations=told["annotations"],
        fingerprint=told["fingerprint"],
        value=told["value"],
        starts_at=told["starts_at"],
        ends_at=told["ends_at"],
        base_url=outbound().base_url,
        path=f"/alerts/{row.alert_id}",
    )


def secret_of(session: Session, channel: ChannelRow) -> str:
    """The channel's secret; empty when it has none."""
    if channel.sealed_secret is None:
        return ""
    context = f"channel:{channel.id}"
    return unseal(session, TenantId(channel.tenant_id), channel.sealed_secret, context=context).decode()


def _next_due(tenant: TenantId, now: datetime) -> int | None:
    with tenant_session(tenant) as session:
        query = select(DeliveryRow.id).where(DeliveryRow.tenant_id == tenant, *_is_due(now))
        due: int | None = session.scalar(
            query.order_by(DeliveryRow.due_at, DeliveryRow.id).limit(1).with_for_update(skip_locked=True)
        )
        return due


def _is_due(now: datetime) -> list[ColumnElement[bool]]:
    return [
        DeliveryRow.state == "queued",
        DeliveryRow.due_at <= now,
        or_(DeliveryRow.lease_until.is_(None), DeliveryRow.lease_until <= now),
    ]


def _claim(session: Session, tenant: TenantId, delivery_id: int, now: datetime) -> _Task | Result:
    row = session.scalar(
        select(DeliveryRow)
        .where(DeliveryRow.tenant_id == tenant, DeliveryRow.id == delivery_id, *_is_due(now))
        .with_for_update(skip_locked=True)
    )
    if row is None:
        return Result.NOT_DUE
    channel = session.get_one(ChannelRow, row.channel_id)
    if not channel.is_enabled:
        row.state, row.reason = "suppressed", PlanReason.CHANNEL_DISABLED
        return Result.SUPPRESSED
    if row.event == AlertEvent.RESOLVED:
        waiting = _wait_for_start(session, row, now)
        if waiting is not None:
            return waiting
    try:
        secret = secret_of(session, channel)
    except Conflict as error:
        row.state, row.answer = "failed", str(error)
        return Result.FAILED
    row.lease_until, row.attempts = now + LEASE, row.attempts + 1
    return _Task(
        id=row.id,
        alert_id=row.alert_id,
        channel=channel.name,
        kind=channel.kind,
        config=channel.config,
        secret=secret,
        message=message_of(row, channel),
        tries=row.attempts,
        lease_until=row.lease_until,
    )


def _wait_for_start(session: Session, row: DeliveryRow, now: datetime) -> Result | None:
    """A recovery goes out after its start did; if that never arrived, there is nothing to take back."""
    start = session.scalar(
        select(DeliveryRow.state).where(
            DeliveryRow.alert_id == row.alert_id,
            DeliveryRow.channel_id == row.channel_id,
            DeliveryRow.event == AlertEvent.FIRING,
        )
    )
    if start == "sent":
        return None
    if start == "queued":
        row.due_at = now + WAIT_FOR_START
        return Result.WAITS
    row.state, row.reason = "suppressed", PlanReason.NEVER_ANNOUNCED
    return Result.SUPPRESSED


def _record_success(session: Session, tenant: TenantId, task: _Task, answer: str) -> Result:
    now = utc_now()
    _update(session, tenant, task, {"state": "sent", "answer": answer, "sent_at": now})
    _add_event(session, tenant, task, "sent", f"{task.message.status} sent to {task.channel}")
    return Result.SENT


def _record_failure(session: Session, tenant: TenantId, task: _Task, error: DeliveryError) -> Result:
    key = task.message.key
    delay_s = None if error.permanent else retry_delay_s(key, task.tries, retry_after_s=error.retry_after_s)
    if delay_s is None:
        _update(session, tenant, task, {"state": "failed", "answer": error.reason})
        _add_event(session, tenant, task, "failed", f"{task.message.status} not sent to {task.channel}: {error.reason}")
        return Result.FAILED
    due_at = utc_now() + timedelta(seconds=delay_s)
    _update(session, tenant, task, {"due_at": due_at, "answer": error.reason})
    return Result.RETRY


def _update(session: Session, tenant: TenantId, task: _Task, values: dict[str, Any]) -> None:
    """Record an outcome; of a task that lost its lease only an arrival counts, for a message cannot be unsent."""
    still_mine = DeliveryRow.lease_until == task.lease_until
    session.execute(
        update(DeliveryRow)
        .where(DeliveryRow.tenant_id == tenant, DeliveryRow.id == task.id, DeliveryRow.state == "queued")
        .where(still_mine if values.get("state") != "sent" else text("true"))
        .values(lease_until=None, **values)
    )


def _add_event(session: Session, tenant: TenantId, task: _Task, kind: str, said: str) -> None:
    session.add(
        AlertEventRow(
            tenant_id=tenant,
            alert_id=task.alert_id,
            at=utc_now(),
            kind=kind,
            text=said,
            details={"delivery_id": task.id, "channel": task.channel},
        )
    )
