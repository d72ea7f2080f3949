"""The registry of models as people and programs ask for it: models, training runs, drift."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on

from app.auth.permissions import require
from app.domain.mlmodels.model import Drift, Model, Stage, Step, TrainingRun
from app.domain.tenancy import READ, Viewer
from app.errors import NotFound
from models.mlmodels import DriftRow, ModelRow, TrainingRunRow
from models.session import tenant_session

NOUN: Final = "models"


def models(viewer: Viewer, *, family: str = "", before: int | None = None, limit: int = 200) -> list[Model]:
    """The newest first; `before` is the id of the last one of the page before."""
    require(viewer, READ, NOUN)
    query = select(ModelRow).where(ModelRow.tenant_id == viewer.tenant)
    if family:
        query = query.where(ModelRow.family == family)
    if before is not None:
        query = query.where(ModelRow.id < before)
    with tenant_session(viewer.tenant) as session:
        return [model_of(row) for row in session.scalars(query.order_by(ModelRow.id.desc()).limit(limit))]


def model(viewer: Viewer, model_id: int) -> Model:
    """One of them; raises NotFound."""
    require(viewer, READ, NOUN)
    with tenant_session(viewer.tenant) as session:
        row = session.scalar(select(ModelRow).where(ModelRow.tenant_id == viewer.tenant, ModelRow.id == model_id))
        if row is None:
            raise NotFound(f"There is no model {model_id}.")
        return model_of(row)


def champions(viewer: Viewer) -> dict[str, Model]:
    """The model in service of each family that has one."""
    require(viewer, READ, NOUN)
    query = select(ModelRow).where(ModelRow.tenant_id == viewer.tenant, ModelRow.stage == Stage.CHAMPION)
    with tenant_session(viewer.tenant) as session:
        return {row.family: model_of(row) for row in session.scalars(query.order_by(ModelRow.family))}


def runs(viewer: Viewer, *, before: int | None = None, limit: int = 20) -> list[TrainingRun]:
    """Training runs, the newest first."""
    require(viewer, READ, NOUN)
    query = select(TrainingRunRow).where(TrainingRunRow.tenant_id == viewer.tenant)
    if before is not None:
        query = query.where(TrainingRunRow.id < before)
    with tenant_session(viewer.tenant) as session:
        return [run_of(row) for row in session.scalars(query.order_by(TrainingRunRow.id.desc()).limit(limit))]


def drift(viewer: Viewer) -> list[Drift]:
    """The newest look at each measure of each family."""
    require(viewer, READ, NOUN)
    query = (
        select(DriftRow)
        .where(DriftRow.tenant_id == viewer.tenant)
        .ext(distinct_on(DriftRow.family, DriftRow.measure))
        .order_by(DriftRow.family, DriftRow.measure, DriftRow.at.desc())
    )
    with tenant_session(viewer.tenant) as session:
        return [
            Drift(
                family=row.family,
                measure=row.measure,
                at=row.at,
                value=row.value,
                bound=row.bound,
                is_drifting=row.is_drifting,
                note=row.note,
            )
            for row in session.scalars(query)
        ]


def model_of(row: ModelRow) -> Model:
    """The model of a row."""
    return Model(**{name: getattr(row, name) for name in Model.__dataclass_fields__})


def run_of(row: TrainingRunRow) -> TrainingRun:
    """The run of a row."""
    names = [name for name in TrainingRun.__dataclass_fields__ if name != "steps"]
    return TrainingRun(**{name: getattr(row, name) for name in names}, steps=steps_of(row.plan))


def steps_of(plan: Mapping[str, Any]) -> list[Step]:
    """The steps of a run's plan."""
    return msgspec.convert(plan.get("steps", []), list[Step])
