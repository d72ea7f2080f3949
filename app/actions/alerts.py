"""What people do to alerts: acknowledge, snooze, assign, comment, resolve; each with actor and time in the timeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actions.audit import record
from app.actions.outbox import plan
from app.actions.transitions import Change, News, add_events, event_of, tell
from app.auth.permissions import require
from app.clock import utc_now
from app.domain.alerting.rules import AlertEvent
from app.domain.alerting.state import State
from app.domain.tenancy import WRITE, Viewer
from app.errors import InvalidInput, NotFound
from models.access import MembershipRow, UserRow
from models.alerting import AlertRow
from models.session import tenant_session

LONGEST_SNOOZE: Final = timedelta(days=30)
MAX_TEXT: Final = 4000
MOST_AT_ONCE: Final = 1000


@dataclass(frozen=True)
class Refusal:
    """An alert that was left as it was, and why: usually that someone else was first."""

    alert_id: int
    reason: str


@dataclass(frozen=True)
class Outcome:
    """What became of an action on several alerts."""

    done: tuple[int, ...]
    refused: tuple[Refusal, ...] = ()


@dataclass(frozen=True)
class _Act:
    """One kind of change: `apply` changes the row, or answers why not; then the timeline gets `kind` and `text`."""

    kind: str
    apply: Callable[[AlertRow, datetime], str | None]
    text: str = ""
    details: dict[str, Any] | None = None
    event: AlertEvent | None = None


def acknowledge(viewer: Viewer, alert_ids: Sequence[int], *, note: str = "") -> Outcome:
    """Say that someone has seen these alerts; for the episode, until it ends or unacknowledge()."""

    def apply(row: AlertRow, now: datetime) -> str | None:
        if row.state == State.RESOLVED:
            return _ended(row, now)
        if row.acknowledged_at is not None:
            return f"acknowledged by {row.acknowledged_by} {_ago(row.acknowledged_at, now)}"
        row.acknowledged_at, row.acknowledged_by = now, viewer.name
        return None

    return _change(viewer, alert_ids, _Act("acknowledged", apply, _text("note", note)))


def unacknowledge(viewer: Viewer, alert_ids: Sequence[int]) -> Outcome:
    """Take an acknowledgement back."""

    def apply(row: AlertRow, _now: datetime) -> str | None:
        if row.acknowledged_at is None:
            return "not acknowledged"
        row.acknowledged_at, row.acknowledged_by = None, ""
        return None

    return _change(viewer, alert_ids, _Act("unacknowledged", apply))


def snooze(viewer: Viewer, alert_ids: Sequence[int], *, until: datetime) -> Outcome:
    """Put these alerts out of sight until a moment within the next 30 days."""
    if until.tzinfo is None:
        raise InvalidInput("until", "needs a time zone")
    if not utc_now() < until <= utc_now() + LONGEST_SNOOZE:
        raise InvalidInput("until", "must be in the future and within 30 days")

    def apply(row: AlertRow, now: datetime) -> str | None:
        if row.state == State.RESOLVED:
            return _ended(row, now)
        row.snoozed_until = until
        return None

    return _change(viewer, alert_ids, _Act("snoozed", apply, details={"until": until.isoformat()}))


def unsnooze(viewer: Viewer, alert_ids: Sequence[int]) -> Outcome:
    """Bring snoozed alerts back."""

    def apply(row: AlertRow, now: datetime) -> str | None:
        if row.snoozed_until is None or row.snoozed_until <= now:
            return "not snoozed"
        row.snoozed_until = None
        return None

    return _change(viewer, alert_ids, _Act("unsnoozed", apply))


def assign(viewer: Viewer, alert_ids: Sequence[int], *, user_id: int | None) -> Outcome:
    """Give these alerts to a person of this tenant; None takes them from whoever has them."""
    name = "" if user_id is None else _member(viewer, user_id)

    def apply(row: AlertRow, now: datetime) -> str | None:
        if row.state == State.RESOLVED:
            return _ended(row, now)
        if row.assigned_to == user_id:
            return f"already assigned to {name}" if name else "not assigned to anyone"
        row.assigned_to, row.assigned_name = user_id, name
        return None

    kind = "unassigned" if user_id is None else "assigned"
    return _change(viewer, alert_ids, _Act(kind, apply, f"to {name}" if name else "", {"user_id": user_id}))


def comment(viewer: Viewer, alert_id: int, text: str) -> Outcome:
    """Write a line into an alert's timeline; also when it is resolved."""
    written = _text("text", text)
    if not written:
        raise InvalidInput("text", "is empty")
    return _change(viewer, [alert_id], _Act("commented", lambda _row, _now: None, written))


