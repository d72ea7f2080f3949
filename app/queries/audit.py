"""The audit log of a tenant: reading it, and checking that it still says what was written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, select

from app.auth.permissions import require
from app.domain.access import AuditEntry, ChainCheck
from app.domain.audit import FIRST_HASH, entry_hash
from app.domain.tenancy import READ, Viewer
from models.audit import AuditRow
from models.session import tenant_session

CHECKED_AT_ONCE = 1000


@dataclass(frozen=True)
class AuditFilter:
    """Which entries; an empty field does not matter."""

    actor: str = ""
    noun: str = ""
    action: str = ""
    object_id: str = ""
    since: datetime | None = None
    until: datetime | None = None


def entries(
    viewer: Viewer, wanted: AuditFilter = AuditFilter(), *, before: int | None = None, limit: int = 100
) -> list[AuditEntry]:
    """The newest entries first, at most `limit` of those older than the entry `before`."""
    require(viewer, READ, "audit")
    found = _filtered(viewer, wanted).order_by(AuditRow.id.desc()).limit(limit)
    if before is not None:
        found = found.where(AuditRow.id < before)
    with tenant_session(viewer.tenant) as session:
        return [_entry(row) for row in session.scalars(found)]


def verify(viewer: Viewer) -> ChainCheck:
    """Go through the chain from its beginning and compare every hash.

    A tail that was cut off shows only beside a `last_hash` that was noted before.
    """
    require(viewer, READ, "audit")
    chain = select(AuditRow).where(AuditRow.tenant_id == viewer.tenant).order_by(AuditRow.id)
    previous, count = FIRST_HASH, 0
    with tenant_session(viewer.tenant) as session:
        for row in session.scalars(chain.execution_options(yield_per=CHECKED_AT_ONCE)):
            if row.previous_hash != previous or row.hash != _hash_of(row):
                return ChainCheck(count, row.id, previous.hex())
            previous, count = row.hash, count + 1
    return ChainCheck(count, None, previous.hex())


def _filtered(viewer: Viewer, wanted: AuditFilter) -> Select[AuditRow]:
    found = select(AuditRow).where(AuditRow.tenant_id == viewer.tenant)
    for column, value in (
        (AuditRow.actor, wanted.actor),
        (AuditRow.noun, wanted.noun),
        (AuditRow.action, wanted.action),
        (AuditRow.object_id, wanted.object_id),
    ):
        if value:
            found = found.where(column == value)
    if wanted.since is not None:
        found = found.where(AuditRow.at >= wanted.since)
    if wanted.until is not None:
        found = found.where(AuditRow.at < wanted.until)
    return found


def _entry(row: AuditRow) -> AuditEntry:
    return AuditEntry(
        id=row.id,
        at=row.at,
        actor=row.actor,
        action=row.action,
        noun=row.noun,
        object_id=row.object_id,
        before=row.before,
        after=row.after,
        request_id=row.request_id,
    )


def _hash_of(row: AuditRow) -> bytes:
    return entry_hash(
        tenant=row.tenant_id,
        at=row.at,
        facts=(row.actor, row.action, row.noun, row.object_id, row.request_id),
        before=row.before,
        after=row.after,
        previous=row.previous_hash,
    )
