"""Saving what an evaluation did to alerts: episode, timeline and outbox, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import insert, inspect, or_, select, text
from sqlalchemy.orm import Session

from app import jobs, live, selfmetrics
from app.actions.outbox import plan
from app.domain.alerting.rules import Instance, Rule, Transition, evaluate
from app.domain.alerting.state import Clock, Reason, State, resume
from app.domain.tenancy import TenantId
from models.alerting import AlertEventRow, AlertRow
from models.inventory import DeviceRow, SiteRow

# The line of the timeline for a reason; the others change nothing that people see.
KINDS: Final[Mapping[Reason, str]] = {
    Reason.APPEARED: "pending",
    Reason.FIRED: "fired",
    Reason.FIRED_AT_ONCE: "fired",
    Reason.FOR_GREW: "pending",
    Reason.KEPT_FIRING: "kept_firing",
    Reason.CAME_BACK: "came_back",
    Reason.VANISHED: "resolved",
    Reason.KEEP_FIRING_OVER: "resolved",
    Reason.RELEASED: "released",
}
TEXTS: Final[Mapping[Reason, str]] = {
    Reason.FOR_GREW: "the rule waits longer now",
    Reason.KEPT_FIRING: "the condition is gone; kept firing for a while",
    Reason.CAME_BACK: "the condition is back",
    Reason.VANISHED: "the condition is gone",
    Reason.KEEP_FIRING_OVER: "the condition stayed away",
    Reason.RELEASED: "the condition is gone",
}
# Above this many changes at once open screens are told that many changed, and read again.
MANY: Final = 50


@dataclass(frozen=True)
class Change:
    """An alert that is not as it was."""

    alert_id: int
    state: str


@dataclass(frozen=True)
class News:
    """What there is to tell after the commit: changed alerts, and ids of messages that are due."""

    changes: Sequence[Change] = ()
    deliveries: Sequence[int] = ()


@dataclass(frozen=True)
class Evaluated:
    """A rule and the alerts that its query stands for."""

    rule_id: int
    rule: Rule
    instances: Mapping[str, Instance]


@dataclass(frozen=True)
class _Saved:
    """A transition beside its row."""

    row: AlertRow
    transition: Transition


def record_transitions(
    session: Session,
    tenant: TenantId,
    evaluated: Sequence[Evaluated],
    *,
    at: datetime,
    now: datetime,
    stopped_at: datetime | None,
) -> News:
    """Step every alert of the evaluated rules and save it; answers what changed for people.

    `at`: the moment of evaluation. `stopped_at`: since when nobody had evaluated, after an outage (A14).
    """
    rows = _known_rows(session, [item.rule_id for item in evaluated])
    saved: list[_Saved] = []
    gone: list[Change] = []
    for item in evaluated:
        known = rows.get(item.rule_id, {})
        clocks = {fingerprint: _clock_of(row) for fingerprint, row in known.items()}
        if stopped_at is not None:
            clocks = _resumed(clocks, item.rule, stopped_at=stopped_at, at=at)
        for transition in evaluate(item.rule, clocks, item.instances, at=at):
            row = known.get(transition.fingerprint)
            if row is not None and (transition.after is None or transition.is_new):
                # A pending alert vanished, or was forgotten in a long outage: nobody saw it, nothing remains (A5).
                gone.append(Change(row.id, "gone"))
                session.delete(row)
                row = None
            if transition.after is not None:
                saved.append(_Saved(_apply(tenant, item, transition, row, at), transition))
    session.flush()
    insert_alerts(session, [item.row for item in saved if item.row.id is None])
    changes, deliveries = _follow_up(session, tenant, saved, at=at, now=now)
    return News([*gone, *changes], deliveries)


def tell(tenant: TenantId, news: News) -> None:
    """Tell open screens what changed and start the deliveries; after the commit, as both read what was saved."""
    for delivery_id in news.deliveries:
        jobs.enqueue(jobs.DELIVER, tenant=tenant, delivery_id=delivery_id)
    if len(news.changes) > MANY:
        live.publish(tenant, "alerts", {"id": None, "state": "many", "count": len(news.changes)})
        return
    for change in news.changes:
        live.publish(tenant, "alerts", {"id": change.alert_id, "state": change.state})


def event_of(
    row: AlertRow,
    *,
    at: datetime,
    kind: str,
    actor: str = "",
    text: str = "",
    details: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    """One line of an alert's timeline, for add_events()."""
    return {
        "tenant_id": row.tenant_id,
        "alert_id": row.id,
        "at": at,
        "kind": kind,
        "actor": actor,
        "text": text,
        "details": dict(details or {}),
    }


def add_events(session: Session, events: Sequence[dict[str, Any]]) -> None:
    """Write lines into timelines; thousands at once cost little, as nothing is read back."""
    if events:
        session.execute(insert(AlertEventRow), events)


