"""Making, changing and closing tenants: for platform admins."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import live
from app.actions.audit import record
from app.actions.rules import install_starter_pack
from app.actions.storage import COLUMNS
from app.auth.permissions import require
from app.clock import utc_now
from app.domain.access import Tenant
from app.domain.labels import LONGEST_NAME, LONGEST_VALUE, MOST_LABELS
from app.domain.retention import Terms
from app.domain.tenancy import ADMIN, WRITE, TenantId, Viewer
from app.errors import Conflict, InvalidInput, NotFound
from app.queries.tenants import tenant_of
from models.session import platform_session
from models.tenants import TenantRow

NAME = re.compile(r"[a-z][a-z0-9-]{1,62}")
# What may be changed, with the smallest and largest value.
LIMITS: Mapping[str, tuple[int, int]] = {
    "accept_late_s": (60, 10 * 365 * 86_400),
    "accept_ahead_s": (0, 86_400),
    "samples_per_s": (1, 100_000_000),
    "active_series": (1, 1_000_000_000),
    "burst_s": (1, 3600),
    "new_series_per_min": (1, 1_000_000_000),
    "most_labels": (1, MOST_LABELS),
    "most_name_chars": (1, LONGEST_NAME),
    "most_value_chars": (1, LONGEST_VALUE),
    "most_body_bytes": (1_024, 32 * 1024 * 1024),
    "raw_retention_days": (1, 3650),
    "retention_5m_days": (1, 3650),
    "retention_1h_days": (1, 36_500),
    "retention_1d_days": (1, 36_500),
}


def create(viewer: Viewer, name: str, *, title: str = "", accept_from: datetime | None = None) -> Tenant:
    """Make a tenant with the starter pack of rules; raises Conflict when the name is taken."""
    require(viewer, WRITE, "tenants")
    if not NAME.fullmatch(name):
        raise InvalidInput("name", "must be 2 to 63 small letters, digits and hyphens, and begin with a letter")
    _check_title(title)
    with platform_session() as session:
        if session.scalar(select(TenantRow.id).where(TenantRow.name == name)) is not None:
            raise Conflict(f"There is a tenant {name} already.")
        row = TenantRow(name=name, title=title or name.title(), accept_from=accept_from)
        session.add(row)
        session.flush()
        session.refresh(row)
        made = tenant_of(row)
        there = replace(viewer, tenant=TenantId(row.id), tenant_name=name)
        record(session, there, action="create", noun="tenants", object_id=name, after={"title": made.title})
    install_starter_pack(TenantId(made.id))
    return made


def change(viewer: Viewer, name: str, changes: Mapping[str, Any]) -> Tenant:
    """Change title, `accept_from` and limits of a tenant; raises InvalidInput for anything else."""
    require(viewer, WRITE, "tenants")
    for field, value in changes.items():
        _check_change(field, value)
    with platform_session() as session:
        row = _open_tenant(session, name)
        _check_terms(row, changes)
        before = {field: getattr(row, field) for field in changes}
        for field, value in changes.items():
            setattr(row, field, value)
        session.flush()
        there = replace(viewer, tenant=TenantId(row.id), tenant_name=name)
        record(session, there, action="change", noun="tenants", object_id=name, before=before, after=changes)
        return tenant_of(row)


def close(viewer: Viewer, name: str) -> None:
    """Close a tenant: its people and tokens get in no more; its data stays until it is erased."""
    require(viewer, ADMIN, "tenants")
    with platform_session() as session:
        row = _open_tenant(session, name)
        row.closed_at = utc_now()
        tenant = TenantId(row.id)
        there = replace(viewer, tenant=tenant, tenant_name=name)
        record(session, there, action="close", noun="tenants", object_id=name)
    live.publish(tenant, "authz", {"tenant": name})


def _open_tenant(session: Session, name: str) -> TenantRow:
    row = session.scalar(
        select(TenantRow).where(TenantRow.name == name, TenantRow.closed_at.is_(None)).with_for_update()
    )
    if row is None:
        raise NotFound(f"There is no open tenant {name}.")
    return row


def _check_change(field: str, value: Any) -> None:
    if field == "title":
        _check_title(value)
    elif field == "accept_from":
        if value is not None and (not isinstance(value, datetime) or value.tzinfo is None):
            raise InvalidInput(field, "must be a time with its zone")
    elif field in LIMITS:
        least, most = LIMITS[field]
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise InvalidInput(field, f"must be a whole number from {least} to {most}")
    else:
        raise InvalidInput(field, "cannot be changed")


def _check_terms(row: TenantRow, changes: Mapping[str, Any]) -> None:
    """Whether its terms make sense together, by the rule of Storage: no tier goes before the next finer one does."""
    wanted = {tier: changes[column] for tier, column in COLUMNS.items() if column in changes}
    now = Terms(
        row.raw_retention_days, row.retention_5m_days, row.retention_1h_days, row.retention_1d_days, row.archive_days
    )
    if wanted:
        now.changed(wanted)


def _check_title(title: str) -> None:
    if len(title) > 200 or "\0" in title:
        raise InvalidInput("title", "must have at most 200 characters")
