"""Erasing a tenant that was closed: asked for by a platform admin, done by a job, recorded by counts."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from sqlalchemy import select

from app import jobs
from app.actions.audit import record
from app.auth.operator import NO_TENANT
from app.auth.permissions import require
from app.clock import utc_now
from app.domain.tenancy import ADMIN, TenantId, Viewer
from app.errors import Conflict, InvalidInput, NotFound, WatchfloorError
from app.queries.erasures import Erasure, erasure_of
from app.tsdb import erase
from app.tsdb.tenants import LIMITS_AGE_S
from app.tsdb.turns import JOB_PATIENCE_S, turn_of
from models.session import platform_session
from models.tenants import ErasureRow, TenantRow

# Processes believe for LIMITS_AGE_S that a tenant is open, and a request takes its time: nothing comes in after this.
QUIET: Final = timedelta(seconds=LIMITS_AGE_S + 5)


def ask(viewer: Viewer, name: str, *, typed: str) -> int:
    """Begin the erasure of a closed tenant, whose name was typed to confirm it; answers the erasure's id.

    Raises Conflict while the tenant is open, or when the viewer is in it.
    """
    require(viewer, ADMIN, "tenants")
    if typed != name:
        raise InvalidInput("name", "is not what you typed")
    with platform_session() as session:
        tenant = session.scalar(select(TenantRow).where(TenantRow.name == name).with_for_update())
        if tenant is None:
            broken_off = select(ErasureRow.id).where(ErasureRow.name == name, ErasureRow.finished_at.is_(None))
            if (erasure_id := session.scalar(broken_off)) is not None:
                return erasure_id
            raise NotFound(f"There is no tenant {name}.")
        if tenant.closed_at is None:
            raise Conflict(f"{name} is open. Close it first.")
        if tenant.id == viewer.tenant:
            raise Conflict(f"You are in {name}. Switch to another tenant to erase it.")
        row = session.scalar(
            select(ErasureRow).where(ErasureRow.erased_id == tenant.id, ErasureRow.finished_at.is_(None))
        )
        if row is None:
            row = ErasureRow(erased_id=tenant.id, name=name, requested_by=viewer.email or viewer.name)
            session.add(row)
            session.flush()
            if viewer.tenant != NO_TENANT:
                record(session, viewer, action="erase", noun="tenants", object_id=name)
        return row.id


def begin(viewer: Viewer, name: str, *, typed: str) -> None:
    """ask(), and have a worker do it."""
    jobs.enqueue(jobs.ERASE, erasure_id=ask(viewer, name, typed=typed))


def quiet_in(erasure_id: int) -> float:
    """Seconds until nothing of the tenant can come in any more."""
    with platform_session() as session:
        row = _find(erasure_id, session.get(ErasureRow, erasure_id))
        closed_at = session.scalar(select(TenantRow.closed_at).where(TenantRow.id == row.erased_id))
    return max(0.0, (closed_at + QUIET - utc_now()).total_seconds()) if closed_at else 0.0


def carry_out(erasure_id: int) -> Erasure:
    """Erase what there is, and record what was left; safe to run twice. Raises WatchfloorError if anything is left.

    Whoever is at work on the tenant's storage is waited for, for half an hour; then NotOurTurn is raised.
    """
    with platform_session() as session:
        row = _find(erasure_id, session.get(ErasureRow, erasure_id))
        tenant = TenantId(row.erased_id)
        if row.finished_at is not None:
            return erasure_of(row)
    with turn_of(tenant, wait_s=JOB_PATIENCE_S):
        return _carry_out(erasure_id, tenant)


def _carry_out(erasure_id: int, tenant: TenantId) -> Erasure:
    with platform_session() as session:
        row = _find(erasure_id, session.get(ErasureRow, erasure_id))
        if row.finished_at is not None:
            return erasure_of(row)
        before = dict(row.before)
    if not before:
        before = erase.counts(tenant)
        with platform_session() as session:
            _find(erasure_id, session.get(ErasureRow, erasure_id)).before = before
    left = erase.erase(tenant)
    with platform_session() as session:
        row = _find(erasure_id, session.get(ErasureRow, erasure_id))
        row.after = dict(left)
        if not left:
            row.finished_at = utc_now()
        session.flush()
        done = erasure_of(row)
    if left:
        raise WatchfloorError(f"of {done.name} there is left: {', '.join(left)}; erase it once more")
    return done


def _find(erasure_id: int, row: ErasureRow | None) -> ErasureRow:
    if row is None:
        raise NotFound(f"There is no erasure {erasure_id}.")
    return row