def insert_alerts(session: Session, rows: Sequence[AlertRow]) -> None:
    """Write new alerts; the rows get their ids but do not belong to the session."""
    if not rows:
        return
    _place(session, rows)
    ids = session.scalars(text("select nextval('alerts_id_seq') from generate_series(1, :n)"), {"n": len(rows)})
    for row, row_id in zip(rows, ids, strict=True):
        row.id = row_id
    names = [column.key for column in inspect(AlertRow).columns if column.key in vars(rows[0])]
    session.execute(insert(AlertRow), [{name: getattr(row, name) for name in names} for row in rows])


def _known_rows(session: Session, rule_ids: Sequence[int]) -> dict[int, dict[str, AlertRow]]:
    """The open and held alerts of these rules by fingerprint, locked: a person may be changing one right now."""
    query = (
        select(AlertRow)
        .where(AlertRow.rule_id.in_(rule_ids), or_(AlertRow.state != State.RESOLVED, AlertRow.is_held))
        .order_by(AlertRow.id)
        .with_for_update()
    )
    known: dict[int, dict[str, AlertRow]] = {}
    for row in session.scalars(query):
        assert row.rule_id is not None
        known.setdefault(row.rule_id, {})[row.fingerprint] = row
    return known


def _clock_of(row: AlertRow) -> Clock:
    return Clock(
        state=State(row.state),
        active_at=row.active_at,
        fired_at=row.fired_at,
        keep_firing_since=row.keep_firing_since,
        resolved_at=row.resolved_at,
        is_held=row.is_held,
    )


def _resumed(clocks: Mapping[str, Clock], rule: Rule, *, stopped_at: datetime, at: datetime) -> dict[str, Clock]:
    resumed = {
        fingerprint: resume(clock, stopped_at=stopped_at, at=at, waits=rule.waits)
        for fingerprint, clock in clocks.items()
    }
    return {fingerprint: clock for fingerprint, clock in resumed.items() if clock is not None}


def _apply(tenant: TenantId, item: Evaluated, transition: Transition, row: AlertRow | None, at: datetime) -> AlertRow:
    """The row of an alert after its transition; value, severity and texts are refreshed at every evaluation (A1)."""
    clock, instance = transition.after, transition.instance
    assert clock is not None
    if row is None:
        assert instance is not None
        labels = dict(instance.labels)
        row = AlertRow(
            tenant_id=tenant,
            rule_id=item.rule_id,
            fingerprint=transition.fingerprint,
            name=item.rule.name,
            alert_class=item.rule.alert_class,
            labels=labels,
            device_id=None,
            device_name=labels.get("device", ""),
            interface_name=labels.get("ifName", ""),
            site_name=labels.get("site", ""),
            version=1,
        )
        _set_clock(row, clock, at)
    elif _clock_of(row) != clock:
        row.version += 1
        _set_clock(row, clock, at)
    if instance is not None and not clock.is_held and _differs(row, instance):
        row.value, row.severity = instance.value, instance.severity
        row.annotations, row.summary, row.evaluated_at = dict(instance.annotations), instance.summary, at
    return row


def _set_clock(row: AlertRow, clock: Clock, at: datetime) -> None:
    row.state, row.active_at, row.fired_at = clock.state, clock.active_at, clock.fired_at
    row.keep_firing_since, row.resolved_at, row.is_held = clock.keep_firing_since, clock.resolved_at, clock.is_held
    row.evaluated_at = at


def _differs(row: AlertRow, instance: Instance) -> bool:
    return (row.value, row.severity, row.summary, row.annotations) != (
        instance.value,
        instance.severity,
        instance.summary,
        dict(instance.annotations),
    )


def _place(session: Session, rows: Sequence[AlertRow]) -> None:
    """Bind new alerts to the device they name, and to its site when their labels name none."""
    names = {row.device_name for row in rows if row.device_name}
    if not names:
        return
    query = select(DeviceRow.name, DeviceRow.id, SiteRow.name).join(
        SiteRow, SiteRow.id == DeviceRow.site_id, isouter=True
    )
    devices = {
        name: (device_id, site) for name, device_id, site in session.execute(query.where(DeviceRow.name.in_(names)))
    }
    for row in rows:
        row.device_id, site = devices.get(row.device_name, (None, None))
        row.site_name = row.site_name or site or ""


def _follow_up(
    session: Session, tenant: TenantId, saved: Sequence[_Saved], *, at: datetime, now: datetime
) -> tuple[list[Change], list[int]]:
    """Timeline and outbox of the transitions that people see."""
    moved = [item for item in saved if item.transition.before != item.transition.after]
    add_events(
        session,
        [event_of(item.row, at=at, kind=KINDS[item.transition.reason], text=_text(item)) for item in moved],
    )
    for item in moved:
        selfmetrics.TRANSITIONS.labels(item.transition.reason).inc()
    events = [(item.row, item.transition.event) for item in moved if item.transition.event is not None]
    due = plan(session, tenant, events, now=now)
    return [Change(item.row.id, item.row.state) for item in moved], due


def _text(item: _Saved) -> str:
    return TEXTS.get(item.transition.reason, "" if item.transition.instance is None else item.row.summary)
