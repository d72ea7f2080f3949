"""What people do to models: put one in service with a reason, go back to the one before, have them trained."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app import jobs
from app.actions.audit import record
from app.auth.permissions import require
from app.clock import utc_now
from app.domain.mlmodels.model import GLOBAL_BOOSTING, Model, RunState, Stage, Why
from app.domain.tenancy import ADMIN, TenantId, Viewer
from app.errors import Conflict, InvalidInput, NotFound
from app.queries.models import model_of, steps_of
from app.tsdb import artefacts
from models.mlmodels import ModelRow, TrainingRunRow
from models.session import tenant_session

NOUN = "models"
LONGEST_REASON = 500
# With less history no model is trained: the oldest origin of the backtest needs three days before it.
LEAST_DAYS: Final = 13
EACH: Final = timedelta(hours=24)
# After a run that could train nothing.
AGAIN: Final = timedelta(minutes=30)
STALLED: Final = timedelta(minutes=12)

_OLDEST = text(
    "select exists (select 1 from sample_blocks where tenant_id = :tenant and bucket <= :at)"
    " or exists (select 1 from sample_rollups where tenant_id = :tenant and tier = 3600 and bucket <= :at)"
    " or exists (select 1 from sample_hot where tenant_id = :tenant and ts <= :at)"
)


def promote(viewer: Viewer, model_id: int, *, why: str) -> Model:
    """Put a model in service whatever the gate said; raises InvalidInput without a reason, Conflict if it serves."""
    require(viewer, ADMIN, NOUN)
    reason = why.strip()
    if not reason or len(reason) > LONGEST_REASON:
        raise InvalidInput("why", f"say why, in at most {LONGEST_REASON} characters")
    with tenant_session(viewer.tenant) as session:
        row = session.scalar(select(ModelRow).where(ModelRow.tenant_id == viewer.tenant, ModelRow.id == model_id))
        if row is None:
            raise NotFound(f"There is no model {model_id}.")
        if row.stage == Stage.CHAMPION:
            raise Conflict("This model is in service already.")
        sha256 = row.sha256
    # Outside of any transaction: what cannot be loaded is not put in service.
    artefacts.load(viewer.tenant, sha256)
    with tenant_session(viewer.tenant) as session:
        row = session.get_one(ModelRow, model_id, with_for_update=True)
        return put_in_service(session, viewer, row, action="promote", why=reason)


def rollback(viewer: Viewer, family: str, *, why: str = "") -> Model:
    """Put the version before the champion in service again; raises NotFound when there is none."""
    require(viewer, ADMIN, NOUN)
    with tenant_session(viewer.tenant) as session:
        now = session.scalar(
            select(ModelRow).where(
                ModelRow.tenant_id == viewer.tenant,
                ModelRow.family == family,
                ModelRow.kind == GLOBAL_BOOSTING,
                ModelRow.stage == Stage.CHAMPION,
            )
        )
        if now is None:
            raise NotFound(f"No model of {family} is in service.")
        before = session.scalar(
            select(ModelRow)
            .where(
                ModelRow.tenant_id == viewer.tenant,
                ModelRow.family == family,
                ModelRow.kind == now.kind,
                ModelRow.version < now.version,
                ModelRow.promoted_at.is_not(None),
                ModelRow.feature_set == now.feature_set,
                ModelRow.is_damaged.is_(False),
            )
            .order_by(ModelRow.version.desc())
            .limit(1)
            .with_for_update()
        )
        if before is None:
            raise NotFound(f"No earlier model of {family} was ever in service.")
        return put_in_service(session, viewer, before, action="rollback", why=why.strip() or "rolled back")


def put_in_service(session: Session, viewer: Viewer, row: ModelRow, *, action: str, why: str) -> Model:
    """Make a model the champion in the caller's transaction; the one before it is archived. Audited."""
    before = session.scalar(
        select(ModelRow)
        .where(
            ModelRow.tenant_id == row.tenant_id,
            ModelRow.family == row.family,
            ModelRow.kind == row.kind,
            ModelRow.stage == Stage.CHAMPION,
        )
        .with_for_update()
    )
    if before is not None:
        before.stage = Stage.ARCHIVED
        session.flush()  # there is one champion at any moment
    row.stage, row.promoted_at = Stage.CHAMPION, utc_now()
    row.promoted_by, row.promoted_why = viewer.email or viewer.name, why
    session.flush()
    record(
        session,
        viewer,
        action=action,
        noun=NOUN,
        object_id=row.id,
        before={"family": row.family, "version": before.version if before else None},
        after={"family": row.family, "version": row.version, "sha256": row.sha256, "why": why},
    )
    return model_of(row)


def ask_training(viewer: Viewer) -> int:
    """Have the models trained now; answers the run. Raises Conflict while one is under way."""
    require(viewer, ADMIN, NOUN)
    run_id = begin_run(viewer.tenant, Why.BY_HAND, asked_by=viewer.email or viewer.name)
    if run_id is None:
        raise Conflict("A training is under way.")
    with tenant_session(viewer.tenant) as session:
        record(session, viewer, action="train", noun=NOUN, object_id=run_id)
    jobs.enqueue(jobs.TRAIN, tenant=viewer.tenant, run=run_id)
    return run_id


def begin_run(tenant: TenantId, reason: Why, *, asked_by: str, note: str = "") -> int | None:
    """Note that a training is wanted; answers its id, None while another one is open. The caller queues the job."""
    values = {"tenant_id": tenant, "state": RunState.QUEUED, "reason": reason, "asked_by": asked_by, "note": note}
    statement = insert(TrainingRunRow).values(**values).on_conflict_do_nothing().returning(TrainingRunRow.id)
    with tenant_session(tenant) as session:
        return session.scalar(statement)


def due_run(tenant: TenantId, now: datetime) -> int | None:
    """The run that is to be worked on now: one that was asked for or stopped half-way, or a new one for the night."""
    query = select(TrainingRunRow).where(TrainingRunRow.tenant_id == tenant).order_by(TrainingRunRow.id.desc()).limit(1)
    with tenant_session(tenant) as session:
        last = session.scalar(query)
        has_history = session.scalar(_OLDEST, {"tenant": tenant, "at": now - timedelta(days=LEAST_DAYS)})
    if last is not None and last.state in (RunState.QUEUED, RunState.RUNNING):
        return last.id if now - (last.touched_at or last.created_at) > STALLED else None
    is_empty = last is not None and not any(step.step == "fit" and step.state == "done" for step in steps_of(last.plan))
    if not has_history or (last is not None and now - last.created_at < (AGAIN if is_empty else EACH)):
        return None
    if last is not None and is_empty and last.reason != Why.BY_HAND:
        # Nothing could be learned then, most likely because history was still on its way: it is not worth a line.
        with tenant_session(tenant) as session:
            session.execute(
                delete(TrainingRunRow).where(TrainingRunRow.tenant_id == tenant, TrainingRunRow.id == last.id)
            )
    return begin_run(tenant, Why.FIRST if last is None else Why.NIGHTLY, asked_by="schedule")
