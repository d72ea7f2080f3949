"""Writing the audit log: one entry in the action's own transaction, bound to the tenant's entry before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.clock import utc_now
from app.domain.audit import FIRST_HASH, entry_hash, storable
from app.domain.tenancy import Viewer
from app.log import REDACTED
from models.audit import AuditRow


def record(
    session: Session,
    viewer: Viewer,
    *,
    action: str,
    noun: str,
    object_id: object,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Append one entry to the chain of the viewer's tenant.

    `action` is a verb (create, change, delete, acknowledge ...), `before` and `after` hold the fields that changed,
    as JSON would have them; the values of fields named like a secret are replaced.
    """
    # One writer at a time per tenant, until the transaction ends: the chain has one tail.
    session.execute(text("select pg_advisory_xact_lock(hashtext('audit'), :tenant)"), {"tenant": viewer.tenant})
    previous = session.scalar(
        select(AuditRow.hash).where(AuditRow.tenant_id == viewer.tenant).order_by(AuditRow.id.desc()).limit(1)
    )
    row = AuditRow(
        tenant_id=viewer.tenant,
        at=utc_now(),
        actor=viewer.email or viewer.name,
        action=action,
        noun=noun,
        object_id=str(object_id),
        before=_safe(before),
        after=_safe(after),
        request_id=str(structlog.contextvars.get_contextvars().get("request_id", "")),
        previous_hash=previous or FIRST_HASH,
    )
    row.hash = entry_hash(
        tenant=row.tenant_id,
        at=row.at,
        facts=(row.actor, row.action, row.noun, row.object_id, row.request_id),
        before=row.before,
        after=row.after,
        previous=row.previous_hash,
    )
    session.add(row)
    session.flush()


def _safe(fields: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if fields is None:
        return None
    return {name: "***" if name in REDACTED else storable(value) for name, value in fields.items()}
