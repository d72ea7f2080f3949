"""What people do to channels: make, change, delete, try out. Addresses are checked here and again at every send."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actions.audit import record
from app.actions.notifications import secret_of
from app.auth.permissions import require
from app.auth.sealing import seal
from app.clock import utc_now
from app.domain.alerting.alert import Severity
from app.domain.tenancy import WRITE, Viewer
from app.errors import Conflict, DeliveryError, InvalidInput, NotFound
from app.notify.base import Message, outbound
from app.notify.registry import notifier_for
from models.alerting import ChannelRow
from models.session import tenant_session

SECRET_BYTES: Final = 32
LONGEST_NAME: Final = 100


@dataclass(frozen=True)
class ChannelDraft:
    """A channel as a person describes it. `secret` None keeps the present one, or makes one where a kind needs it."""

    name: str
    kind: str
    config: Mapping[str, Any] = field(default_factory=dict)
    secret: str | None = field(default=None, repr=False)
    min_severity: Severity = Severity.WARNING
    send_resolved: bool = True
    is_enabled: bool = True


@dataclass(frozen=True)
class CreatedChannel:
    """The new channel's id; `secret` is the generated one, told this once, and empty if the caller brought it."""

    id: int
    secret: str = field(repr=False)


@dataclass(frozen=True)
class TestResult:
    """Whether a test message arrived, and what the receiver said or why not."""

    __test__ = False  # pytest: this is no test

    is_sent: bool
    answer: str


def create_channel(viewer: Viewer, draft: ChannelDraft) -> CreatedChannel:
    """Make a channel; raises Conflict when the name is taken, InvalidInput for an address that may not be sent to."""
    require(viewer, WRITE, "channels")
    config = _checked(draft)
    made = "" if draft.secret or not notifier_for(draft.kind).needs_secret else secrets.token_hex(SECRET_BYTES)
    with tenant_session(viewer.tenant) as session:
        _refuse_taken(session, draft.name, but=None)
        row = ChannelRow(tenant_id=viewer.tenant, kind=draft.kind)
        _fill(row, draft, config)
        session.add(row)
        session.flush()
        _seal(session, viewer, row, draft.secret or made)
        record(session, viewer, action="create", noun="channels", object_id=row.id, after=_facts(row))
        return CreatedChannel(row.id, made)


def update_channel(viewer: Viewer, channel_id: int, draft: ChannelDraft) -> None:
    """Make a channel be exactly this; its kind stays what it is."""
    require(viewer, WRITE, "channels")
    config = _checked(draft)
    with tenant_session(viewer.tenant) as session:
        row = _row(session, viewer, channel_id)
        if row.kind != draft.kind:
            raise InvalidInput("kind", "of a channel cannot be changed")
        _refuse_taken(session, draft.name, but=channel_id)
        before = _facts(row)
        _fill(row, draft, config)
        if draft.secret:
            _seal(session, viewer, row, draft.secret)
        record(
            session, viewer, action="change", noun="channels", object_id=channel_id, before=before, after=_facts(row)
        )


def delete_channel(viewer: Viewer, channel_id: int) -> None:
    """Delete a channel with the record of its deliveries."""
    require(viewer, WRITE, "channels")
    with tenant_session(viewer.tenant) as session:
        row = _row(session, viewer, channel_id)
        record(session, viewer, action="delete", noun="channels", object_id=channel_id, before=_facts(row))
        session.delete(row)


def send_test(viewer: Viewer, channel_id: int) -> TestResult:
    """Send one message that says it is a test, now, and answer what became of it."""
    require(viewer, WRITE, "channels")
    with tenant_session(viewer.tenant) as session:
        row = _row(session, viewer, channel_id)
        secret, kind, config, message = secret_of(session, row), row.kind, row.config, _test_message(viewer, row)
        record(session, viewer, action="test", noun="channels", object_id=channel_id)
    try:
        return TestResult(True, notifier_for(kind).send(message, config, secret, outbound()))
    except DeliveryError as error:
        return TestResult(False, error.reason)


def _checked(draft: ChannelDraft) -> dict[str, Any]:
    """The configuration in its stored form."""
    if not draft.name.strip() or len(draft.name) > LONGEST_NAME or not draft.name.isprintable():
        raise InvalidInput("name", f"a channel needs a name of at most {LONGEST_NAME} printable characters")
    if draft.secret is not None and len(draft.secret) > 500:
        raise InvalidInput("secret", "is longer than 500 characters")
    return notifier_for(draft.kind).check(draft.config, outbound())


def _refuse_taken(session: Session, name: str, *, but: int | None) -> None:
    taken = session.scalar(select(ChannelRow.id).where(ChannelRow.name == name))
    if taken is not None and taken != but:
        raise Conflict(f"There is a channel {name} already.")


def _row(session: Session, viewer: Viewer, channel_id: int) -> ChannelRow:
    query = select(ChannelRow).where(ChannelRow.tenant_id == viewer.tenant, ChannelRow.id == channel_id)
    row = session.scalar(query.with_for_update())
    if row is None:
        raise NotFound(f"There is no channel {channel_id}.")
    return row


def _fill(row: ChannelRow, draft: ChannelDraft, config: dict[str, Any]) -> None:
    row.name, row.config, row.min_severity = draft.name, config, draft.min_severity
    row.send_resolved, row.is_enabled, row.changed_at = draft.send_resolved, draft.is_enabled, utc_now()


def _seal(session: Session, viewer: Viewer, row: ChannelRow, secret: str) -> None:
    if secret:
        row.sealed_secret = seal(session, viewer.tenant, secret.encode(), context=f"channel:{row.id}")


def _facts(row: ChannelRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "kind": row.kind,
        "config": row.config,
        "min_severity": row.min_severity,
        "send_resolved": row.send_resolved,
        "is_enabled": row.is_enabled,
    }


def _test_message(viewer: Viewer, row: ChannelRow) -> Message:
    now = utc_now()
    return Message(
        key=f"wf-test-{row.id}-{int(now.timestamp() * 1000)}",
        channel=row.name,
        status="test",
        name="TestMessage",
        severity=Severity.WARNING,
        summary=f"Test message of the channel {row.name}, sent by {viewer.name}",
        labels={"alertname": "TestMessage"},
        annotations={"description": "Nothing is wrong. Somebody wanted to know whether messages arrive here."},
        fingerprint="0" * 16,
        value=None,
        starts_at=now.isoformat(),
        ends_at=None,
        base_url=outbound().base_url,
        path="/admin/channels",
    )
