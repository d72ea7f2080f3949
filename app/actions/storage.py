"""Changing how long a tenant keeps its samples, and bringing archived ones back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from app import jobs
from app.actions.audit import record
from app.auth.permissions import require
from app.clock import utc_now
from app.domain.retention import Terms
from app.domain.tenancy import ADMIN, TenantId, Viewer
from app.errors import InvalidInput, NotFound
from app.tsdb import archive, retention
from app.tsdb.archive import Archive
from app.tsdb.turns import JOB_PATIENCE_S, turn_of
from models.session import platform_session, tenant_session
from models.tenants import TenantRow

RESTORED_DAYS: Final = 7
MOST_RESTORED_DAYS: Final = 90
MOST_AT_ONCE: Final = 124  # a month
COLUMNS: Final[Mapping[str, str]] = {
    "raw": "raw_retention_days",
    "5m": "retention_5m_days",
    "1h": "retention_1h_days",
    "1d": "retention_1d_days",
    "archive": "archive_days",
}


def change_terms(viewer: Viewer, days: Mapping[str, int]) -> Terms:
    """Keep some tiers for other days; the next run of retention applies it. Raises InvalidInput."""
    require(viewer, ADMIN, "storage")
    before = retention.terms_of(viewer.tenant)
    wanted = before.changed(days)
    changes = {tier: value for tier, value in wanted.days().items() if value != before.days()[tier]}
    if not changes:
        return before
    with platform_session() as session:
        row = session.get(TenantRow, viewer.tenant, with_for_update=True)
        if row is None:
            raise NotFound("There is no such tenant.")
        for tier, value in changes.items():
            setattr(row, COLUMNS[tier], value)
        record(
            session,
            viewer,
            action="change",
            noun="storage",
            object_id=viewer.tenant_name,
            before={tier: before.days()[tier] for tier in changes},
            after=changes,
        )
    return wanted


def run_retention(viewer: Viewer) -> retention.Retained:
    """Apply the tenant's terms now, instead of within the hour."""
    require(viewer, ADMIN, "storage")
    done = retention.apply_terms(viewer.tenant, utc_now())
    with tenant_session(viewer.tenant) as session:
        record(session, viewer, action="run", noun="storage", object_id=viewer.tenant_name, after=vars(done))
    return done


def ask_restore(viewer: Viewer, *, start: datetime, end: datetime, days: int = RESTORED_DAYS) -> list[Archive]:
    """Have a worker bring back what the archives in [start, end) hold, for so many days; answers those archives."""
    found = _asked(viewer, start, end, days)
    for each in found:
        jobs.enqueue(jobs.RESTORE, tenant=viewer.tenant, bucket=each.bucket.isoformat(), days=days)
    return found


def restore(viewer: Viewer, *, start: datetime, end: datetime, days: int = RESTORED_DAYS) -> int:
    """The same here and now; answers how many samples came back."""
    return sum(bring_back(viewer.tenant, each.bucket, days=days) for each in _asked(viewer, start, end, days))


def bring_back(
    tenant: TenantId, bucket: datetime, *, days: int, at_step: Callable[[str], None] = lambda _step: None
) -> int:
    """Put the samples of one archive back among the raw ones; what is there already is left, so that it may run twice.

    They can be asked as any other until `days` from now; then retention takes them again. The archive stays.
    `at_step` is told the name of every step, for tests.
    """
    until = (now := utc_now()) + timedelta(days=days)
    with turn_of(tenant, wait_s=JOB_PATIENCE_S):
        listed = archive.find(tenant, bucket)
        if listed is None:
            raise NotFound(f"Nothing of {bucket:%Y-%m-%d %H:%M} is archived.")
        # First the term: the next run of retention must not take what a crash leaves half done.
        archive.keep_restored(tenant, bucket, until=until, now=now, is_back=False)
        at_step("kept")
        count = archive.put_back(tenant, listed, at_step=at_step)
        archive.keep_restored(tenant, bucket, until=until, now=now, is_back=True)
        at_step("noted")
    return count


def _asked(viewer: Viewer, start: datetime, end: datetime, days: int) -> list[Archive]:
    require(viewer, ADMIN, "storage")
    if not 1 <= days <= MOST_RESTORED_DAYS:
        raise InvalidInput("days", f"must be from 1 to {MOST_RESTORED_DAYS}")
    found = archive.archives(viewer.tenant, start=start, end=end)
    if not found:
        raise NotFound("Nothing of that time is archived.")
    if len(found) > MOST_AT_ONCE:
        raise InvalidInput("start", f"asks for {len(found)} archives; at most {MOST_AT_ONCE} come back at once")
    with tenant_session(viewer.tenant) as session:
        told = {"start": start.isoformat(), "end": end.isoformat(), "days": days, "archives": len(found)}
        record(session, viewer, action="restore", noun="storage", object_id=viewer.tenant_name, after=told)
    return found
