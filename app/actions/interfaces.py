"""What discovery does to interfaces. Interfaces are found, not made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.inventory import InterfaceFacts
from app.domain.tenancy import TenantId
from models.inventory import InterfaceRow


def store_interfaces(
    session: Session, tenant: TenantId, device_id: int, *, found: Sequence[InterfaceFacts], at: datetime
) -> bool:
    """Make the interfaces of a device as they were found; says whether anything changed.

    Known by name: a port that got another ifIndex stays the same port. Those that are gone are kept and marked.
    """
    rows = {
        row.name: row
        for row in session.scalars(
            select(InterfaceRow).where(InterfaceRow.tenant_id == tenant, InterfaceRow.device_id == device_id)
        )
    }
    for facts in found:
        row = rows.pop(facts.name, None)
        if row is None:
            session.add(InterfaceRow(tenant_id=tenant, device_id=device_id, changed_at=at, **asdict(facts)))
        else:
            _update(row, facts, at)
    for gone in rows.values():
        if gone.missing_since is None:
            gone.missing_since = at
    has_changed = bool(session.new or session.dirty)
    session.flush()
    return has_changed


def _update(row: InterfaceRow, facts: InterfaceFacts, at: datetime) -> None:
    """Set what differs; an untouched row costs no write."""
    if row.oper_status != facts.oper_status:
        row.changed_at = at
    if row.missing_since is not None:
        row.missing_since = None
    for name, value in asdict(facts).items():
        if getattr(row, name) != value:
            setattr(row, name, value)
