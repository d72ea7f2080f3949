"""The registry of learned models: their artefacts, the runs that trained them, what they are judged on, and drift."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, BigId, Created, Document


class TrainingRunRow(Base):
    """One training of a tenant's models, step by step; whoever takes it over goes on at `position`."""

    __tablename__ = "training_runs"
    __table_args__ = (
        Index("training_runs_recent_idx", "tenant_id", "created_at"),
        # One at a time.
        Index(
            "training_runs_open_idx", "tenant_id", unique=True, postgresql_where=text("state in ('queued', 'running')")
        ),
    )

    id: Mapped[BigId]
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"))
    state: Mapped[str]  # queued | running | done | failed
    reason: Mapped[str]  # app.domain.mlmodels.runs.Why
    note: Mapped[str] = mapped_column(server_default="")
    asked_by: Mapped[str]
    created_at: Mapped[Created]
    started_at: Mapped[datetime | None]
    touched_at: Mapped[datetime | None]  # of its newest step
    finished_at: Mapped[datetime | None]
    until_at: Mapped[datetime | None]  # the end of the time that it learns from
    position: Mapped[int] = mapped_column(server_default="0")  # steps that are done
    tries: Mapped[int] = mapped_column(server_default="0")  # how often the step at `position` was begun
    spent_s: Mapped[float] = mapped_column(server_default="0")
    plan: Mapped[Document]  # {"steps": [{"family", "step", "state", "note", "seconds"}]}


class ModelRow(Base):
    """One artefact of one family, with what it was trained on and what the frozen backtest says of it."""

    __tablename__ = "ml_models"
    __table_args__ = (
        UniqueConstraint("tenant_id", "family", "kind", "version"),
        Index(
            "ml_models_champion_idx",
            "tenant_id",
            "family",
            "kind",
            unique=True,
            postgresql_where=text("stage = 'champion'"),
        ),
    )

    id: Mapped[BigId]
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"))
    family: Mapped[str]
    kind: Mapped[str]  # global_boosting
    version: Mapped[int]
    stage: Mapped[str]  # candidate | champion | archived
    sha256: Mapped[str]
    size_bytes: Mapped[int]
    code_version: Mapped[str]
    feature_set: Mapped[int]
    trained_from: Mapped[datetime]
    trained_to: Mapped[datetime]
    fingerprint: Mapped[str]  # of the training data
    trained_on: Mapped[Document]  # series, hours, rows, and what was left out
    report: Mapped[Document]  # on the frozen backtest, beside seasonal naive and the champion of then
    reference: Mapped[Document]  # how the features were spread in training
    run_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("training_runs.id", ondelete="SET NULL"), index=True
    )
    is_damaged: Mapped[bool] = mapped_column(server_default="false")  # its artefact was missing or not the one listed
    created_by: Mapped[str]
    created_at: Mapped[Created]
    promoted_at: Mapped[datetime | None]
    promoted_by: Mapped[str] = mapped_column(server_default="")
    promoted_why: Mapped[str] = mapped_column(server_default="")


class BacktestSetRow(Base):
    """The values that every model of a family is judged on; their series are in no training."""

    __tablename__ = "backtest_sets"
    __table_args__ = (UniqueConstraint("tenant_id", "family", "number"),)

    id: Mapped[BigId]
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"))
    family: Mapped[str]
    number: Mapped[int]  # the highest one counts
    sha256: Mapped[str]
    size_bytes: Mapped[int]
    start_at: Mapped[datetime]
    end_at: Mapped[datetime]
    series: Mapped[int]
    members: Mapped[Document]  # {"series": [labels, …]}
    created_at: Mapped[Created]


class DriftRow(Base):
    """One look at one measure of drift of one family."""

    __tablename__ = "drift_checks"
    __table_args__ = (Index("drift_checks_recent_idx", "tenant_id", "family", "measure", "at"),)

    id: Mapped[BigId]
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"))
    family: Mapped[str]
    measure: Mapped[str]  # app.domain.mlmodels.drift.Measure
    at: Mapped[datetime]
    value: Mapped[float]
    bound: Mapped[float]
    is_drifting: Mapped[bool]
    note: Mapped[str] = mapped_column(server_default="")
    run_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("training_runs.id", ondelete="SET NULL"), index=True
    )