def resolve(viewer: Viewer, alert_ids: Sequence[int]) -> Outcome:
    """End these episodes by hand. They stay resolved until their condition was away and comes again."""

    def apply(row: AlertRow, now: datetime) -> str | None:
        if row.state == State.RESOLVED:
            return _ended(row, now)
        row.state, row.resolved_at, row.resolved_by = State.RESOLVED, now, viewer.name
        row.is_held, row.keep_firing_since = True, None
        return None

    return _change(viewer, alert_ids, _Act("resolved", apply, "by hand", event=AlertEvent.RESOLVED))


def _change(viewer: Viewer, alert_ids: Sequence[int], act: _Act) -> Outcome:
    """Apply one act to alerts of the viewer's tenant: one transaction, one audit entry, then the live news."""
    require(viewer, WRITE, "alerts")
    if not alert_ids:
        raise InvalidInput("alert_ids", "is empty")
    if len(alert_ids) > MOST_AT_ONCE:
        raise InvalidInput("alert_ids", f"has more than {MOST_AT_ONCE} alerts")
    now = utc_now()
    refused: list[Refusal] = []
    changed: list[AlertRow] = []
    with tenant_session(viewer.tenant) as session:
        for row in _locked(session, viewer, alert_ids):
            reason = act.apply(row, now)
            if reason is not None:
                refused.append(Refusal(row.id, reason))
                continue
            row.version += 1
            changed.append(row)
        add_events(
            session,
            [
                event_of(row, at=now, kind=act.kind, actor=viewer.name, text=act.text, details=act.details)
                for row in changed
            ],
        )
        told = [(row, act.event) for row in changed if act.event is not None and row.fired_at is not None]
        due = plan(session, viewer.tenant, told, now=now)
        if changed:
            _audit(session, viewer, act, changed)
    tell(viewer.tenant, News([Change(row.id, row.state) for row in changed], due))
    return Outcome(tuple(row.id for row in changed), tuple(refused))


def _locked(session: Session, viewer: Viewer, alert_ids: Sequence[int]) -> Sequence[AlertRow]:
    """These alerts in order of id, so that two people who change the same ones do not lock each other out."""
    wanted = set(alert_ids)
    query = select(AlertRow).where(AlertRow.tenant_id == viewer.tenant, AlertRow.id.in_(wanted))
    rows = session.scalars(query.order_by(AlertRow.id).with_for_update()).all()
    if len(rows) != len(wanted):
        missing = min(wanted - {row.id for row in rows})
        raise NotFound(f"There is no alert {missing}.")
    return rows


def _audit(session: Session, viewer: Viewer, act: _Act, rows: Sequence[AlertRow]) -> None:
    after: dict[str, Any] = {"alerts": [row.id for row in rows], **(act.details or {})}
    if act.text:
        after["text"] = act.text
    object_id = rows[0].id if len(rows) == 1 else f"{rows[0].id} and {len(rows) - 1} more"
    record(session, viewer, action=act.kind, noun="alerts", object_id=object_id, after=after)


def _member(viewer: Viewer, user_id: int) -> str:
    """The name of a person of the viewer's tenant; raises NotFound for anyone else."""
    query = (
        select(UserRow.name)
        .join(MembershipRow, MembershipRow.user_id == UserRow.id)
        .where(MembershipRow.tenant_id == viewer.tenant, UserRow.id == user_id, UserRow.disabled_at.is_(None))
    )
    with tenant_session(viewer.tenant) as session:
        name = session.scalar(query)
    if name is None:
        raise NotFound(f"There is no user {user_id}.")
    return name


def _text(field: str, text: str) -> str:
    text = text.replace("\0", "").strip()
    if len(text) > MAX_TEXT:
        raise InvalidInput(field, f"is longer than {MAX_TEXT} characters")
    return text


def _ended(row: AlertRow, now: datetime) -> str:
    assert row.resolved_at is not None
    by = f" by {row.resolved_by}" if row.resolved_by else ""
    return f"resolved{by} {_ago(row.resolved_at, now)}"


def _ago(moment: datetime, now: datetime) -> str:
    """How long ago, in the one unit that a person wants to hear."""
    seconds = max(0, int((now - moment).total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"
